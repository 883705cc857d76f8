"""Intervals of what was read merge, cover and survive their coding."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from maruhub.lab.reads import Reads, Span

SIZE = 60
READ = st.tuples(
    st.sampled_from([None, 1, 2]), st.integers(0, 3), st.integers(0, SIZE), st.integers(0, SIZE)
).map(lambda r: (r[0], r[1], min(r[2:]), max(r[2:])))


@settings(max_examples=200, deadline=None)
@given(reads=st.lists(READ, max_size=12), asked=READ)
def test_equals_a_set_of_positions(
    reads: list[tuple[int | None, int, int, int]], asked: tuple[int | None, int, int, int]
) -> None:
    model: set[tuple[int | None, int, int]] = set()
    made = Reads(SIZE)
    for seed, epoch, start, stop in reads:
        made.add(seed, epoch, start, stop)
        model |= {(seed, epoch, p) for p in range(start, stop)}
    for same in (made, Reads(SIZE, made.spans()), made.copy()):
        found = {(s, e, p) for s, e, parts in same.epochs() for a, b in parts for p in range(a, b)}
        assert found == model
        assert same.samples() == len(model)
        assert bool(same) == bool(model)
    for _, _, parts in made.epochs():
        assert all(a < b for a, b in parts)
        assert all(one[1] < two[0] for one, two in pairwise(parts))
    seed, epoch, start, stop = asked
    if start < stop:
        inside = all((seed, epoch, p) in model for p in range(start, stop))
        assert made.covers(seed, epoch, start, stop) == inside


def test_whole_epochs_are_one_span() -> None:
    reads = Reads(100)
    for epoch in range(1000):
        for start in range(0, 100, 10):
            reads.add(7, epoch, start, start + 10)
    assert reads.spans() == [Span(7, 0, 999, 0, 100)]
    assert reads.whole()


def test_claims_ahead_run_into_the_next_epochs() -> None:
    reads = Reads(100)
    reads.add_ahead(7, 2, 90, 150)
    assert reads.spans() == [Span(7, 2, 2, 90, 100), Span(7, 3, 3, 0, 100), Span(7, 4, 4, 0, 40)]


def test_nothing_is_whole_until_it_is() -> None:
    reads = Reads(10, [Span(1, 0, 0, 0, 9), Span(2, 0, 0, 9, 10)])
    assert not reads.whole()
    reads.add(1, 0, 9, 10)
    assert reads.whole()
