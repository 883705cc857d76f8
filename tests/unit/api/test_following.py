"""A live dataset: newer versions join running training, exactly, and again from the state."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest

import maruhub
from maruhub import errors
from maruhub.api.hub import Hub
from maruhub.loaders import orders

SEED = 5


def commit(hub: Hub, first: int, count: int) -> Any:
    hub.bucket("live").put_many({f"{i:04}": f"sample {i}".encode() for i in range(first, first + count)})
    return hub.dataset("live").commit("live")


class Job:
    """All ranks of one training, stepping together; keeps what came, in the global order."""

    def __init__(self, view: Any, world: int, batch_size: int, **options: Any) -> None:
        options = {"seed": SEED, **options}
        self.ranks = [view.batches(batch_size, rank=r, world=world, **options) for r in range(world)]
        self.got: list[str] = []

    def step(self) -> bool:
        parts = [next(rank, None) for rank in self.ranks]
        for part in parts:
            if part is not None:
                assert [bytes(b) for b in part.blobs] == [f"sample {int(i[5:])}".encode() for i in part.ids]
                self.got += part.ids
        return any(part is not None for part in parts)

    def join(self, view: Any, new: int, old: int) -> int:
        counts = {rank.join(view, new=new, old=old) for rank in self.ranks}
        assert len(counts) == 1
        return counts.pop()

    def state(self) -> dict[str, Any]:
        states = {json.dumps(rank.state_dict()) for rank in self.ranks}
        assert len(states) == 1
        return json.loads(states.pop())

    def close(self) -> None:
        for rank in self.ranks:
            rank.close()


def numbers(*ranges: range) -> list[str]:
    return sorted(f"live/{i:04}" for each in ranges for i in each)


@pytest.mark.parametrize("order", [None, orders.Sequential(), orders.Blocks(4, 4)], ids=str)
def test_new_ones_come_by_the_rule_and_each_once(hub: Hub, order: Any) -> None:
    old = commit(hub, 0, 60)
    new = commit(hub, 60, 20)
    job = Job(old, 1, 6, order=order, epochs=3)
    for _ in range(4):
        job.step()
    assert job.join(new, 1, 2) == 20
    before = len(job.got)
    while job.step():
        pass
    epoch = job.got[:80]
    assert sorted(epoch) == numbers(range(80))
    assert all(int(i[5:]) < 60 for i in epoch[:before])
    # 36 old ones are left for 18 new ones at this rate: two in every batch of six, then the rest.
    for at in range(before, before + 54, 6):
        assert sum(int(i[5:]) >= 60 for i in epoch[at : at + 6]) == 2
    assert sorted(job.got[80:160]) == sorted(job.got[160:]) == numbers(range(80))
    assert job.got[80:160] == [i for b in new.batches(80, seed=SEED, order=order) for i in b.ids] or (
        order != orders.Sequential()
    )


JOINS = (8, 24)
"""Positions at which the two newer versions join."""


def run(job: Job, newer: list[Any], until: int) -> None:
    """Steps to a position of the global order, three epochs at most; joins what is due on the way."""
    while len(job.got) < until:
        at = len(job.got)
        if at in JOINS and len(job.state().get("joined", [])) == JOINS.index(at):
            job.join(newer[JOINS.index(at)], 1, 3)
        if not job.step():
            if job.state()["epoch"] == 3:
                return
            for rank in job.ranks:
                iter(rank)


@pytest.mark.parametrize(("world", "batch_size"), [(1, 4), (2, 4), (8, 1), (2, 1)])
def test_a_state_goes_on_in_any_world_at_any_point(hub: Hub, world: int, batch_size: int) -> None:
    old = commit(hub, 0, 40).save()
    newer = [commit(hub, 40, 13), commit(hub, 53, 8)]
    whole = Job(old, 1, 1)
    run(whole, newer, 1000)
    assert sorted(whole.got[:61]) == numbers(range(61))
    assert len(whole.got) == 3 * 61
    for stop in (0, 8, 16, 24, 32, 40, 56, 61, 77):
        job = Job(old, world, batch_size)
        run(job, newer, stop)
        assert job.got == whole.got[: len(job.got)]
        state = job.state()
        job.close()
        others = [(1, 8), (2, 2), (1, 1)] if len(job.got) < 24 else [(1, 7), (3, 2), (5, 1), (8, 3)]
        for other, size in others:
            again = Job(hub.view(state["source"]), other, size)
            for rank in again.ranks:
                rank.load_state_dict(state)
            assert again.state() == state
            again.got = list(job.got)
            run(again, newer, 1000)
            assert again.got == whole.got


def test_the_epoch_after_is_the_newest_version_alone(hub: Hub) -> None:
    old, new = commit(hub, 0, 10), commit(hub, 10, 5)
    batches = old.batches(5, seed=SEED)
    next(batches)
    batches.join(new, new=1, old=1)
    state = batches.state_dict()
    assert state["joined"] == [[new.digest, 5, 1, 1]]
    assert state["format"] == 2
    assert (state["source"], state["epoch"], state["position"]) == (old.digest, 0, 5)
    assert len(batches) == 3
    assert sum(map(len, batches)) == 10
    after = batches.state_dict()
    assert (after["format"], after["source"], after["epoch"], after["position"]) == (1, new.digest, 1, 0)
    fresh = new.batches(15, seed=SEED)
    fresh.load_state_dict(after)
    assert [i for b in batches for i in b.ids] == next(fresh).ids
    fresh.close()


def test_nothing_new_still_leads_to_the_newer_version(hub: Hub) -> None:
    old = commit(hub, 0, 10)
    del hub.bucket("live")["0003"]
    new = hub.dataset("live").commit()
    batches = old.batches(4, seed=SEED)
    next(batches)
    assert batches.join(new, new=1, old=1) == 0
    assert sum(map(len, batches)) == 6
    assert sorted(i for b in batches for i in b.ids) == numbers(range(3), range(4, 10))


def test_a_joined_epoch_is_handed_to_another_process_and_recorded(hub: Hub) -> None:
    old, new = commit(hub, 0, 30), commit(hub, 30, 20)
    with hub.run(old, name="following") as run:
        batches = old.batches(5, seed=SEED, run=run)
        next(batches)
        batches.join(new, new=1, old=1)
        next(batches)
        batches.close()
    with pytest.raises(errors.NotHeldOut):
        hub.evaluate(run, new.where("id = 'live/0049'"), {"accuracy": 1.0})


def test_what_cannot_join_is_refused_and_changes_nothing(hub: Hub) -> None:
    old, new = commit(hub, 0, 10), commit(hub, 10, 5)
    batches = old.batches(4, seed=SEED)
    state = batches.state_dict()
    for wrong in (
        lambda: batches.join("live@v2", new=1, old=1),
        lambda: batches.join(new, new=0, old=1),
        lambda: batches.join(new, new=1, old="1"),
        lambda: old.batches(4, samples_per_epoch=4).join(new, new=1, old=1),
        lambda: batches.load_state_dict(
            {**state, "format": 2, "order": {"kind": "shuffled"}, "joined": [[1, 2, 3, 4]]}
        ),
        lambda: batches.load_state_dict({**state, "format": 2, "order": {"kind": "shuffled"}, "joined": 3}),
        lambda: batches.load_state_dict(
            {**state, "format": 2, "order": {"kind": "shuffled"}, "joined": [[new.save().digest, 11, 1, 1]]}
        ),
    ):
        with pytest.raises(errors.InvalidInput):
            wrong()
    with pytest.raises(errors.NotFound):
        batches.load_state_dict(
            {**state, "format": 2, "order": {"kind": "shuffled"}, "joined": [["0" * 64, 1, 1, 1]]}
        )
    assert batches.state_dict() == state


def test_batches_that_others_joined_go_to_another_process(tmp_path: Any) -> None:
    with maruhub.create(tmp_path / "hub", blades=1) as hub:
        old, new = commit(hub, 0, 12), commit(hub, 12, 6)
        batches = old.batches(3, seed=SEED, prefetch=0)
        next(batches)
        batches.join(new, new=1, old=1)
        there = pickle.loads(pickle.dumps(batches))
        assert there.state_dict() == batches.state_dict()
        assert [b.ids for b in there] == [b.ids for b in batches]
        joined = old.batches(3, seed=SEED)
        joined.join(new, new=1, old=1)
        with pytest.raises(errors.InvalidInput, match="elsewhere"):
            joined.walk()
