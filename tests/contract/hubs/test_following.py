"""Newer versions join running training, wherever the hub is."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest

from maruhub import errors
from maruhub.loaders import orders


def commit(served: Any, hub: Any, first: int, count: int) -> Any:
    samples = {f"{i:04}": f"sample {i}".encode() for i in range(first, first + count)}
    served.local.bucket("live").put_many(samples)
    return hub.version(f"live@{served.local.dataset('live').commit('live').name}")


def told(batches: Any) -> list[tuple[Any, ...]]:
    return [(b.epoch, b.step, b.ids, list(map(bytes, b.blobs)), b.positions.tolist()) for b in batches]


@pytest.mark.parametrize("order", [None, orders.Sequential(), orders.Blocks(4, 4)], ids=str)
def test_what_joins_comes_as_on_a_local_hub(hub: Any, served: Any, order: Any) -> None:
    versions = [commit(served, hub, first, count) for first, count in ((0, 60), (60, 20), (80, 5))]
    locals_ = [served.local.version(f"live@v{number}") for number in (1, 2, 3)]
    options = {"seed": 5, "order": order, "epochs": 2, "rank": 1, "world": 2}
    here, there = locals_[0].batches(6, **options), versions[0].batches(6, **options)
    begun, first = [next(here) for _ in range(3)], [next(there) for _ in range(3)]
    assert told(first) == told(begun)
    for number in (1, 2):
        assert there.join(versions[number], new=1, old=2) == here.join(locals_[number], new=1, old=2)
        assert len(there) == len(here)
        assert told([next(there)]) == told([next(here)])
    state = json.loads(json.dumps(there.state_dict()))
    assert state == json.loads(json.dumps(here.state_dict()))
    resumed = versions[0].batches(6, **options)
    resumed.load_state_dict(state)
    moved = pickle.loads(pickle.dumps(resumed))
    rest = told(here)
    assert told(there) == rest
    # A loop over two epochs that begins here covers this one's rest and the next.
    assert told(moved)[: len(rest)] == rest


def test_a_run_has_read_all_that_joined(hub: Any, served: Any) -> None:
    old, new = commit(served, hub, 0, 30), commit(served, hub, 30, 10)
    with hub.run(old, name="following") as run:
        batches = old.batches(5, run=run)
        next(batches)
        batches.join(new, new=1, old=1)
        next(batches)
        batches.close()
    for view in (old, new.where("id >= 'live/0030'")):
        with pytest.raises(errors.NotHeldOut):
            hub.evaluate(run, view, {"accuracy": 1.0})


def test_what_cannot_join_is_told(hub: Any, served: Any) -> None:
    old, new = commit(served, hub, 0, 10), commit(served, hub, 10, 10)
    for view, rule in ((None, (1, 1)), ("live@v2", (1, 1)), (new, (0, 1)), (new, (1, -1))):
        with pytest.raises(errors.InvalidInput):
            old.batches(4).join(view, new=rule[0], old=rule[1])
    with pytest.raises(errors.InvalidInput, match="join"):
        old.batches(4, samples_per_epoch=5).join(new, new=1, old=1)
