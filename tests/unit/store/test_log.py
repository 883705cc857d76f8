"""A log under many hands: what was claimed after it closed must go elsewhere."""

from __future__ import annotations

import errno
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from maruhub import compose
from maruhub.store.commit.turn import _finish
from maruhub.store.format.extent import Blobs
from maruhub.store.format.header import log_name
from maruhub.store.format.packing import cut
from maruhub.store.format.segment_class import SegmentClass
from maruhub.store.recover.chain import Chain, read_header
from maruhub.store.store import PoolStore

SEGMENT_BYTES = 64 << 10


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[compose.OpenPool]:
    opened = compose.create_pool(tmp_path / "hub", n=3, segment_bytes=SEGMENT_BYTES)
    yield opened
    opened.close()


def put(store: PoolStore, key: bytes, data: bytes) -> None:
    (blob,) = store.append([data])
    store.commit(lambda rows: rows.put(key, b"", extents=blob))


def test_a_closed_log_takes_nothing(pool: compose.OpenPool):
    put(pool.store, b"K1", b"x" * 100)
    log = pool.store._writer_side().writer.log_for(SegmentClass.RAW)
    _finish(log)
    pieces = list(cut([memoryview(b"y" * 100)]))
    assert log.reserve(pieces) == (log.end, pieces)
    assert log.full
    assert log.layout.end == log.end


def test_a_log_stays_full_though_a_smaller_object_would_fit(pool: compose.OpenPool):
    log = pool.store._writer_side().writer.log_for(SegmentClass.RAW)
    _, rest = log.reserve(list(cut([memoryview(bytes(SEGMENT_BYTES - 8192)), memoryview(bytes(9000))])))
    log.fill(4096, list(cut([memoryview(bytes(SEGMENT_BYTES - 8192))])))
    assert len(rest) == 1
    start, rest = log.reserve(list(cut([memoryview(b"small")])))
    assert rest == []
    log.fill(start, list(cut([memoryview(b"small")])))
    assert log.full


def test_a_carrier_that_fills_up_in_its_turn_ends_behind_its_batch(
    pool: compose.OpenPool, monkeypatch: pytest.MonkeyPatch
):
    """Another thread's big object retires the log just when a turn has chosen it."""
    store = pool.store
    turn = store._writer_side().turn
    choose = turn._carrier

    def choose_and_fill(batch):
        log = choose(batch)
        store.append([bytes(SEGMENT_BYTES - 8192)])
        store.append([bytes(20_000)])
        return log

    monkeypatch.setattr(turn, "_carrier", choose_and_fill)
    put(store, b"K1", b"first")
    monkeypatch.undo()
    put(store, b"K2", b"second")
    rows = store.scan(b"K", b"L", 9)
    assert [bytes(v) for v in store.read_many(Blobs.of([row.extents for row in rows]))] == [
        b"first",
        b"second",
    ]
    closed = [layout for layout in store.layouts() if layout.closed]
    assert closed
    for layout in closed:
        copies = store.blades.open_copies(log_name(layout.segment), layout.blades)
        chain = Chain(read_header(copies), copies)
        assert next(chain.candidates(0)).end <= layout.end
        chain.close()


def test_derived_segments_carry_no_records(pool: compose.OpenPool):
    store = pool.store
    for number in range(30):
        for segment_class in SegmentClass:
            (blob,) = store.append([b"%d" % number * 3000], segment_class)
            store.commit(
                lambda rows, blob=blob, n=number, c=segment_class: rows.put(
                    b"K%d.%d" % (n, c), b"", extents=blob
                )
            )
    seen = set()
    for layout in store.layouts():
        copies = store.blades.open_copies(log_name(layout.segment), layout.blades)
        chain = Chain(read_header(copies), copies)
        assert chain.header.segment_class == layout.segment_class
        seen.add((layout.segment_class, any(True for _ in chain.candidates(0))))
        chain.close()
    assert (SegmentClass.DERIVED, True) not in seen
    assert {(SegmentClass.RAW, True), (SegmentClass.META, True), (SegmentClass.DERIVED, False)} <= seen
    report = pool.rebuild_index()
    assert not report.problems
    assert not report.orphans_removed
    assert len(store.scan(b"K", b"L", 200)) == 90


def test_segments_roll_over_and_all_stays_readable(pool: compose.OpenPool):
    store = pool.store
    datas = {b"K%03d" % n: bytes([n]) * (n * 500) for n in range(120)}
    for key, data in datas.items():
        put(store, key, data)
    layouts = list(store.layouts())
    assert len(layouts) > 20
    assert sum(not layout.closed for layout in layouts) <= 2
    for layout in layouts:
        assert len(layout.blades) == 3
        if layout.closed:
            assert layout.end <= SEGMENT_BYTES + 4096 + (2 << 10)
    rows = store.scan(b"K", b"L", 200)
    assert {
        r.key: bytes(v)
        for r, v in zip(rows, store.read_many(Blobs.of([r.extents for r in rows])), strict=True)
    } == datas


def test_a_turn_serves_all_that_wait(pool: compose.OpenPool):
    from maruhub.testing.store_suite import commit_together

    store = pool.store
    before = store.commit(lambda rows: rows.put(b"K", b""))
    counts = []

    def change(number: int):
        def work(rows):
            counts.append(rows.time_us)
            rows.put(b"K%d" % number, b"")

        return work

    assert before is None
    assert commit_together(store, [change(number) for number in range(40)]) == [None] * 40
    # All changes of a turn are given one time.
    assert len(set(counts)) < 20


@pytest.mark.parametrize("n", [1, 3])
def test_a_full_drive_is_said_and_what_was_there_stays(
    tmp_path: Path, n: int, monkeypatch: pytest.MonkeyPatch
):
    from maruhub.errors import NoSpace
    from maruhub.store.local_blade import LocalFile

    pool = compose.create_pool(tmp_path / "hub", n=n)
    put(pool.store, b"K1", b"before")

    def full(self, offset, buffers):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(LocalFile, "write", full)
        with pytest.raises(NoSpace, match="room"):
            put(pool.store, b"K2", b"refused")
    put(pool.store, b"K3", b"after")
    rows = pool.store.scan(b"K", b"L", 9)
    assert [row.key for row in rows] == [b"K1", b"K3"]
    assert [bytes(v) for v in pool.store.read_many(Blobs.of([r.extents for r in rows]))] == [
        b"before",
        b"after",
    ]
    pool.close()


def test_a_rebuild_waits_for_the_writers_of_its_process(pool: compose.OpenPool):
    """A turn between emptying the index and filling it again would void all before it."""
    stop = threading.Event()
    acknowledged: list[list[bytes]] = [[], [], []]

    def write(number: int) -> None:
        while not stop.is_set():
            key = b"K%d.%d" % (number, len(acknowledged[number]))
            pool.store.commit(lambda rows, key=key: rows.put(key, b""))
            acknowledged[number].append(key)

    put(pool.store, b"Kfirst", b"x")
    for number in range(600):
        pool.store.commit(lambda rows, number=number: rows.put(b"Kold%d" % number, b""))
    threads = [threading.Thread(target=write, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(3):
            assert not pool.rebuild_index().problems
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    wanted = {key for keys in acknowledged for key in keys}
    for _ in range(2):
        assert wanted <= {row.key for row in pool.store.scan(b"K", b"L", 100_000)}
        assert len(pool.store.scan(b"Kold", b"Kp", 1000)) == 600
        pool.rebuild_index()
