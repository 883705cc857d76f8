"""Batches as arrays: every byte in its place, and in memory of the caller's own."""

from __future__ import annotations

import itertools

import numpy as np
import pyarrow as pa
import pytest

from maruhub.adapters.arrays import as_arrays, joined, rows_of_bytes
from maruhub.errors import InvalidData
from maruhub.loaders import Batch


def batch_of(*blobs: bytes) -> Batch:
    views = [memoryview(blob) for blob in blobs]
    count = len(blobs)
    labels = pa.table({"label": list(range(count))})
    numbers = np.arange(count, dtype=np.uint64)
    return Batch(list(map(str, numbers)), views, labels, numbers, epoch=0, step=0, values=list(views))


@pytest.mark.parametrize("blobs", [[], [b""], [b"a", b"", b"bcd"], [b"x" * 5_000_000, b"y"]])
def test_blobs_lie_one_behind_the_other(blobs: list[bytes]) -> None:
    data, offsets = joined([memoryview(blob) for blob in blobs])
    assert data.tobytes() == b"".join(blobs)
    assert [data[a:b].tobytes() for a, b in itertools.pairwise(offsets)] == blobs
    assert (data.dtype, offsets.dtype, len(offsets)) == (np.uint8, np.int64, len(blobs) + 1)
    assert data.flags.writeable


def test_an_array_is_the_caller_s_own() -> None:
    batch = batch_of(b"abc", b"de")
    first = as_arrays(batch)
    first["data"][:] = 0
    assert as_arrays(batch)["data"].tobytes() == b"abcde"
    assert as_arrays(batch)["label"].tolist() == [0, 1]


def test_samples_of_one_size_are_a_rectangle_and_others_none() -> None:
    assert rows_of_bytes(batch_of(b"ab", b"cd")).tolist() == [[97, 98], [99, 100]]
    with pytest.raises(InvalidData, match="1 and of 2"):
        rows_of_bytes(batch_of(b"a", b"bc"))
