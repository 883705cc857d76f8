"""Replay's rules: which batches are void, which a checkpoint covers, and what records do."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from maruhub.index.protocol import AFTER_ALL
from maruhub.store.commit.apply import apply_newer
from maruhub.store.format.batch import CHECKPOINT, CHECKPOINT_END, BatchHead
from maruhub.store.format.extent import Extent
from maruhub.store.format.keys import layout_key, open_key
from maruhub.store.format.layout import Layout, encode_layout
from maruhub.store.format.liveness import reference_keys
from maruhub.store.format.row import Row, encode_row
from maruhub.store.format.segment_class import SegmentClass
from maruhub.store.recover import checkpoint, recovery
from maruhub.store.recover.checkpoint import Checkpoint
from maruhub.testing.memory_index import MemoryIndex


def head(first: int, last: int, after: int, flags: int = 0) -> BatchHead:
    return BatchHead(100, 4096, 0, 1, 1, first, last, after, 0, flags)


def test_a_line_of_turns_counts_whole():
    assert recovery._without_void([head(1, 3, 0), head(4, 4, 3), head(9, 12, 4)]) == {1, 4, 9}
    assert recovery._without_void([]) == set()


def test_a_batch_that_the_next_turn_passed_over_is_void():
    line = [head(1, 3, 0), head(4, 6, 3), head(7, 8, 3)]
    assert recovery._without_void(line) == {1, 7}


def test_a_void_batch_makes_nothing_void():
    """7 passed over 5, but 9 went on from 5: so 7 was never acknowledged, and 5 stands."""
    line = [head(4, 4, 0), head(5, 6, 4), head(7, 8, 4), head(9, 10, 6)]
    assert recovery._without_void(line) == {4, 5, 9}


def test_the_last_batch_counts_though_nobody_follows():
    assert recovery._without_void([head(1, 1, 0), head(8, 8, 1)]) == {1, 8}


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(1, 4)), max_size=30))
def test_void_are_just_those_that_writers_died_in(turns: list[tuple[bool, bool, int]]):
    """Each turn draws above all drawn; one whose writer died is seen by the next, or passed over."""
    heads, expected = [], set()
    known = drawn = 0
    for number, (died, recovered, count) in enumerate(turns):
        made = head(drawn + 1, drawn + count, known)
        heads.append(made)
        drawn += count
        if not died or recovered or number == len(turns) - 1:
            expected.add(made.first)
            known = made.last
    assert recovery._without_void(heads) == expected


def test_a_checkpoint_is_complete_with_all_its_parts():
    made = Checkpoint(began_after=10, parts=2, rows=5)
    end = head(20, 20, 19, CHECKPOINT | CHECKPOINT_END)
    parts = [head(11, 11, 10, CHECKPOINT), head(14, 14, 13, CHECKPOINT)]
    assert checkpoint.is_complete(made, end, [head(9, 10, 8), *parts, head(15, 15, 14), end])
    assert not checkpoint.is_complete(made, end, parts[:1])
    assert not checkpoint.is_complete(made, end, [*parts[:1], head(14, 14, 13)])
    assert not checkpoint.is_complete(made, end, [*parts[:1], head(9, 9, 8, CHECKPOINT)])
    assert not checkpoint.is_complete(made, end, [*parts[:1], end])
    assert checkpoint.is_covered(made, head(9, 10, 8))
    assert not checkpoint.is_covered(made, head(10, 11, 9))


def test_a_later_checkpoint_that_was_never_finished_hides_no_earlier_one():
    made = Checkpoint(began_after=10, parts=1, rows=5)
    end = head(20, 20, 19, CHECKPOINT | CHECKPOINT_END)
    unfinished = [head(25, 25, 24, CHECKPOINT), head(26, 26, 25, CHECKPOINT)]
    assert checkpoint.is_complete(made, end, [head(11, 11, 10, CHECKPOINT), end, *unfinished])


# ------------------------------------------------------------ records

SEGMENTS = (3, 5, 8)
extents = st.lists(
    st.builds(Extent, st.sampled_from(SEGMENTS), st.sampled_from([4096, 8192]), st.just(9), st.just(1)),
    max_size=3,
)
changes = st.lists(
    st.tuples(
        st.sampled_from([b"Ka", b"Kb", b"M" * 600]),
        st.booleans(),
        extents,
        st.lists(st.sampled_from(SEGMENTS), max_size=2),
    ),
    max_size=25,
)


def row_of(counter: int, change) -> tuple[bytes, bytes]:
    key, gone, extents, segments = change
    payload = None if gone else b"%d" % counter
    if gone:
        extents, segments = [], []
    return key, encode_row(payload, counter=counter, time_us=0, extents=extents, segments=segments)


def everything(index: MemoryIndex) -> dict[bytes, bytes]:
    return dict(index.scan(b"", AFTER_ALL, 100_000))


def from_scratch(records: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Rows by the highest counter, and the reference rows that follow from them."""
    rows: dict[bytes, Row] = {}
    for key, raw in records:
        row = Row(key, raw)
        if key not in rows or row.counter >= rows[key].counter:
            rows[key] = row
    wanted = {}
    for key, row in rows.items():
        if not row.gone:
            wanted[key] = row.raw
            wanted.update(dict.fromkeys(reference_keys(row), key))
    return wanted


@given(changes, st.lists(st.integers(1, 5), max_size=25))
def test_reference_rows_are_those_that_the_rows_give(made, sizes: list[int]):
    records = [row_of(counter, change) for counter, change in enumerate(made, 1)]
    index = MemoryIndex()
    left = list(records)
    for size in [*sizes, len(records)]:
        with index.write() as txn:
            apply_newer(txn, left[:size])
        left = left[size:]
    assert everything(index) == from_scratch(records)


@given(changes, st.integers(0, 1000))
def test_replaying_twice_changes_nothing(made, seed: int):
    records = [row_of(counter, change) for counter, change in enumerate(made, 1)]
    index = MemoryIndex()
    with index.write() as txn:
        apply_newer(txn, records)
    once = everything(index)
    again = [record for record in records if record[0] in once or Row(*record).gone]
    some = random.Random(seed).sample(again, len(again) // 2)
    held = {key for key, _ in some if key in once}
    with index.write() as txn:
        apply_newer(txn, [record for record in some if record[0] in held])
    assert everything(index) == once


def test_reference_rows_are_frozen():
    raw = encode_row(b"", counter=1, time_us=0, extents=[Extent(1, 2, 3, 4)] * 2, segments=[9, 9])
    owner = bytes.fromhex("199a08b022b015c4")
    assert sorted(reference_keys(Row(b"Ka", raw))) == [
        b"\1R" + (1).to_bytes(8, "big") + (2).to_bytes(8, "big") + owner,
        b"\1S" + (9).to_bytes(8, "big") + owner,
    ]
    assert reference_keys(Row(b"Ka", encode_row(b"", counter=1, time_us=0))) == []


def test_an_open_segment_is_marked_until_it_closes():
    index = MemoryIndex()
    for counter, closed in enumerate((False, False, True), 1):
        layout = Layout(7, SegmentClass.RAW, closed, 1, 1, 4096, (b"a" * 16,))
        with index.write() as txn:
            apply_newer(txn, [(layout_key(7), encode_row(encode_layout(layout), counter=counter, time_us=0))])
        assert index.get_many([open_key(7)]) == [None if closed else b""]
