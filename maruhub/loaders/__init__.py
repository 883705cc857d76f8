"""Loaders: batches for training, in true random order, that resume exactly.

One core, on which adapters to training frameworks stand: ``orders`` (what comes when, pure,
over ``permutation`` and ``lanes``), ``plan`` (who gets which positions, pure), ``state`` (a few
numbers in JSON), ``reading`` (announce, read, put in order), ``decoding`` (threads over
``decoders``), ``assembly`` (what becomes of bad samples), ``walk`` (what comes, unread),
``prefetch`` (the thread), ``batches`` (what a trainer holds), ``options``.

May use: the store's reading side and anything that is a ``SampleSource`` (a catalog's view
is one). Never here: a list of all samples, a decision about what a dataset holds, HTTP or
S3, a write (what was read is recorded through the ``Recorder`` that the caller hands in).
"""

from __future__ import annotations

from maruhub.loaders.batch import Batch, Skipped
from maruhub.loaders.batches import Batches
from maruhub.loaders.options import LoaderOptions
from maruhub.loaders.source import Recorder, SampleSource
from maruhub.loaders.stats import LoaderStats

__all__ = ["Batch", "Batches", "LoaderOptions", "LoaderStats", "Recorder", "SampleSource", "Skipped"]
