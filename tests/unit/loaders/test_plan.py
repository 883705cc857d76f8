"""Steps share the global sequence out, once, whole, the same for every world."""

from __future__ import annotations

import pytest

from maruhub.errors import InvalidInput
from maruhub.loaders.plan import Place, Plan, Step


def test_ranks_take_contiguous_slices_of_a_step() -> None:
    steps = [Plan(100, 4, rank, 3).step(Place(0, 12)) for rank in range(3)]
    assert [(s.start, s.stop) for s in steps] == [(12, 16), (16, 20), (20, 24)]
    assert {s.after for s in steps} == {Place(0, 24)}
    assert {s.number for s in steps} == {1}


def test_the_last_step_is_short_and_leaves_some_ranks_nothing() -> None:
    steps = [Plan(17, 4, rank, 3).step(Place(2, 12)) for rank in range(3)]
    assert [(s.start, s.stop) for s in steps] == [(12, 16), (16, 17), (17, 17)]
    assert {s.after for s in steps} == {Place(3, 0)}


def test_walks_through_epochs_without_empty_steps() -> None:
    assert Plan(5, 2, 1, 2).steps(Place(0, 0), 2) == [
        Step(0, 0, 0, 4, 2, 4, Place(0, 4)),
        Step(1, 0, 0, 4, 2, 4, Place(1, 4)),
    ]


def test_step_numbers_rise_after_an_elastic_resume() -> None:
    numbers = [s.number for s in Plan(100, 7).steps(Place(0, 24), 1)]
    assert numbers == sorted(set(numbers))


def test_nothing_to_do_ends_even_an_endless_walk() -> None:
    assert Plan(0, 4).steps(Place(0, 0), None) == []
    assert Plan(3, 4, 1, 2).steps(Place(0, 0), None) == []


@pytest.mark.parametrize(("batch", "rank", "world"), [(0, 0, 1), (4, 2, 2), (4, -1, 2), (4, 0, 0)])
def test_refuses_impossible_shares(batch: int, rank: int, world: int) -> None:
    with pytest.raises(InvalidInput):
        Plan(10, batch, rank, world)
