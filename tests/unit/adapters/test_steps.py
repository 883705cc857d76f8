"""A rank's batches by number are those of the loader, and their states too."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import maruhub
from maruhub.adapters.epoch import Epoch
from maruhub.adapters.steps import Steps
from maruhub.errors import InvalidInput, StateMismatch

SIZE = 101


@pytest.fixture
def view(tmp_path: Path) -> Iterator[Any]:
    with maruhub.create(tmp_path / "hub", blades=1) as hub:
        hub.bucket("photos").put_many({f"{i:03}": f"{i}".encode() for i in range(SIZE)})
        yield hub.dataset("cats").commit("photos")


@pytest.mark.parametrize("world", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("position", [0, 24, 96])
def test_they_are_those_of_the_loader(view: Any, world: int, position: int) -> None:
    state = {**view.batches(4, seed=7).state_dict(), "epoch": 1, "position": position}
    for rank in range(world):
        batches = view.batches(4, seed=7, rank=rank, world=world, epochs=3)
        batches.load_state_dict(state)
        steps = Steps(view, 4, seed=7, rank=rank, world=world, epochs=3, state=state)
        assert steps.state_after(0) == batches.state_dict()
        count = 0
        for count, batch in enumerate(batches, 1):
            read = steps.read(count - 1)
            assert (read.ids, read.epoch) == (batch.ids, batch.epoch)
            assert steps.state_after(count) == batches.state_dict()
        assert count == len(steps)
        with pytest.raises(IndexError):
            steps.read(count)


def test_what_fills_no_step_may_be_dropped(view: Any) -> None:
    for rank in range(3):
        dropped = Steps(view, 8, seed=7, rank=rank, world=3, epochs=2, drop_remainder=True)
        batches = view.batches(8, seed=7, rank=rank, world=3, epochs=2, remainder="drop")
        assert len(dropped) == 8
        for i, batch in enumerate(batches):
            assert dropped.read(i).ids == batch.ids
            assert dropped.state_after(i + 1) == batches.state_dict()


def test_it_goes_to_other_processes_and_keeps_its_name(view: Any) -> None:
    steps = Steps(view, 8, seed=7)
    again = pickle.loads(pickle.dumps(steps))
    assert again.read(3).ids == steps.read(3).ids
    assert repr(again) == repr(steps)
    assert repr(Steps(view, 8, seed=8)) != repr(steps)
    assert repr(Steps(view, 8, seed=7, number=1)) != repr(steps)


def test_what_does_not_go_together_is_told(view: Any) -> None:
    state = view.batches(4, seed=7).state_dict()
    with pytest.raises(InvalidInput, match="both"):
        Epoch(view, 1, state=state)
    with pytest.raises(StateMismatch):
        Epoch(view.where("size > 1"), state=state)
    with pytest.raises(InvalidInput, match="remainder"):
        Steps(view, 4, remainder="pad")
    with pytest.raises(InvalidInput, match="rank 3 of world 2"):
        Steps(view, 4, rank=3, world=2)
    assert [Epoch(view, state={**state, "position": 90}, seed=7).pieces(4)[-1]] == [(98, 101)]
