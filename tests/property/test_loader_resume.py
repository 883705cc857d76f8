"""Resume is exact: stop anywhere, go on with any world, batch size and prefetch."""

from __future__ import annotations

import json
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maruhub.loaders import Batches
from maruhub.loaders.ahead import Window
from maruhub.loaders.plan import Place, Plan
from tests.unit.loaders.sources import BlankStore, SyntheticSource

WORLDS = (1, 2, 3, 5, 8)
SIZE = 157
SEED = 9

pytestmark = pytest.mark.property


class Job:
    """All ranks of one training, stepping together."""

    def __init__(self, world: int, batch_size: int, *, size: int, prefetch: int = 0) -> None:
        source, store = SyntheticSource(size), BlankStore(size_bytes=1)
        window = Window(chunk_samples=3 * batch_size, piece_extents=5)
        self.ranks = [
            Batches(
                source, store, batch_size, seed=SEED, rank=r, world=world, prefetch=prefetch, window=window
            )
            for r in range(world)
        ]

    def load(self, state: dict[str, Any]) -> None:
        for rank in self.ranks:
            rank.load_state_dict(json.loads(json.dumps(state)))

    def run(self, steps: int | None = None) -> list[str]:
        """Ids of whole steps in the global order, to the epoch's end or for some steps."""
        got: list[str] = []
        while steps is None or steps > 0:
            parts = [next(rank, None) for rank in self.ranks]
            got += [i for part in parts if part is not None for i in part.ids]
            if parts[0] is None:
                break
            steps = None if steps is None else steps - 1
        return got

    def state(self) -> dict[str, Any]:
        states = [rank.state_dict() for rank in self.ranks]
        assert all(state == states[0] for state in states)
        return states[0]


def whole_epoch(size: int) -> list[str]:
    return Job(1, 1, size=size).run()


@pytest.mark.parametrize("prefetch", [0, 100])
@pytest.mark.parametrize("before", WORLDS)
def test_every_world_resumes_in_every_world(before: int, prefetch: int) -> None:
    expected = whole_epoch(SIZE)
    assert sorted(expected) == sorted(f"s/{i}" for i in range(SIZE))
    for after, (first, second), stop in product(WORLDS, [(4, 4), (4, 7), (10, 3)], (0, 1, 2, 3)):
        job = Job(before, first, size=SIZE, prefetch=prefetch)
        got = job.run(stop)
        resumed = Job(after, second, size=SIZE, prefetch=prefetch)
        resumed.load(job.state())
        assert got + (resumed.run() if len(got) < SIZE else []) == expected
        for rank in job.ranks:
            rank.close()


@settings(max_examples=60, deadline=None)
@given(
    size=st.integers(1, 300),
    legs=st.lists(st.tuples(st.sampled_from(WORLDS), st.integers(1, 40), st.integers(0, 6)), max_size=5),
)
def test_any_number_of_stops_gives_the_uninterrupted_epoch(
    size: int, legs: list[tuple[int, int, int]]
) -> None:
    got: list[str] = []
    state: dict[str, Any] | None = None
    for world, batch_size, steps in [*legs, (1, 16, 10**6)]:
        job = Job(world, batch_size, size=size)
        if state is not None:
            job.load(state)
        while steps and len(got) < size:
            got += job.run(1)
            steps -= 1
        state = job.state()
    assert got == whole_epoch(size)
    assert state is not None
    assert (state["epoch"], state["position"]) == (1, 0)


@settings(max_examples=150, deadline=None)
@given(
    size=st.integers(0, 10_000),
    batch_size=st.integers(1, 500),
    world=st.integers(1, 17),
    position=st.integers(0, 10_000),
)
def test_a_plan_covers_what_is_left_once(size: int, batch_size: int, world: int, position: int) -> None:
    position = min(position, max(0, size - 1))
    shares = []
    for rank in range(world):
        plan = Plan(size, batch_size, rank, world)
        steps = plan.steps(Place(0, position), 1)
        assert all(0 < s.stop - s.start <= batch_size for s in steps)
        assert all(s.stop - s.start == batch_size for s in steps[:-1])
        shares += [(s.start, s.stop) for s in steps]
    shares.sort()
    assert [a for a, _ in shares] == [position, *(b for _, b in shares)][: len(shares)]
    assert (shares[-1][1] if shares else position) == size
