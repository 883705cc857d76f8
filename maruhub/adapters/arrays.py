"""Batches as NumPy arrays: what every framework takes."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from maruhub.errors import InvalidData
from maruhub.loaders import Batch

_ALIGNED: Final = 64


def as_arrays(batch: Batch) -> dict[str, Any]:
    """A batch by names.

    ``ids`` are texts; each column is an array of its name if it holds numbers without gaps, else a
    list. Where the loader decodes, ``values`` is one array of what it made, ``[m, …]``, if all are
    of one shape and type, else a list. Else ``data`` is ``uint8[n]``, the samples' bytes one after
    the other, sample i from ``offsets[i]`` to ``offsets[i + 1]`` (``int64[m + 1]``).
    """
    if batch.values and not isinstance(batch.values[0], memoryview):
        return {"values": _stacked(batch.values), "ids": batch.ids, **columns_of(batch)}
    data, offsets = joined(batch.blobs)
    return {"data": data, "offsets": offsets, "ids": batch.ids, **columns_of(batch)}


def joined(blobs: Sequence[memoryview]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """The blobs one behind the other, ``uint8[n]``, blob i from ``offsets[i]`` to ``offsets[i + 1]``.

    Copies each byte once. The arrays are the caller's; the first byte's address is a multiple of
    64, so that TensorFlow and JAX take the array as it is.
    """
    ends = list(itertools.accumulate(map(len, blobs), initial=0))
    # NumPy asks for huge pages where it allocates megabytes: faults of new memory cost more than
    # the copy. A joined bytearray has none of them.
    room = np.empty(ends[-1] + _ALIGNED - 1, dtype=np.uint8)
    start = -room.ctypes.data % _ALIGNED
    data = room[start : start + ends[-1]]
    target = memoryview(data)  # type: ignore[arg-type]  # which Python 3.11 has no type for
    for blob, (start, end) in zip(blobs, itertools.pairwise(ends), strict=True):
        target[start:end] = blob
    return data, np.array(ends, dtype=np.int64)


def _stacked(values: list[Any]) -> Any:
    kinds = {(value.shape, value.dtype) if isinstance(value, np.ndarray) else None for value in values}
    return np.stack(values) if len(kinds) == 1 and None not in kinds else values


def columns_of(batch: Batch) -> dict[str, Any]:
    """Labels and attributes by name: arrays of the caller's own, or lists."""
    return {name: _column(batch.columns.column(name)) for name in batch.columns.column_names}


def rows_of_bytes(batch: Batch) -> npt.NDArray[np.uint8]:
    """``uint8[m, size]``, for samples that are all of one size; raises InvalidData."""
    sizes = {len(blob) for blob in batch.blobs}
    if len(sizes) > 1:
        raise InvalidData(
            f"samples of {min(sizes)} and of {max(sizes)} bytes make no rectangle.",
            hint="Decode each sample into an array of one shape.",
        )
    data, _ = joined(batch.blobs)
    return data.reshape(len(batch), *sizes or (0,))


def _column(column: Any) -> npt.NDArray[Any] | list[Any]:
    values = column.to_numpy()
    if values.dtype.kind in "iufb" and not column.null_count:
        return np.array(values)
    return list(column.to_pylist())
