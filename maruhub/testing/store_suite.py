"""The contract of ``Store`` as tests that any engine's author can run.

Subclass ``StoreSuite`` and give ``make_store`` and ``rot``; pytest collects the rest::

    class TestMine(StoreSuite):
        def make_store(self, folder: Path) -> Store:
            return MyStore(folder)

        def rot(self, store: Store, blob: Blob) -> None: ...

What only an engine of several processes can show (writers beside each other, forks, kills) is
in ``tests/contract/test_store_process.py``.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from maruhub.errors import InvalidInput
from maruhub.store.format.extent import Blobs
from maruhub.store.format.row import Row
from maruhub.store.protocol import Proposal, Rows, Store, get, read, scan_all
from maruhub.testing.bytes_suite import BytesSuite, filled, plain, put


class Planned(Exception):
    """What a test raises to have a change refused."""


def payloads(rows: Sequence[Row | None]) -> list[bytes | None]:
    """What the rows say, None for those that aren't there."""
    return [None if row is None else row.payload for row in rows]


def keys_of(rows: Sequence[Row]) -> list[bytes]:
    """The rows' keys."""
    return [row.key for row in rows]


def put_rows(store: Store, values: dict[bytes, bytes]) -> None:
    """Puts rows without bytes in one change."""

    def change(rows: Rows) -> None:
        for key, payload in values.items():
            rows.put(key, payload)

    store.commit(change)


class StoreSuite(BytesSuite):
    """What every store does. Each test gets an empty one as ``store``."""

    def test_empty_store_holds_nothing(self, store: Store) -> None:
        assert list(store.get_many([b"K", b"L"])) == [None, None]
        assert list(store.get_many([])) == store.scan(b"K", b"L", 10) == []

    def test_row_says_what_was_put(self, store: Store) -> None:
        (blob,) = store.append([filled(9000)])

        def change(rows: Rows) -> tuple[int, int]:
            rows.put(b"K", b"payload", extents=blob, segments=[blob[0].segment])
            return rows.counter, rows.time_us

        counter, time_us = store.commit(change, actor="åsa@lab", request=b"\0\xff")
        row = get(store, b"K")
        assert row is not None
        assert (row.key, row.payload, row.extents) == (b"K", b"payload", blob)
        assert row.segments == (blob[0].segment,)
        assert (row.actor, row.request) == ("åsa@lab", b"\0\xff")
        assert (row.counter, row.time_us) == (counter, time_us)
        assert not row.gone

    def test_rows_without_bytes(self, store: Store) -> None:
        store.commit(lambda rows: rows.put(b"K", b""))
        row = get(store, b"K")
        assert row is not None
        assert (row.payload, row.extents, row.segments, row.actor, row.request) == (b"", (), (), "", b"")

    def test_overwrite_and_remove(self, store: Store) -> None:
        store.commit(lambda rows: rows.put(b"K", b"1"))
        store.commit(lambda rows: rows.put(b"K", b"2"))
        assert payloads(store.get_many([b"K"])) == [b"2"]
        store.commit(lambda rows: rows.remove(b"K"))
        store.commit(lambda rows: rows.remove(b"never"))
        assert payloads(store.get_many([b"K", b"never"])) == [None, None]
        assert store.scan(b"K", b"z", 10) == []

    def test_scan_is_half_open_limited_and_both_ways(self, store: Store) -> None:
        names = [b"Ka", b"Kb", b"Kb\0", b"Kc", b"K" + b"\xff" * 2000]
        put_rows(store, dict.fromkeys(names, b""))
        assert keys_of(store.scan(b"K", b"L", 10)) == sorted(names)
        assert keys_of(store.scan(b"K", b"L", 10, reverse=True)) == sorted(names)[::-1]
        assert keys_of(store.scan(b"Ka", b"Kc", 10)) == [b"Ka", b"Kb", b"Kb\0"]
        assert keys_of(store.scan(b"Ka", b"Kc", 2, reverse=True)) == [b"Kb\0", b"Kb"]
        assert keys_of(list(scan_all(store, b"K", b"L", page=2))) == sorted(names)
        assert store.scan(b"K", b"L", 0) == store.scan(b"L", b"K", 9) == []

    # ------------------------------------------------------------ changes

    def test_result_of_the_change_is_returned(self, store: Store) -> None:
        answer = object()
        assert store.commit(lambda rows: answer) is answer

    def test_change_reads_its_own_writes_but_does_not_scan_them(self, store: Store) -> None:
        put_rows(store, {b"Ka": b"old", b"Kb": b"old"})

        def change(rows: Rows) -> list[object]:
            rows.put(b"Ka", b"new")
            rows.remove(b"Kb")
            rows.put(b"Kc", b"new")
            read_back = payloads(rows.get_many([b"Kc", b"Ka", b"Kb", b"Kx", b"Ka"]))
            return [read_back, [(row.key, row.payload) for row in rows.scan(b"K", b"L", 9)]]

        read_back, scanned = store.commit(change)
        assert read_back == [b"new", b"new", None, None, b"new"]
        assert scanned == [(b"Ka", b"old"), (b"Kb", b"old")]
        assert keys_of(store.scan(b"K", b"L", 9)) == [b"Ka", b"Kc"]

    @pytest.mark.parametrize("error", [Planned, ValueError, KeyError, AssertionError])
    def test_a_change_that_raises_leaves_nothing(self, store: Store, error: type[Exception]) -> None:
        put(store, b"Ka", b"kept")

        def refuse(rows: Rows) -> None:
            rows.put(b"Ka", b"", extents=())
            rows.put(b"Kb", b"")
            rows.remove(b"Ka")
            raise error

        with pytest.raises(error):
            store.commit(refuse)
        (row,) = store.scan(b"K", b"L", 9)
        assert row.key == b"Ka"
        assert bytes(read(store, row.extents)) == b"kept"
        store.commit(lambda rows: rows.put(b"Kb", b"after"))
        assert payloads(store.get_many([b"Kb"])) == [b"after"]

    @pytest.mark.parametrize("key", [b"", b"K" * 4097])
    def test_a_key_that_cannot_be_is_refused_alone(self, store: Store, key: bytes) -> None:
        def put_both(rows: Rows) -> None:
            rows.put(b"Kb", b"")
            rows.put(key, b"")

        first, bad, last = commit_together(
            store, [lambda rows: rows.put(b"Ka", b""), put_both, lambda rows: rows.put(b"Kc", b"")]
        )
        assert (first, last) == (None, None)
        assert isinstance(bad, InvalidInput)
        assert keys_of(store.scan(b"A", b"Z", 9)) == [b"Ka", b"Kc"]

    def test_a_refused_change_spares_those_of_its_turn(self, store: Store) -> None:
        def change(number: int) -> Callable[[Rows], None]:
            def work(rows: Rows) -> None:
                rows.put(b"K%d" % number, b"")
                if number % 3 == 1:
                    raise Planned

            return work

        errors = commit_together(store, [change(number) for number in range(9)])
        assert [type(error) for error in errors] == [type(None), Planned, type(None)] * 3
        assert keys_of(store.scan(b"K", b"L", 20)) == [b"K0", b"K2", b"K3", b"K5", b"K6", b"K8"]

    def test_changes_of_a_turn_see_those_before_them(self, store: Store) -> None:
        seen: list[tuple[int, list[bytes]]] = []

        def change(number: int) -> Callable[[Rows], None]:
            def work(rows: Rows) -> None:
                rows.put(b"K%d" % number, b"")
                seen.append((rows.counter, keys_of(rows.scan(b"K", b"L", 20))))

            return work

        commit_together(store, [change(number) for number in range(5)])
        assert [len(keys) for _, keys in sorted(seen)] == [0, 1, 2, 3, 4]

    def test_several_changes_of_one_thread_are_each_for_itself(self, store: Store) -> None:
        def change(number: int) -> Callable[[Rows], tuple[int, list[bytes]]]:
            def work(rows: Rows) -> tuple[int, list[bytes]]:
                rows.put(b"K%d" % number, b"")
                if number == 1:
                    raise Planned
                return rows.counter, keys_of(rows.scan(b"K", b"L", 9))

            return work

        proposals = [Proposal(change(number), f"actor {number}", b"%d" % number) for number in range(4)]
        first, bad, *others = store.commit_each(proposals)
        assert isinstance(bad, Planned)
        kept = [outcome for outcome in (first, *others) if not isinstance(outcome, Exception)]
        assert [keys for _, keys in kept] == [[], [b"K0"], [b"K0", b"K2"]]
        rows = store.scan(b"K", b"L", 9)
        assert [row.counter for row in rows] == [counter for counter, _ in kept]
        assert [(row.key, row.actor, row.request) for row in rows] == [
            (b"K%d" % number, f"actor {number}", b"%d" % number) for number in (0, 2, 3)
        ]

    def test_counters_and_clocks_rise(self, store: Store) -> None:
        def change(rows: Rows) -> tuple[int, int]:
            rows.put(b"K%d" % (rows.counter % 3), b"")
            return rows.counter, rows.pool_time_us

        seen = [store.commit(change) for _ in range(20)]
        counters, clocks = zip(*seen, strict=True)
        assert list(counters) == sorted(set(counters))
        assert list(clocks) == sorted(clocks)
        assert clocks[-1] <= store.pool_time_us() <= store.pool_time_us()

    def test_pool_has_its_numbers(self, store: Store) -> None:
        assert len(store.pool_id) == 16
        assert 0 <= store.split_key < 1 << 64

    # ------------------------------------------------------------ threads

    def test_threads_count_without_losing_any(self, store: Store) -> None:
        def increase(rows: Rows) -> None:
            row = get(rows, b"Kcount")
            rows.put(b"Kcount", str(int(row.payload) + 1 if row else 1).encode())

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: store.commit(increase), range(120)))
        assert payloads(store.get_many([b"Kcount"])) == [b"120"]

    def test_threads_put_and_read_at_once(self, store: Store) -> None:
        def work(number: int) -> None:
            data = filled(number * 1571, number)
            blob = put(store, b"K%03d" % number, data)
            row = get(store, b"K%03d" % number)
            assert row is not None
            assert row.extents == blob
            assert bytes(read(store, row.extents)) == data

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(64)))
        rows = store.scan(b"K", b"L", 100)
        got = plain(store.read_many(Blobs.of([row.extents for row in rows])))
        assert got == [filled(number * 1571, number) for number in range(64)]
        assert len({row.counter for row in rows}) == 64


def commit_together(store: Store, changes: Sequence[Callable[[Rows], None]]) -> list[Exception | None]:
    """Commits from a thread each while another change keeps the turn; gives each one's error.

    A store that groups commits serves them all in its next turn.
    """
    results: list[Exception | None] = [None] * len(changes)
    begun, may_end = threading.Event(), threading.Event()

    def keep_the_turn(rows: Rows) -> None:
        begun.set()
        may_end.wait(10)

    def run(number: int) -> None:
        try:
            store.commit(changes[number])
        except Exception as error:  # noqa: BLE001 - the caller looks at it
            results[number] = error

    threads = [threading.Thread(target=store.commit, args=(keep_the_turn,))]
    threads += [threading.Thread(target=run, args=(number,)) for number in range(len(changes))]
    threads[0].start()
    begun.wait(10)
    for thread in threads[1:]:
        thread.start()
    time.sleep(0.05)
    may_end.set()
    for thread in threads:
        thread.join()
    return results
