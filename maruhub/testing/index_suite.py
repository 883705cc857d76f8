"""The contract of ``Index`` as tests that any engine's author can run.

Subclass ``IndexSuite`` and give ``make_index``; pytest collects the rest::

    class TestMine(IndexSuite):
        def make_index(self, folder: Path) -> Index:
            return MyIndex(folder)

``IndexMachine`` compares an engine with ``MemoryIndex`` over any sequence of calls.
"""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Iterator
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from maruhub.errors import InvalidInput, Unavailable
from maruhub.index.protocol import AFTER_ALL, KEY_BYTES_MAX, Index, IndexTxn
from maruhub.testing.memory_index import MemoryIndex


class Planned(Exception):
    """What a test raises to leave a transaction."""


def awkward_keys() -> list[bytes]:
    """Keys around every length at which an engine may change its way of storing them."""
    keys = {bytes([byte]) for byte in (0, 1, 0x7F, 0x80, 0xFE, 0xFF)}
    for length in (2, 254, 255, 256, 509, 510, 511, 512, 513, 1011, 1012, 1013, 1014, 1024, 2048, 4095, 4096):
        for fill in (b"\0", b"a", b"\xff"):
            for last in (b"", b"\0", b"\1", b"a", b"\xff"):
                keys.add((fill * length)[: length - len(last)] + last)
    return sorted(keys)


def put(index: Index, *items: tuple[bytes, bytes]) -> None:
    """Set items in a transaction of their own."""
    with index.write() as txn:
        txn.put_many(items)


class IndexSuite:
    """What every index does. Each test gets an empty one as ``index``."""

    def make_index(self, folder: Path) -> Index:
        """Open the index that is kept under ``folder``, made if there is none."""
        raise NotImplementedError

    @pytest.fixture
    def index(self, tmp_path: Path) -> Iterator[Index]:
        """An empty index."""
        made = self.make_index(tmp_path / "index")
        yield made
        made.close()

    def test_empty_holds_nothing(self, index: Index) -> None:
        assert index.get_many([b"a", b"a"]) == [None, None]
        assert index.get_many([]) == []
        assert index.scan(b"", AFTER_ALL, 10) == []
        assert index.scan(b"", AFTER_ALL, 10, reverse=True) == []

    def test_values_come_in_the_order_asked(self, index: Index) -> None:
        put(index, (b"a", b"1"), (b"b", b""), (b"c", bytes(100_000)))
        assert index.get_many([b"c", b"x", b"a", b"b", b"a"]) == [bytes(100_000), None, b"1", b"", b"1"]
        assert all(type(value) is bytes for value in index.get_many([b"a", b"b", b"c"]))

    def test_last_value_of_a_key_given_twice_stays(self, index: Index) -> None:
        put(index, (b"a", b"1"), (b"long" * 300, b"1"), (b"a", b"2"), (b"long" * 300, b"2"))
        assert index.get_many([b"a", b"long" * 300]) == [b"2", b"2"]

    def test_remove_passes_over_what_is_not_held(self, index: Index) -> None:
        put(index, (b"a", b"1"), (b"b", b"2"))
        with index.write() as txn:
            txn.remove_many([b"x", b"a", b"a", b"l" * 2000])
        assert index.scan(b"", AFTER_ALL, 9) == [(b"b", b"2")]

    def test_scan_is_half_open_and_limited(self, index: Index) -> None:
        put(index, *[(bytes([byte]), b"v") for byte in b"abcde"])
        assert [key for key, _ in index.scan(b"b", b"d", 9)] == [b"b", b"c"]
        assert [key for key, _ in index.scan(b"b", b"d", 9, reverse=True)] == [b"c", b"b"]
        assert [key for key, _ in index.scan(b"", AFTER_ALL, 2)] == [b"a", b"b"]
        assert [key for key, _ in index.scan(b"", AFTER_ALL, 2, reverse=True)] == [b"e", b"d"]
        assert index.scan(b"a", b"e", 0) == index.scan(b"d", b"b", 9) == index.scan(b"b", b"b", 9) == []
        assert index.scan(b"", b"", 9) == []

    def test_order_is_byte_order_at_every_length(self, index: Index) -> None:
        keys = awkward_keys()
        shuffled = random.Random(1).sample(keys, len(keys))
        put(index, *[(key, str(len(key)).encode()) for key in shuffled])
        assert [key for key, _ in index.scan(b"", AFTER_ALL, 10_000)] == keys
        assert [key for key, _ in index.scan(b"", AFTER_ALL, 10_000, reverse=True)] == keys[::-1]
        assert index.get_many(keys) == [str(len(key)).encode() for key in keys]
        paged, start = [], b""
        while page := index.scan(start, AFTER_ALL, 7):
            paged += [key for key, _ in page]
            start = page[-1][0] + b"\0"
        assert paged == keys

    def test_scans_begin_and_end_at_awkward_keys(self, index: Index) -> None:
        keys = awkward_keys()
        put(index, *[(key, b"v") for key in keys[::2]])
        model = MemoryIndex()
        put(model, *[(key, b"v") for key in keys[::2]])
        chance = random.Random(2)
        for _ in range(300):
            start, stop = sorted(chance.sample(keys, 2))
            for reverse in (False, True):
                limit = chance.choice([1, 3, 1000])
                expected = model.scan(start, stop, limit, reverse=reverse)
                assert index.scan(start, stop, limit, reverse=reverse) == expected

    def test_removing_all_long_keys_leaves_the_short(self, index: Index) -> None:
        keys = awkward_keys()
        put(index, *[(key, b"v") for key in keys])
        with index.write() as txn:
            txn.remove_many([key for key in keys if len(key) > 300])
        short = [key for key in keys if len(key) <= 300]
        assert [key for key, _ in index.scan(b"", AFTER_ALL, 10_000)] == short
        put(index, (keys[-1], b"again"))
        assert index.get_many([keys[-1]]) == [b"again"]

    @pytest.mark.parametrize("key", [b"", bytes(KEY_BYTES_MAX + 1)], ids=["empty", "too long"])
    def test_bad_keys_are_refused_and_change_nothing(self, index: Index, key: bytes) -> None:
        with pytest.raises(InvalidInput):
            index.get_many([b"a", key])
        with index.write() as txn:
            txn.put_many([(b"before", b"1")])
            with pytest.raises(InvalidInput):
                txn.put_many([(b"with", b"1"), (key, b"2")])
            with pytest.raises(InvalidInput):
                txn.remove_many([b"before", key])
            with pytest.raises(InvalidInput):
                txn.get_many([key])
        assert index.scan(b"", AFTER_ALL, 9) == [(b"before", b"1")]

    def test_negative_limit_is_refused(self, index: Index) -> None:
        with pytest.raises(InvalidInput):
            index.scan(b"", AFTER_ALL, -1)

    def test_transaction_sees_its_own_writes_and_nobody_else_does(self, index: Index) -> None:
        put(index, (b"a", b"1"), (b"b", b"2"))
        with index.write() as txn:
            txn.put_many([(b"a", b"new"), (b"c", b"3"), (b"d" * 3000, b"4")])
            txn.remove_many([b"b"])
            inside = [(b"a", b"new"), (b"c", b"3"), (b"d" * 3000, b"4")]
            assert txn.scan(b"", AFTER_ALL, 9) == inside
            assert txn.scan(b"", AFTER_ALL, 9, reverse=True) == inside[::-1]
            assert txn.get_many([b"a", b"b", b"d" * 3000]) == [b"new", None, b"4"]
            assert index.scan(b"", AFTER_ALL, 9) == [(b"a", b"1"), (b"b", b"2")]
        assert index.scan(b"", AFTER_ALL, 9) == inside

    def test_exception_undoes_the_transaction(self, index: Index) -> None:
        put(index, (b"a", b"1"))

        def fail() -> None:
            with index.write() as txn:
                txn.put_many([(b"a", b"2"), (b"l" * 1000, b"2")])
                raise Planned

        with pytest.raises(Planned):
            fail()
        assert index.scan(b"", AFTER_ALL, 9) == [(b"a", b"1")]
        put(index, (b"b", b"2"))

    def test_writers_wait_for_each_other(self, index: Index) -> None:
        def add(times: int) -> None:
            for _ in range(times):
                with index.write() as txn:
                    (value,) = txn.get_many([b"count"])
                    txn.put_many([(b"count", str(int(value or b"0") + 1).encode())])

        threads = [threading.Thread(target=add, args=(25,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert index.get_many([b"count"]) == [b"100"]

    def test_reader_sees_one_moment(self, index: Index) -> None:
        keys = [b"k%03d" % number for number in range(200)] + [b"l" * 600]
        put(index, *[(key, b"0") for key in keys])
        stop = threading.Event()

        def write() -> None:
            turn = 0
            while not stop.is_set():
                turn += 1
                put(index, *[(key, str(turn).encode()) for key in keys])

        writer = threading.Thread(target=write)
        writer.start()
        try:
            for _ in range(50):
                assert len(set(index.get_many(keys))) == 1
                assert len({value for _, value in index.scan(b"", AFTER_ALL, 1000)}) == 1
        finally:
            stop.set()
            writer.join()

    def test_clear_leaves_nothing_and_goes_on(self, index: Index) -> None:
        put(index, *[(key, b"v") for key in awkward_keys()])
        index.clear()
        assert index.scan(b"", AFTER_ALL, 9) == []
        assert index.get_many([b"a", b"a" * 4096]) == [None, None]
        put(index, (b"a" * 4096, b"v"))
        assert index.scan(b"", AFTER_ALL, 9) == [(b"a" * 4096, b"v")]

    def test_identity_stays_while_contents_change(self, index: Index) -> None:
        before = index.identity()
        put(index, (b"a", b"1"))
        index.clear()
        assert index.identity() == before != ""

    def test_closed_index_says_so(self, index: Index) -> None:
        index.close()
        index.close()
        with pytest.raises(Unavailable):
            index.get_many([b"a"])
        with pytest.raises(Unavailable):
            index.scan(b"", AFTER_ALL, 1)
        with pytest.raises(Unavailable):
            put(index, (b"a", b"1"))

    def test_it_is_not_picklable(self, index: Index) -> None:
        with pytest.raises(TypeError):
            ForkingPickler.dumps(index)


class PersistentIndexSuite(IndexSuite):
    """What an index that outlives its process does besides."""

    def test_contents_and_identity_stay_over_close(self, index: Index, tmp_path: Path) -> None:
        put(index, (b"a", b"1"), (b"l" * 700, b"2"))
        identity = index.identity()
        index.close()
        again = self.make_index(tmp_path / "index")
        assert again.scan(b"", AFTER_ALL, 9) == [(b"a", b"1"), (b"l" * 700, b"2")]
        assert again.identity() == identity
        again.close()

    def test_two_handles_are_one_index(self, index: Index, tmp_path: Path) -> None:
        other = self.make_index(tmp_path / "index")
        put(index, (b"a", b"1"))
        assert other.get_many([b"a"]) == [b"1"]
        other.close()
        assert index.get_many([b"a"]) == [b"1"]


FRAGMENTS = st.sampled_from(
    [b"", b"\0", b"\1", b"a", b"\xff", b"a" * 500, b"a" * 510, b"\xff" * 502, b"\0" * 511]
)
"""Long keys are joined from few pieces, so that they share heads."""

KEYS = st.one_of(
    st.lists(FRAGMENTS, max_size=7).map(b"".join),
    st.binary(max_size=3),
).filter(lambda key: 0 < len(key) <= KEY_BYTES_MAX)

BOUNDS = st.one_of(KEYS, st.just(b""), st.just(AFTER_ALL))


class IndexMachine(RuleBasedStateMachine):
    """Any calls, the same answers as ``MemoryIndex``. Set ``make_index`` in a subclass."""

    def __init__(self) -> None:
        super().__init__()
        self.index = self.make_index()
        self.model = MemoryIndex()

    def make_index(self) -> Index:
        """An empty index of the engine under test."""
        raise NotImplementedError

    def again(self) -> None:
        """Close and open the index, where the engine can."""

    @rule(items=st.lists(st.tuples(KEYS, st.binary(max_size=4)), max_size=12))
    def put(self, items: list[tuple[bytes, bytes]]) -> None:
        for index in self._both():
            put(index, *items)

    @rule(keys=st.lists(KEYS, max_size=12), data=st.data())
    def remove(self, keys: list[bytes], data: st.DataObject) -> None:
        held = [key for key, _ in self.model.scan(b"", AFTER_ALL, 1000)]
        if held:
            keys = keys + data.draw(st.lists(st.sampled_from(held), max_size=12))
        for index in self._both():
            with index.write() as txn:
                txn.remove_many(keys)

    @rule(items=st.lists(st.tuples(KEYS, st.binary(max_size=4)), max_size=6), keys=st.lists(KEYS, max_size=6))
    def give_up(self, items: list[tuple[bytes, bytes]], keys: list[bytes]) -> None:
        seen: list[Any] = []
        for index in self._both():
            with contextlib.suppress(Planned), index.write() as txn:
                txn.put_many(items)
                txn.remove_many(keys)
                seen.append(self._look(txn, [key for key, _ in items]))
                raise Planned
        assert seen[0] == seen[1]

    def _look(self, txn: IndexTxn, keys: list[bytes]) -> object:
        return txn.get_many(keys), txn.scan(b"", AFTER_ALL, 50), txn.scan(b"", AFTER_ALL, 50, reverse=True)

    @rule(start=BOUNDS, stop=BOUNDS, limit=st.integers(0, 20), reverse=st.booleans())
    def scan(self, start: bytes, stop: bytes, limit: int, reverse: bool) -> None:
        mine, models = (index.scan(start, stop, limit, reverse=reverse) for index in self._both())
        assert mine == models

    @rule(keys=st.lists(KEYS, max_size=12))
    def get(self, keys: list[bytes]) -> None:
        assert self.index.get_many(keys) == self.model.get_many(keys)

    @rule()
    def reopen(self) -> None:
        self.again()

    @invariant()
    def all_is_equal(self) -> None:
        expected = self.model.scan(b"", AFTER_ALL, 10_000)
        assert self.index.scan(b"", AFTER_ALL, 10_000) == expected
        assert self.index.scan(b"", AFTER_ALL, 10_000, reverse=True) == expected[::-1]

    def teardown(self) -> None:
        self.index.close()

    def _both(self) -> tuple[Index, Index]:
        return self.index, self.model
