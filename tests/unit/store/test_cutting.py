"""Cutting a segment into strips: everything is somewhere whole, and nothing is cut in two."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from maruhub.store.format.cutting import cut_into_strips, merge_runs, units_of
from maruhub.store.format.extent import EXTENT_BYTES_MAX
from maruhub.store.format.layout import Layout, StripsLayout
from maruhub.store.format.segment_class import SegmentClass

Run = tuple[int, int, int]

_sizes = st.one_of(st.integers(1, 4095), st.integers(4096, 80_000), st.just(3 << 20))


@st.composite
def segments(draw: st.DrawFn) -> list[Run]:
    """Extents as a log holds them; some objects are dead."""
    runs: list[Run] = []
    at = 4096
    for owner, (size, lives) in enumerate(draw(st.lists(st.tuples(_sizes, st.booleans()), max_size=60))):
        at += -at % 4096 if size >= 4096 else 0
        starts = range(at, at + size, EXTENT_BYTES_MAX) if lives else ()
        runs += [(start, min(start + EXTENT_BYTES_MAX, at + size), owner) for start in starts]
        at += size
    return runs


def _layout(runs: list[Run], data: int) -> Layout:
    total = sum(end - start for start, end, _ in runs)
    cutting = cut_into_strips(units_of(runs, max(1, total // data)), data)
    strips = StripsLayout(data, 1, 4096, cutting.lengths, 0, 0)
    return Layout(1, SegmentClass.RAW, True, 2, 1, 1 << 30, (b"b" * 16,) * data, cutting.ranges, strips)


@settings(max_examples=150, deadline=None)
@given(segments(), st.integers(1, 8))
def test_every_extent_lies_whole_in_one_range(runs: list[Run], data: int):
    layout = _layout(runs, data)
    for start, end, _ in runs:
        part = layout.range_of(start, end - start)
        assert part is not None
        assert part.start <= start
        assert end <= part.start + part.length


@settings(max_examples=150, deadline=None)
@given(segments(), st.integers(1, 8))
def test_places_agree_with_offsets_in_the_page(runs: list[Run], data: int):
    for part in _layout(runs, data).ranges:
        assert part.start % 4096 == part.place % 4096 == part.length % 4096 == 0


@settings(max_examples=100, deadline=None)
@given(segments(), st.integers(1, 8))
def test_files_hold_their_ranges_side_by_side(runs: list[Run], data: int):
    layout = _layout(runs, data)
    assert layout.strips is not None
    for number, length in enumerate(layout.strips.lengths):
        place = 0
        for part in (part for part in layout.ranges if part.file == number):
            assert part.place == place
            place += part.length
        assert place == length


@settings(max_examples=100, deadline=None)
@given(segments(), st.integers(2, 8))
def test_object_that_fits_into_a_strip_lies_in_one(runs: list[Run], data: int):
    layout = _layout(runs, data)
    strip = max(1, sum(end - start for start, end, _ in runs) // data)
    for owner in {owner for _, _, owner in runs}:
        mine = [(start, end) for start, end, o in runs if o == owner]
        if mine[-1][1] - mine[0][0] <= strip:
            parts = [layout.range_of(start, end - start) for start, end in mine]
            assert len({part.file for part in parts if part}) == 1


def test_strips_of_equal_objects_are_nearly_equal():
    runs = [(4096 + n * 53_248, 4096 + n * 53_248 + 50_000, n) for n in range(4000)]
    layout = _layout(runs, 4)
    assert layout.strips is not None
    assert max(layout.strips.lengths) - min(layout.strips.lengths) <= 53_248


def test_only_live_pages_are_taken():
    layout = _layout([(4096, 4196, 1), (1 << 20, (1 << 20) + 4097, 2)], 1)
    assert [(part.start, part.length) for part in layout.ranges] == [(4096, 4096), (1 << 20, 8192)]


def test_nothing_alive_makes_empty_strips():
    layout = _layout([], 4)
    assert layout.ranges == ()
    assert layout.strips is not None
    assert layout.strips.lengths == (0, 0, 0, 0)


def test_runs_merge():
    runs = np.array([(5, 7), (0, 2), (1, 4), (7, 9)], np.int64)
    assert merge_runs(runs).tolist() == [[0, 4], [5, 9]]


def test_shared_bytes_make_one_unit():
    assert units_of([(0, 100, 1), (50, 200, 2), (200, 300, 3)], 1000).tolist() == [[0, 200], [200, 300]]
