"""What a pool of blades promises beyond the common contract: copies, counts, clocks."""

from __future__ import annotations

import itertools
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from maruhub import compose
from maruhub.errors import Corrupt, ReadOnly
from maruhub.store.commit import turn as turn_module
from maruhub.store.format.extent import EXTENT_BYTES_MAX, Blob, Blobs
from maruhub.store.format.segment_class import SegmentClass
from maruhub.store.format.state import Moment
from maruhub.store.protocol import get, read
from maruhub.testing.bytes_suite import filled, plain, put


@pytest.fixture(params=[1, 2, 3, 6])
def pool(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[compose.OpenPool]:
    opened = compose.create_pool(tmp_path / "hub", n=request.param)
    yield opened
    opened.close()


def copies_of(pool: compose.OpenPool, blob: Blob) -> list[Path]:
    files = sorted((pool.path / "blades").glob(f"*/segments/{blob[0].segment:016x}.log"))
    assert len(files) == min(3, len(pool.store.blades))
    return files


def spoil(file: Path, offset: int) -> None:
    with file.open("r+b") as raw:
        raw.seek(offset)
        (byte,) = raw.read(1)
        raw.seek(offset)
        raw.write(bytes([byte ^ 0x10]))


def test_copies_are_the_same_bytes(pool: compose.OpenPool):
    for size in (10, 5000, 2 << 20):
        blob = put(pool.store, b"K%d" % size, filled(size))
        files = copies_of(pool, blob)
        assert len({file.read_bytes() for file in files}) == 1
        at = blob[0].offset
        assert files[0].read_bytes()[at : at + min(size, EXTENT_BYTES_MAX)] == filled(size)[:EXTENT_BYTES_MAX]


@pytest.mark.parametrize("size", [10, 5000, EXTENT_BYTES_MAX + 5])
def test_rot_in_all_copies_but_one_is_read_past_and_counted(pool: compose.OpenPool, size: int):
    blob = put(pool.store, b"K", filled(size))
    files = copies_of(pool, blob)
    for good in files:
        for file in files:
            if file != good:
                spoil(file, blob[-1].offset + 3)
        assert bytes(read(pool.store, blob)) == filled(size)
        for file in files:
            if file != good:
                spoil(file, blob[-1].offset + 3)
    counts = pool.store.read_counts
    assert counts.lost == 0
    assert (counts.degraded > 0) == (sum(counts.bad_copies.values()) > 0) == (len(files) > 1)
    assert counts.extents == len(blob) * len(files)
    assert counts.size_bytes == size * len(files)


def test_copies_that_are_gone_or_cut_are_read_past(pool: compose.OpenPool):
    blob = put(pool.store, b"K", filled(9000))
    *lost, last = copies_of(pool, blob)
    for number, file in enumerate(lost):
        if number:
            file.unlink()
        else:
            with file.open("r+b") as raw:
                raw.truncate(blob[0].offset + 100)
    pool.store.drop_from_memory(Blobs.of([blob]).extents)
    assert bytes(read(pool.store, blob)) == filled(9000)
    last.unlink()
    pool.store._reader._tidy()
    assert plain(pool.store.read_many(Blobs.of([blob]))) == [Corrupt]
    assert pool.store.read_counts.lost == 1


def test_audit_names_each_bad_copy(pool: compose.OpenPool):
    blobs = [put(pool.store, b"K%d" % i, filled(5000, i)) for i in range(4)]
    files = copies_of(pool, blobs[0])
    spoil(files[0], blobs[1][0].offset)
    for file in files:
        spoil(file, blobs[2][0].offset)
    result = pool.store.audit(sorted(extent for blob in blobs for extent in blob))
    assert result.extents == 4
    assert result.size_bytes == 4 * 5000 * len(files)
    assert len(result.bad) == 1 + len(files)
    assert result.lost == ([blobs[1][0], blobs[2][0]] if len(files) == 1 else [blobs[2][0]])


def test_unverified_views_are_windows_on_the_file(pool: compose.OpenPool):
    """No copy is made: the speed of ``verify=False`` is that of memory."""
    blob = put(pool.store, b"K", filled(3 << 20))
    first, second = (read(pool.store, blob, verify=False) for _ in range(2))
    assert first.obj is second.obj
    assert len(first) == 3 << 20


def test_views_outlive_close_and_the_files(pool: compose.OpenPool):
    blobs = [put(pool.store, b"K%d" % size, filled(size)) for size in (10, 5000, 3 << 20)]
    views = pool.store.read_many(Blobs.of(blobs))
    pool.close()
    shutil.rmtree(pool.path)
    assert plain(views) == [filled(10), filled(5000), filled(3 << 20)]


def test_pool_clock_never_runs_backwards(pool: compose.OpenPool, monkeypatch: pytest.MonkeyPatch):
    """Wall clocks jump, machines boot, clocks of a boot start anew: delays only ever end late."""
    start = pool.store.commit(lambda rows: (rows.put(b"K", b""), rows.pool_time_us)[1])
    boot_us = time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000
    boots = [
        (b"1" * 16, 0),
        (b"1" * 16, 50),
        (b"1" * 16, 20),
        (b"2" * 16, 7),
        (b"2" * 16, 9),
        (b"1" * 16, 80),
    ]
    seen = []
    for number, (boot, after_us) in enumerate(boots):
        moment = Moment(boot, boot_us + after_us, (-1) ** number * 10**15)
        monkeypatch.setattr(turn_module, "read_moment", lambda moment=moment: moment)
        seen.append(pool.store.commit(lambda rows: (rows.put(b"K", b""), rows.pool_time_us)[1]))
    assert seen == sorted(seen)
    assert seen[0] >= start
    # It went on by what passed within a boot, and not at all over one.
    assert [b - a for a, b in itertools.pairwise(seen)] == [50, 0, 0, 2, 0]


def test_rows_and_counters_go_on_after_a_restart(pool: compose.OpenPool):
    counters, clocks = [], []
    for number in range(4):
        opened = compose.open_pool(pool.path) if number else pool

        def change(rows):
            rows.put(b"K", b"")
            counters.append(rows.counter)
            clocks.append(rows.pool_time_us)

        opened.store.commit(change)
        opened.close()
    assert counters == sorted(set(counters))
    assert clocks == sorted(clocks)


def test_one_turn_names_bytes_of_every_class(pool: compose.OpenPool):
    (raw,) = pool.store.append([filled(100)])
    (derived,) = pool.store.append([filled(200)], SegmentClass.DERIVED)
    (meta,) = pool.store.append([filled(300)], SegmentClass.META)
    pool.store.commit(lambda rows: rows.put(b"K", b"", extents=[*raw, *derived, *meta]))
    row = get(pool.store, b"K")
    assert row is not None
    assert bytes(read(pool.store, row.extents)) == filled(100) + filled(200) + filled(300)
    assert len({extent.segment for extent in row.extents}) == 3
    pool.close()
    shutil.rmtree(pool.path / "index")
    again = compose.open_pool(pool.path)
    assert bytes(read(again.store, row.extents)) == filled(100) + filled(200) + filled(300)
    again.close()


def test_read_only_store_reads_and_refuses(pool: compose.OpenPool):
    blob = put(pool.store, b"K", b"data")
    pool.close()
    reader = compose.open_pool(pool.path, read_only=True)
    assert bytes(read(reader.store, blob)) == b"data"
    for act in (lambda: reader.store.append([b"x"]), lambda: reader.store.commit(lambda rows: None)):
        with pytest.raises(ReadOnly):
            act()
    reader.close()
