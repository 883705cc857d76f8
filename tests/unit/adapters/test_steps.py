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
from maruhub.api.hub import Hub
from maruhub.errors import InvalidInput, StateMismatch
from maruhub.loaders.plan import Remainder

SIZE = 101


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    with maruhub.create(tmp_path / "hub", blades=1) as hub:
        yield hub


@pytest.fixture
def view(hub: Hub) -> Any:
    hub.bucket("photos").put_many({f"{i:03}": f"{i}".encode() for i in range(SIZE)})
    return hub.dataset("cats").commit("photos")


@pytest.mark.parametrize("remainder", ["exact", "drop", "pad"])
@pytest.mark.parametrize("world", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("position", [0, 24, 96])
def test_they_are_those_of_the_loader(view: Any, world: int, position: int, remainder: Remainder) -> None:
    state = {**view.batches(4, seed=7).state_dict(), "epoch": 1, "position": position}
    for rank in range(world):
        batches = view.batches(4, seed=7, rank=rank, world=world, epochs=3, remainder=remainder)
        batches.load_state_dict(state)
        share = {"rank": rank, "world": world, "remainder": remainder}
        steps = Steps(view, 4, seed=7, epochs=3, state=state, **share)
        assert steps.state_after(0) == batches.state_dict()
        count = 0
        for count, batch in enumerate(batches, 1):
            read = steps.read(count - 1)
            assert (read.ids, read.epoch, read.padding) == (batch.ids, batch.epoch, batch.padding)
            if count < len(steps):
                assert steps.state_after(count) == batches.state_dict()
        assert count == len(steps)
        assert steps.state_after(count) == batches.state_dict()
        with pytest.raises(IndexError):
            steps.read(count)


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
        Steps(view, 4, remainder="some")  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="remainder"):
        Epoch(view, remainder="pad")
    with pytest.raises(InvalidInput, match="rank 3 of world 2"):
        Steps(view, 4, rank=3, world=2)
    assert [Epoch(view, state={**state, "position": 90}, seed=7).pieces(4)[-1]] == [(98, 101)]


def test_an_epoch_smaller_than_a_step_is_padded_round_and_round(view: Any) -> None:
    few = view.select(range(3))
    steps = [Steps(few, 4, shuffle=False, rank=rank, world=2, remainder="pad").read(0) for rank in range(2)]
    assert [row for batch in steps for row in batch.positions.tolist()] == [0, 1, 2, 0, 1, 2, 0, 1]
    assert [batch.padding for batch in steps] == [1, 4]


def test_a_mix_is_read_by_its_steps_too(hub: Hub, view: Any) -> None:
    mix = hub.mix([view.where("size = 1"), view.where("size > 1")], [1, 3])
    batches = mix.batches(8, seed=7, epochs=2)
    steps = Steps(mix, 8, seed=7, epochs=2)
    for i, batch in enumerate(batches):
        read = steps.read(i)
        assert read.ids == batch.ids
        assert [bytes(blob) for blob in read.blobs] == [bytes(blob) for blob in batch.blobs]
    assert i + 1 == len(steps)
    again = pickle.loads(pickle.dumps(steps))
    assert again.read(5).ids == steps.read(5).ids


def test_an_epoch_that_newer_samples_joined_is_refused(hub: Hub) -> None:
    hub.bucket("photos").put_many({f"{i:03}": b"old" for i in range(20)})
    old = hub.dataset("cats").commit("photos")
    hub.bucket("photos").put_many({f"new-{i:03}": b"new" for i in range(8)})
    batches = old.batches(4, seed=7)
    next(batches)
    batches.join(hub.dataset("cats").commit("photos"), new=1, old=1)
    with pytest.raises(InvalidInput, match="joined"):
        Steps(old, 4, seed=7, state=batches.state_dict())
    rest = [each for batch in batches for each in batch.ids]
    assert len(rest) == 24
    newer = hub.dataset("cats").latest
    following = Steps(newer, 4, seed=7, state=batches.state_dict())
    assert sorted(i for n in range(len(following)) for i in following.read(n).ids) == sorted(newer.ids())
