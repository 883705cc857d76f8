"""What uneven blades can take, against trying every way; and how much is kept in reserve."""

from __future__ import annotations

import functools
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maruhub.store.capacity import reserve_bytes, usable_bytes

GIB = 1 << 30


@functools.cache
def most_segments(sizes: tuple[int, ...], files: int) -> int:
    """How many segments of ``files`` files of one unit fit: every choice of blades is tried."""
    best = 0
    for chosen in itertools.combinations(range(len(sizes)), files):
        if all(sizes[i] for i in chosen):
            left = tuple(sorted(size - (i in chosen) for i, size in enumerate(sizes)))
            best = max(best, 1 + most_segments(left, files))
    return best


@given(st.lists(st.integers(0, 5), min_size=1, max_size=5), st.integers(1, 3), st.integers(0, 2))
def test_it_is_what_the_best_of_all_ways_to_place_files_gives(sizes: list[int], k: int, m: int) -> None:
    assert usable_bytes(sizes, k, m) == k * most_segments(tuple(sorted(sizes)), k + m)


@pytest.mark.parametrize(
    ("sizes", "k", "m", "usable"),
    [
        ([100], 1, 0, 100),
        ([100, 40], 1, 1, 40),
        ([100, 100, 100], 1, 2, 100),
        ([100] * 6, 4, 2, 400),
        # The big one can't take two files of a segment: most of it lies idle.
        ([1000, 100, 100, 100, 100, 100], 4, 2, 400),
        ([100, 100], 4, 2, 0),
        ([], 1, 0, 0),
    ],
)
def test_known_pools(sizes: list[int], k: int, m: int, usable: int) -> None:
    assert usable_bytes(sizes, k, m) == usable


def test_it_is_never_more_than_the_sum_and_says_so_at_once_for_large_drives() -> None:
    sizes = [20_000 * GIB, 18_000 * GIB, 4_000 * GIB, 4_000 * GIB]
    usable = usable_bytes(sizes, 2, 2)
    assert usable == 8_000 * GIB
    assert usable < sum(sizes) * 2 // 4


@pytest.mark.parametrize(
    ("total", "segment", "reserve"),
    [
        (10_000 * GIB, GIB // 4, GIB),
        (25 * GIB, GIB // 4, GIB // 2),
        (5 * GIB, GIB // 4, GIB // 4),
        (GIB, GIB // 4, GIB // 10),
        (0, GIB // 4, 0),
    ],
)
def test_the_reserve_is_two_percent_of_one_to_four_segments_and_small_on_small_drives(
    total: int, segment: int, reserve: int
) -> None:
    assert reserve_bytes(total, segment) == reserve
