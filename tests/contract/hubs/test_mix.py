"""Several views as one, wherever the hub is."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from maruhub import errors
from maruhub.adapters.steps import Steps
from maruhub.loaders import orders


@pytest.fixture
def parts(served: Any, hub: Any) -> list[Any]:
    for name, count in (("cats", 30), ("dogs", 9)):
        served.local.bucket(name).put_many({f"{i:02}": f"{name} {i}".encode() for i in range(count)})
        served.local.dataset(name).commit(name)
    return [hub.version("cats"), hub.version("dogs")]


def told(batches: Any) -> list[tuple[Any, ...]]:
    return [(b.epoch, b.step, b.ids, list(map(bytes, b.blobs)), b.positions.tolist()) for b in batches]


def test_a_mix_is_that_of_a_local_hub(hub: Any, served: Any, parts: list[Any]) -> None:
    here = served.local.mix([served.local.version("cats"), served.local.version("dogs")], [3, 1])
    there = hub.mix(parts, [3, 1])
    assert (there.digest, len(there)) == (here.digest, len(here))
    for options in ({}, {"rank": 1, "world": 3}, {"epochs": 3}, {"samples_per_epoch": 10}):
        expected = here.batches(7, seed=5, **options)
        found = there.batches(7, seed=5, **options)
        first, begun = next(found), next(expected)
        assert (first.ids, first.positions.tolist()) == (begun.ids, begun.positions.tolist())
        state = json.loads(json.dumps(expected.state_dict()))
        assert state == json.loads(json.dumps(found.state_dict()))
        resumed = there.batches(7, seed=5, **options)
        resumed.load_state_dict(state)
        rest = told(expected)
        assert told(found) == rest
        assert [each[2] for each in told(resumed)] == [each[2] for each in rest]
    assert there.part_of(first.positions).tolist() == [int(name.startswith("dogs")) for name in first.ids]


def test_its_rows_are_read_like_those_of_a_view(hub: Any, served: Any, parts: list[Any]) -> None:
    kinds = pa.table({"id": [f"cats/{i:02}" for i in range(30)], "legs": list(range(30))})
    served.local.dataset("cats").label(kinds)
    parts = [hub.version("cats"), parts[1]]
    mix = hub.mix(parts, [3, 1])
    rows = np.array([38, 0, 30, 29], dtype=np.uint64)
    assert mix.ids(rows.astype(np.int64)) == mix.ids(rows) == ["dogs/08", "cats/00", "dogs/00", "cats/29"]
    assert list(map(bytes, mix.read_many(rows))) == [b"dogs 8", b"cats 0", b"dogs 0", b"cats 29"]
    assert mix.sizes(rows).tolist() == [6, 6, 6, 7]
    with pytest.raises(errors.InvalidInput, match="39"):
        mix.read_many(np.array([39]))
    assert mix.sizes().sum() == sum(part.sizes().sum() for part in parts)
    assert mix.columns(rows).to_pydict() == {"legs": [None, 0, None, 29]}
    assert mix.table(["id"]).column(0).to_pylist() == parts[0].ids() + parts[1].ids()
    steps = Steps(mix, 7, seed=5)
    assert [steps.read(i).ids for i in range(len(steps))] == [b.ids for b in mix.batches(7, seed=5)]


def test_a_run_over_a_mix_has_read_its_parts(hub: Any, served: Any, parts: list[Any]) -> None:
    with hub.run(parts[0], name="mixed") as run:
        next(hub.mix(parts, [3, 1]).batches(8, run=run))
    for part in parts:
        with pytest.raises(errors.NotHeldOut):
            hub.evaluate(run, part, {"accuracy": 1.0})


def test_wrong_mixes_are_told_at_once(hub: Any, parts: list[Any]) -> None:
    for views, shares in (
        ([], []),
        (parts, [1]),
        (parts, [0, 0]),
        (parts, [-1, 2]),
        ([parts[0], "dogs"], [1, 1]),
    ):
        with pytest.raises(errors.InvalidInput):
            hub.mix(views, shares)
    with pytest.raises(errors.InvalidInput):
        parts[0].batches(8, order=orders.Mixed([1, 1]))


def test_more_views_than_a_request_may_name_are_told_at_once(served: Any, parts: list[Any]) -> None:
    many = [served.remote.version("cats")] * 65
    with pytest.raises(errors.InvalidInput, match="at most 64 views, not 65"):
        served.remote.mix(many, [1] * 65)
    assert len(served.remote.mix(many[:64], [1] * 64)) == 64 * 30
