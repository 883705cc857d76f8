"""The chain of frameworks that read one epoch: its legs meet, and the hub's own loader goes through it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import maruhub
from maruhub.adapters.steps import Steps
from tests.frameworks.elastic import CHAIN, Share, check_leg, check_worlds, state_at
from tests.frameworks.samples import SAMPLES, commit_samples, number_of


@pytest.fixture(scope="module")
def view(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder: Path = tmp_path_factory.mktemp("chain")
    with maruhub.create(folder / "hub", blades=1) as hub:
        yield commit_samples(hub, "digits", SAMPLES)


def by_loader(view: Any, share: Share) -> tuple[list[list[int]], dict[str, Any]]:
    batches = view.batches(share.batch_size, seed=7, rank=share.rank, world=share.world)
    batches.load_state_dict(share.state)
    got = [[number_of(blob) for blob in batch.blobs] for batch in itertools.islice(batches, share.steps)]
    return got, batches.state_dict()


def by_steps(view: Any, share: Share) -> tuple[list[list[int]], dict[str, Any]]:
    steps = Steps(view, share.batch_size, seed=7, rank=share.rank, world=share.world, state=share.state)
    count = len(steps) if share.steps is None else min(share.steps, len(steps))
    return [[number_of(blob) for blob in steps.read(i).blobs] for i in range(count)], steps.state_after(count)


def test_its_legs_meet_and_cover_an_epoch() -> None:
    assert [leg.before for leg in CHAIN] == [0, *(leg.after for leg in CHAIN[:-1])]
    assert CHAIN[-1].after == SAMPLES


def test_its_states_are_those_of_this_release(view: Any) -> None:
    batches = view.batches(16, seed=7)
    assert batches.state_dict() == state_at(0)
    next(batches)
    assert batches.state_dict() == state_at(16)


@pytest.mark.parametrize("read", [by_loader, by_steps])
def test_the_hub_goes_through_all_of_it(view: Any, read: Any) -> None:
    for leg in CHAIN:
        check_leg(view, leg.framework, read)


@pytest.mark.parametrize("read", [by_loader, by_steps])
def test_every_world_goes_on_with_what_another_began(view: Any, read: Any) -> None:
    check_worlds(view, read, stops=4)
