"""The catalog: datasets, their versions, labels, views and splits.

What it is: a dataset is a named line of immutable versions. A version is a small root that
names fragments (row range × column group) in Arrow's file format; they are mapped, never
loaded, and shared between versions and processes. ``docs/format-manifests.md`` has every
byte of it.

What it may use: ``namespace`` (what lies in a bucket), ``store`` (bytes, rows, the commit
turn), ``errors``; pyarrow and DuckDB inside functions, so that importing it stays cheap.

What never happens in it: a byte of a sample is never read or moved (labelling, splitting
and sampling cost metadata only); a published version never changes; no user's SQL reaches
a file, a network or an extension; no byte is freed (of what was dropped, rows go when their
time is over).
"""

from __future__ import annotations

from maruhub.catalog.catalog import Catalog
from maruhub.catalog.dataset import Dataset
from maruhub.catalog.diff import Diff
from maruhub.catalog.labels.joining import LabelReport
from maruhub.catalog.version import Version
from maruhub.catalog.view import View

__all__ = ["Catalog", "Dataset", "Diff", "LabelReport", "Version", "View"]
