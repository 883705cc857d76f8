"""Hugging Face ``datasets``: views as ``Dataset`` and as ``IterableDataset``; no byte is copied into either."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import datasets
import numpy as np
import pyarrow as pa

from maruhub.adapters.epoch import Epoch
from maruhub.adapters.samples import read_samples
from maruhub.errors import InvalidInput
from maruhub.loaders import Batch

Collate = Callable[[Batch], Mapping[str, Any]]
"""From a batch to columns by name, each a value a sample."""

_ROW: Final = "maru_row"
SHARD_SAMPLES: Final = 256
"""What resuming reads again at most: ``datasets`` runs the begun shard from its start."""


def as_columns(batch: Batch) -> dict[str, Any]:
    """What is used unless a ``collate`` is given: ``id``, ``bytes``, and the columns of the view."""
    return {
        "id": batch.ids,
        "bytes": [bytes(blob) for blob in batch.blobs],
        **{name: batch.columns.column(name).to_pylist() for name in batch.columns.column_names},
    }


def to_dataset(view: Any, collate: Collate | None = None) -> datasets.Dataset:
    """A view as a map-style dataset, whose samples are read when they are asked for, batch by batch.

    It holds a row number and the columns of each sample; ``select``, ``filter``, ``shuffle``,
    ``train_test_split`` and torch's loaders work on those. ``collate`` gets what is asked for
    as one :class:`Batch`.
    """
    rows = pa.array(np.arange(len(view)))
    columns = view.columns(np.arange(len(view)))
    if _ROW in columns.column_names:
        raise InvalidInput(f"the view has a column {_ROW!r}, which the adapter needs for itself.")
    table = columns.append_column(_ROW, rows) if columns.column_names else pa.table({_ROW: rows})
    return datasets.Dataset(table).with_transform(_Read(view, collate or as_columns))


class _Read:
    """The transform of a dataset: from row numbers to samples."""

    def __init__(self, view: Any, collate: Collate) -> None:
        self._view = view
        self._collate = collate

    def __call__(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        if _ROW not in asked:  # only other columns were asked for, by their names
            return dict(asked)
        rows = np.asarray(asked[_ROW], dtype=np.uint64)
        samples = read_samples(self._view, rows)
        batch = Batch(
            ids=[sample.id for sample in samples],
            blobs=[sample.data for sample in samples],
            columns=self._view.columns(rows),
            positions=rows,
            epoch=0,
            step=0,
        )
        return dict(self._collate(batch))


def to_iterable(
    view: Any,
    collate: Collate | None = None,
    *,
    epoch: int | None = None,
    state: Mapping[str, Any] | None = None,
    shard_samples: int = SHARD_SAMPLES,
    **options: Any,
) -> datasets.IterableDataset:
    """An epoch as a stream of samples in the hub's order: never shuffle it with a buffer.

    It comes in shards of ``shard_samples``, shared out between the workers of a loader and by
    ``split_dataset_by_node``. Its own ``state_dict`` goes on exactly in the same arrangement.
    Each epoch is a stream of its own: make the next one with ``epoch=1``.

    Args:
        view: The samples.
        collate: From a batch to columns by name; default :func:`as_columns`.
        epoch: Which epoch; default 0.
        state: Where to go on, as the hub's loaders say it; instead of ``epoch``.
        shard_samples: Samples of a shard.
        options: See :class:`maruhub.adapters.epoch.Epoch`: ``seed``, ``order``, ….
    """
    source = Epoch(view, epoch, state=state, **options)
    # A list among these is what `datasets` takes for the shards.
    given = {"source": source, "pieces": source.pieces(shard_samples), "collate": collate or as_columns}
    return datasets.IterableDataset.from_generator(_samples, gen_kwargs=given)


def _samples(source: Epoch, pieces: list[tuple[int, int]], collate: Collate) -> Iterator[dict[str, Any]]:
    for start, stop in pieces:
        columns = collate(source.read(start, stop))
        for values in zip(*columns.values(), strict=True):
            yield dict(zip(columns, values, strict=True))
