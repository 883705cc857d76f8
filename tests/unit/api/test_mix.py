"""Several datasets as one: exact shares, right bytes and labels, honest records."""

from __future__ import annotations

import collections
import itertools
import json
import pickle
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import maruhub
from maruhub import errors
from maruhub.api.hub import Hub
from maruhub.loaders import orders


@pytest.fixture
def views(hub: Hub) -> list[Any]:
    made = []
    for name, count in (("cats", 30), ("dogs", 9), ("owls", 5)):
        hub.bucket(name).put_many({f"{i:02}": f"{name} {i}".encode() for i in range(count)})
        hub.dataset(name).commit(name)
        ids = [f"{name}/{i:02}" for i in range(count)]
        labels = {"id": ids, "label": [name] * count}
        if name == "dogs":
            labels["barks"] = list(range(count))  # type: ignore[assignment]
        hub.dataset(name).label(pa.table(labels))
        made.append(hub.version(name))
    return made


def test_shares_are_exact_in_every_round_and_each_view_goes_round_whole(hub: Hub, views: list[Any]) -> None:
    mix = hub.mix(views, [5, 2, 1])
    assert len(mix) == 44
    batches = mix.batches(8, seed=7, epochs=None)
    taken = [name for batch in itertools.islice(batches, 40) for name in batch.ids]
    batches.close()
    rounds = np.array([name[:4] for name in taken])[: len(taken) // 8 * 8].reshape(-1, 8)
    for each in rounds:
        assert sorted(each.tolist()) == ["cats"] * 5 + ["dogs"] * 2 + ["owls"]
    for count in range(1, len(rounds)):
        seen = collections.Counter(taken[: 8 * count])
        for view in views:
            times = [seen[name] for name in view.ids()]
            assert max(times) - min(times) <= 1


def test_bytes_and_labels_are_the_samples_own(hub: Hub, views: list[Any]) -> None:
    mix = hub.mix(views, [3, 0, 1])
    names = set()
    for batch in mix.batches(10, seed=1, epochs=3):
        for name, blob, row in zip(batch.ids, batch.blobs, batch.columns.to_pylist(), strict=True):
            bucket, number = name.split("/")
            assert bytes(blob) == f"{bucket} {int(number)}".encode()
            assert row == {"label": bucket, "barks": None}
            names.add(bucket)
        assert [views[i].dataset_name for i in mix.part_of(batch.positions)] == [
            name.split("/")[0] for name in batch.ids
        ]
    assert names == {"cats", "owls"}
    dogs = next(hub.mix([views[0], views[1]], [1, 1]).batches(30, prefetch=0))
    assert all((row["barks"] is None) == (row["label"] == "cats") for row in dogs.columns.to_pylist())


def test_a_mix_goes_on_from_its_state_under_any_world_and_refuses_another(hub: Hub, views: list[Any]) -> None:
    mix = hub.mix(views, [5, 2, 1])
    whole = [name for batch in mix.batches(1, seed=7, epochs=3) for name in batch.ids]
    for stop in range(0, 14, 3):
        first = mix.batches(7, seed=7, epochs=3)
        begun = [name for _ in range(stop) for name in next(first).ids]
        state = json.loads(json.dumps(first.state_dict()))
        first.close()
        ranks = [mix.batches(3, seed=7, rank=rank, world=2, epochs=3 - state["epoch"]) for rank in range(2)]
        for rank in ranks:
            rank.load_state_dict(state)
        parts = [(b.epoch, b.step, rank, b.ids) for rank in range(2) for b in ranks[rank]]
        rest = [name for *_, ids in sorted(parts) for name in ids]
        assert begun + rest == whole
    with pytest.raises(errors.StateMismatch, match=r"shares=\[5, 2, 1\].*shares=\[5, 1, 1\]"):
        hub.mix(views, [5, 1, 1]).batches(7, seed=7).load_state_dict(state)
    with pytest.raises(errors.StateMismatch, match="view"):
        hub.mix(views[::-1], [5, 2, 1]).batches(7, seed=7).load_state_dict(state)


def test_another_order_goes_over_all_of_it(hub: Hub, views: list[Any]) -> None:
    mix = hub.mix(views, [5, 2, 1])
    everything = sorted(name for view in views for name in view.ids())
    for order in (orders.Shuffled(), orders.Curriculum("size"), orders.Balanced("label")):
        got = [name for batch in mix.batches(10, order=order) for name in batch.ids]
        assert (sorted(got) == everything) == (not isinstance(order, orders.Balanced))


def test_a_run_over_a_mix_has_read_its_parts(hub: Hub, views: list[Any]) -> None:
    with hub.run(views[0], name="mixed") as run:
        next(hub.mix([views[0], views[1], views[2]], [1, 1, 0]).batches(4, run=run, prefetch=0))
    with pytest.raises(errors.NotHeldOut):
        hub.evaluate(run, views[1], {"accuracy": 1.0})
    assert hub.evaluate(run, views[2], {"accuracy": 1.0}).held_out


def test_wrong_mixes_are_refused(hub: Hub, views: list[Any], tmp_path: Any) -> None:
    with maruhub.create(tmp_path / "other", blades=1) as other:
        other.bucket("rats")["1"] = b"rat"
        foreign = other.dataset("rats").commit("rats")
        for wrong, says in (
            (lambda: hub.mix([], []), "at least one"),
            (lambda: hub.mix(views, [1, 1]), "2 shares for 3 parts"),
            (lambda: hub.mix(views, [0, 0, 0]), "shares"),
            (lambda: hub.mix(views, 3), "shares"),  # type: ignore[arg-type]
            (lambda: hub.mix(views[0], [1]), "views"),  # type: ignore[arg-type]
            (lambda: hub.mix([views[0], "dogs"], [1, 1]), "view"),  # type: ignore[list-item]
            (lambda: hub.mix([views[0], views[1].select([])], [1, 1]), "part 1 holds no samples"),
            (lambda: hub.mix([views[0], foreign], [1, 1]), "another hub"),
        ):
            with pytest.raises(errors.InvalidInput, match=says):
                wrong()


def test_a_mix_is_opened_again_in_another_process(tmp_path: Any) -> None:
    with maruhub.create(tmp_path / "hub", blades=1) as hub:
        for name in ("cats", "dogs"):
            hub.bucket(name).put_many({f"{i}": b"x" for i in range(20)})
            hub.dataset(name).commit(name)
        mix = hub.mix([hub.version("cats"), hub.version("dogs").select(range(5))], [1, 1])
        batches = mix.batches(4, seed=3)
        next(batches)
        there = pickle.loads(pickle.dumps(batches))
        assert there.state_dict() == batches.state_dict()
        assert next(there).ids == next(batches).ids
        batches.close()
        there.close()
