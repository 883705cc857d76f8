"""The pure parts of an act: where strips go, and what is copied to where."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maruhub.errors import NoSpace
from maruhub.store.format.cutting import units_of
from maruhub.store.format.extent import EXTENT_DTYPE
from maruhub.store.format.layout import Layout
from maruhub.store.format.segment_class import SegmentClass
from maruhub.store.seal.placement import Scheme, place, place_one, scheme
from maruhub.store.seal.plan import Pieces, make_copying, make_cut, make_pieces, make_units

GIB = 1 << 30


def ids(count: int) -> list[bytes]:
    return [bytes([number]) * 16 for number in range(count)]


@pytest.mark.parametrize(
    ("blades", "wanted"),
    [(1, (1, 0)), (2, (1, 1)), (3, (1, 2)), (4, (2, 2)), (6, (4, 2)), (10, (8, 2)), (30, (8, 2))],
)
def test_scheme(blades: int, wanted: tuple[int, int]) -> None:
    assert scheme(blades) == wanted
    assert scheme(blades).files <= max(blades, 1)


def test_what_a_failed_blade_held_is_spread_over_all_others() -> None:
    rooms = dict.fromkeys(ids(16), 100 * GIB)
    placements = [place(random.Random(n).getrandbits(64), rooms, GIB) for n in range(2000)]
    assert all(len(set(found.blades)) == 10 for found in placements)
    held = Counter(blade for found in placements for blade in found.blades)
    assert max(held.values()) < 1.15 * min(held.values())
    failed = ids(16)[3]
    partners = Counter(
        b for found in placements if failed in found.blades for b in found.blades if b != failed
    )
    assert len(partners) == 15
    assert max(partners.values()) < 1.3 * min(partners.values())
    parity = Counter(blade for found in placements for blade in found.blades[8:])
    assert max(parity.values()) < 1.5 * min(parity.values())


def test_room_counts() -> None:
    big, *small = ids(20)
    rooms = {big: 400 * GIB, **dict.fromkeys(small, 50 * GIB)}
    placements = [place(random.Random(n).getrandbits(64), rooms, GIB) for n in range(500)]
    held = Counter(blade for found in placements for blade in found.blades)
    assert held[big] > 1.5 * max(held[blade] for blade in small)


def test_full_blades_are_left_out_while_as_much_may_be_lost() -> None:
    rooms = dict.fromkeys(ids(6), 10 * GIB) | {ids(6)[0]: 100}
    found = place(7, rooms, GIB)
    assert found.scheme == (3, 2)
    assert ids(6)[0] not in found.blades
    # A strip of one of four doesn't fit where one of three doesn't either.
    tight = {blade: GIB // 4 + n for n, blade in enumerate(ids(6))}
    assert place(7, tight, GIB).scheme == (4, 2)
    with pytest.raises(NoSpace):
        place(7, {blade: room if n < 3 else 0 for n, (blade, room) in enumerate(tight.items())}, GIB)
    with pytest.raises(NoSpace):
        place(7, dict.fromkeys(ids(6)[:2], 10 * GIB) | dict.fromkeys(ids(6)[2:], 0), GIB)
    with pytest.raises(NoSpace):
        place(7, {}, 0)


def test_one_file_goes_where_there_is_room() -> None:
    rooms = dict.fromkeys(ids(3), GIB) | {ids(3)[1]: 10}
    assert {place_one(segment, 0, rooms, GIB) for segment in range(50)} == {ids(3)[0], ids(3)[2]}
    with pytest.raises(NoSpace):
        place_one(1, 0, rooms, 2 * GIB)


def pieces_of(runs: list[tuple[int, int]]) -> Pieces:
    extents = np.array([(9, start, end - start, 0, 0) for start, end in runs], EXTENT_DTYPE)
    return make_pieces(extents, [])


RUNS = st.lists(
    st.tuples(st.integers(4096, 90_000), st.integers(1, 9000)), min_size=1, max_size=40, unique=True
)


@settings(max_examples=200, deadline=None)
@given(RUNS, st.integers(1, 8))
def test_every_byte_that_lives_is_where_its_range_says(runs: list[tuple[int, int]], data: int) -> None:
    segment = random.Random(1).randbytes(100_000)
    pieces = pieces_of([(start, start + size) for start, size in runs])
    owners = np.arange(len(runs))
    cut = make_cut(pieces, owners, Scheme(data, 2))
    copying = make_copying(pieces, cut)
    files = [bytearray(length) for length in cut.lengths[:data]]
    for file, at, length, piece, skip in zip(*(column.tolist() for column in copying), strict=True):
        start = int(pieces.start[piece]) + skip
        assert at + length <= len(files[file])
        files[file][at : at + length] = segment[start : start + length]
    layout = Layout(9, SegmentClass.RAW, True, 1, 1, 100_000, (), cut.ranges)
    for start, size in runs:
        part = layout.range_of(start, size)
        assert part is not None
        at = part.place - cut.data_at + start - part.start
        assert files[part.file][at : at + size] == segment[start : start + size]


@settings(max_examples=200, deadline=None)
@given(RUNS, st.integers(1, 30_000), st.integers(1, 5))
def test_units_at_once_are_those_one_by_one(runs: list[tuple[int, int]], strip: int, owners: int) -> None:
    pieces = pieces_of([(start, start + size) for start, size in runs])
    numbers = np.arange(len(runs)) % owners
    slowly = units_of(
        [(start, end, numbers[n]) for start, end, n in zip(*(c.tolist() for c in pieces), strict=True)], strip
    )
    assert make_units(pieces, numbers, strip).tolist() == slowly.tolist()
