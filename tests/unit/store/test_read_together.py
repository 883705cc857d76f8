"""Reading a batch at once is reading each extent, only sooner: the same bytes, the same repairs."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from maruhub import compose
from maruhub.errors import Corrupt
from maruhub.store.format.extent import Blob, Blobs
from maruhub.store.read import mapping, reader
from maruhub.store.store import PoolStore

DATA = [bytes([i]) * (4096 * (i % 3) + i + 1) for i in range(40)]


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[compose.OpenPool]:
    opened = compose.create_pool(tmp_path / "hub", n=2)
    yield opened
    opened.close()


@pytest.fixture(params=["together", "singly"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The fast path, and the general one as where the kernel can't populate many ranges."""
    if request.param == "singly":
        monkeypatch.setattr(reader, "populate_many", lambda starts, lengths: False)
    return str(request.param)


def _put(store: PoolStore) -> list[Blob]:
    blobs = store.append(DATA)
    store.commit(lambda rows: rows.put(b"Kall", b"", extents=[extent for blob in blobs for extent in blob]))
    return blobs


def _read(store: PoolStore, blobs: list[Blob]) -> list[bytes | type]:
    results = store.read_many(Blobs.of(blobs))
    return [bytes(r) if isinstance(r, memoryview) else type(r) for r in results]


def _spoil(pool: compose.OpenPool, blob: Blob, blades: int) -> None:
    files = sorted((pool.path / "blades").glob(f"*/segments/*{blob[0].segment:016x}*"))
    assert len(files) == 2
    for file in files[:blades]:
        with file.open("r+b") as raw:
            raw.seek(blob[0].offset)
            raw.write(b"rot")


@pytest.mark.usefixtures("way")
def test_every_blob_is_itself(pool: compose.OpenPool) -> None:
    assert _read(pool.store, _put(pool.store)) == DATA


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("blades", [1, 2])
def test_one_rotten_extent_does_not_touch_the_others(pool: compose.OpenPool, blades: int) -> None:
    blobs = _put(pool.store)
    _spoil(pool, blobs[5], blades)
    expected: list[bytes | type] = [*DATA]
    if blades == 2:
        expected[5] = Corrupt
    assert _read(pool.store, blobs) == expected


@pytest.mark.usefixtures("way")
def test_an_unknown_segment_is_an_error_of_its_own(pool: compose.OpenPool) -> None:
    blobs = _put(pool.store)
    blobs[7] = (blobs[7][0]._replace(segment=blobs[7][0].segment ^ 1),)
    expected: list[bytes | type] = [*DATA]
    expected[7] = Corrupt
    assert _read(pool.store, blobs) == expected


def test_populating_says_when_a_range_is_not_there() -> None:
    with mmap.mmap(-1, 8 * mmap.PAGESIZE) as memory:
        view = np.frombuffer(memory, np.uint8)
        start = view.ctypes.data
        starts = np.array([start + 100, start + 3 * mmap.PAGESIZE], np.int64)
        lengths = np.array([200, mmap.PAGESIZE], np.int64)
        # Kernels before 6.15 populate one by one; then the answer is no whatever is asked.
        able = mapping.populate_many(starts, lengths)
        assert not mapping.populate_many(np.array([start, mmap.PAGESIZE], np.int64), lengths)
        many = np.full(3000, start, np.int64)
        assert mapping.populate_many(many, np.ones(3000, np.int64)) == able
        del view


@pytest.mark.parametrize(("resident", "advised"), [(True, 0), (False, len(DATA))])
def test_only_what_is_not_in_memory_is_announced(
    pool: compose.OpenPool, monkeypatch: pytest.MonkeyPatch, resident: bool, advised: int
) -> None:
    blobs = Blobs.of(_put(pool.store))
    ranges: list[int] = []
    monkeypatch.setattr(mapping.MappedFile, "is_resident", lambda self, offset: resident)
    monkeypatch.setattr(reader.os, "posix_fadvise", lambda fd, offset, length, advice: ranges.append(length))
    pool.store.announce(blobs.extents)
    assert len(ranges) == advised
    assert sum(ranges) == (0 if resident else sum(map(len, DATA)))
