"""Resume is exact: stop anywhere, go on with any world, batch size and prefetch."""

from __future__ import annotations

import json
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maruhub.errors import StateMismatch
from maruhub.loaders import Batches, orders
from maruhub.loaders.ahead import Window
from maruhub.loaders.plan import Place, Plan
from tests.unit.loaders.sources import BlankStore, SyntheticSource

WORLDS = (1, 2, 3, 5, 8)
SIZE = 157
SEED = 9
ORDERS: dict[str, dict[str, Any]] = {
    "shuffled": {},
    "sequential": {"shuffle": False},
    "blocks": {"order": orders.Blocks(rows=4, window=3)},
    "balanced": {"order": orders.Balanced("label")},
    "weighted": {"order": orders.Weighted("label")},
    "curriculum": {"order": orders.Curriculum("label", stages=3)},
    "mixed": {"order": orders.Mixed((2,))},
    "samples": {"samples_per_epoch": 100},
    "blocks, samples": {"order": orders.Blocks(rows=4, window=3), "samples_per_epoch": 400},
}
ONCE = ("shuffled", "sequential", "blocks", "curriculum")

pytestmark = pytest.mark.property


class Job:
    """All ranks of one training, stepping together."""

    def __init__(self, world: int, batch_size: int, *, size: int, prefetch: int = 0, **options: Any) -> None:
        source, store = SyntheticSource(size), BlankStore(size_bytes=1)
        window = Window(chunk_samples=3 * batch_size, piece_extents=5)
        self.ranks = [
            Batches(
                source,
                store,
                batch_size,
                **{
                    "seed": SEED,
                    "rank": r,
                    "world": world,
                    "prefetch": prefetch,
                    "window": window,
                    **options,
                },
            )
            for r in range(world)
        ]

    def load(self, state: dict[str, Any]) -> None:
        for rank in self.ranks:
            rank.load_state_dict(json.loads(json.dumps(state)))

    def run(self, steps: int | None = None) -> list[str]:
        """Ids of whole steps in the global order, to the epoch's end or for some steps."""
        got: list[str] = []
        for rank in self.ranks:
            iter(rank)
        while steps is None or steps > 0:
            parts = [next(rank, None) for rank in self.ranks]
            got += [i for part in parts if part is not None for i in part.ids[: len(part) - part.padding]]
            if parts[0] is None:
                break
            steps = None if steps is None else steps - 1
        return got

    def state(self) -> dict[str, Any]:
        states = [rank.state_dict() for rank in self.ranks]
        assert all(state == states[0] for state in states)
        return states[0]


def whole_epoch(size: int, **options: Any) -> list[str]:
    return Job(1, 1, size=size, **options).run()


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


@pytest.mark.parametrize("order", ORDERS)
def test_every_order_is_the_same_for_every_world_and_resumes_anywhere(order: str) -> None:
    options = ORDERS[order]
    epochs = [whole_epoch(SIZE, **options)]
    following = Job(1, 1, size=SIZE, **options)
    following.run()
    epochs.append(following.run())
    if order in ONCE:
        assert all(sorted(epoch) == sorted(f"s/{i}" for i in range(SIZE)) for epoch in epochs)
    for before, after, stop in product(WORLDS, WORLDS, (0, 1, 3, 5)):
        job = Job(before, 5, size=SIZE, **options)
        got = job.run(stop)
        resumed = Job(after, 3, size=SIZE, prefetch=100 * (stop == 3), **options)
        resumed.load(job.state())
        if resumed.state()["epoch"] == 0:
            got += resumed.run()
        assert got == epochs[0]
        assert resumed.run(2) == epochs[1][: 2 * 3 * after]
        for rank in resumed.ranks:
            rank.close()


@pytest.mark.parametrize("remainder", ["drop", "pad"])
def test_a_remainder_keeps_ranks_in_step_and_the_order_as_it_is(remainder: str) -> None:
    expected = whole_epoch(SIZE)
    for before, after, stop in product(WORLDS, WORLDS, (0, 1, 2, 3)):
        job = Job(before, 5, size=SIZE, remainder=remainder)
        got = job.run(stop)
        resumed = Job(after, 4, size=SIZE, remainder=remainder)
        resumed.load(job.state())
        left = SIZE - len(got) if resumed.state()["epoch"] == 0 else 0
        steps = left // (4 * after) if remainder == "drop" else -(-left // (4 * after))
        parts = [list(rank) for rank in resumed.ranks] if left else [[]] * after
        assert {len(part) for part in parts} == {steps}
        assert all(len(batch) == 4 for part in parts for batch in part)
        got += [
            i
            for step in zip(*parts, strict=True)
            for batch in step
            for i in batch.ids[: len(batch) - batch.padding]
        ]
        assert got == (expected[: len(got)] if remainder == "drop" else expected)
        padding = [i for part in parts for batch in part for i in batch.ids[len(batch) - batch.padding :]]
        assert padding == (expected * after)[: len(padding)]
        resumed_states = {
            (rank.state_dict()["epoch"], rank.state_dict()["position"]) for rank in resumed.ranks
        }
        assert resumed_states == {(1, 0)}


def test_a_state_of_another_order_is_refused_once_it_matters() -> None:
    for name, options in ORDERS.items():
        job = Job(1, 5, size=SIZE, **options)
        begun = job.state()
        job.run(1)
        for other, others in ORDERS.items():
            loader = Job(1, 5, size=SIZE, **others)
            loader.load(begun)
            if other == name:
                loader.load(job.state())
                continue
            with pytest.raises(StateMismatch, match=r"order.*this loader has"):
                loader.load(job.state())


def test_a_plain_state_is_one_that_older_releases_read() -> None:
    assert Job(1, 5, size=SIZE).state()["format"] == 1
    told = Job(1, 5, size=SIZE, **ORDERS["blocks, samples"]).state()
    assert told["format"] == 2
    assert told["order"] == {"kind": "blocks", "rows": 4, "window": 3, "samples": 400}


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
