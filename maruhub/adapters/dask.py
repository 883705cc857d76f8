"""Dask: views as bags of samples and as dataframes, read piece by piece where the tasks run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import dask.bag
import dask.dataframe
import pandas as pd
import pyarrow as pa

from maruhub.adapters.arrays import columns_of
from maruhub.adapters.epoch import Epoch
from maruhub.adapters.samples import Sample
from maruhub.loaders import Batch

PARTITION_SAMPLES = 1024
Collate = Callable[[Batch], Mapping[str, Any]]


def to_bag(view: Any, *, partition_samples: int = PARTITION_SAMPLES, **options: Any) -> Any:
    """A bag of :class:`~maruhub.adapters.samples.Sample`, in the view's own sequence.

    ``options`` are those of :class:`maruhub.adapters.epoch.Epoch`; ``shuffle=True, seed=7`` gives
    the hub's random order. A task's samples are in memory together: choose ``partition_samples`` so.
    """
    epoch = _epoch(view, options)
    return (
        dask.bag.from_sequence(epoch.pieces(partition_samples), partition_size=1)
        .map(_samples, epoch=epoch)
        .flatten()
    )


def to_dataframe(
    view: Any, collate: Collate | None = None, *, partition_samples: int = PARTITION_SAMPLES, **options: Any
) -> Any:
    """A dataframe of the view: ``id``, ``bytes`` and its columns, or what ``collate`` makes of each batch.

    The first sample is read at once, to know the columns' types. For labels alone, without any
    byte of samples, ``view.table()`` is all in one piece.
    """
    epoch = _epoch(view, options)
    read = _Frame(epoch, collate or as_columns)
    pieces = epoch.pieces(partition_samples)
    meta = read((epoch.position, epoch.position + 1)).iloc[:0]
    return dask.dataframe.from_map(read, pieces, meta=meta)


def as_columns(batch: Batch) -> dict[str, Any]:
    """What is used unless a ``collate`` is given."""
    # An Arrow type: Dask makes text of Python objects.
    data = pd.array([bytes(blob) for blob in batch.blobs], dtype=pd.ArrowDtype(pa.binary()))
    return {"id": batch.ids, "bytes": data, **columns_of(batch)}


def _epoch(view: Any, options: Mapping[str, Any]) -> Epoch:
    """In the view's own sequence unless told; a mix has none but the order that it mixes in."""
    return Epoch(view, **options) if hasattr(view, "order") else Epoch(view, **{"shuffle": False, **options})


class _Frame:
    """A piece as a frame."""

    def __init__(self, epoch: Epoch, collate: Collate) -> None:
        self._epoch = epoch
        self._collate = collate

    def __call__(self, piece: tuple[int, int]) -> pd.DataFrame:
        return pd.DataFrame(dict(self._collate(self._epoch.read(*piece))))


def _samples(piece: tuple[int, int], epoch: Epoch) -> list[Sample]:
    batch = epoch.read(*piece)
    rows = batch.columns.to_pylist() or [{}] * len(batch)
    return [
        Sample(name, bytes(blob), columns)
        for name, blob, columns in zip(batch.ids, batch.blobs, rows, strict=True)
    ]
