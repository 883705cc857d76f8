"""Ray Data reads a leg of the chain, in any number of tasks."""

from __future__ import annotations

from typing import Any

import pytest
import ray

from maruhub.adapters.ray import HubDatasource
from maruhub.api.hub import Hub
from tests.frameworks.elastic import SEED, WORLDS, Share, check_leg, in_order
from tests.frameworks.ray.test_ray import cluster, numbered

__all__ = ["cluster"]


def by_ray(view: Any, share: Share, *, tasks: int = 2) -> tuple[list[list[int]], dict[str, Any]]:
    source = HubDatasource(view, numbered, state=share.state, seed=SEED, block_samples=5)
    dataset = ray.data.read_datasource(source, override_num_blocks=tasks)
    # Not take(n): it cancels tasks, and Ray may hand that on to the worker's next one.
    got = [int(row["number"]) for row in dataset.take_all()][: share.steps]
    return [got], source.state_after(len(got))


def test_it_is_a_leg_of_the_chain(hub: Hub) -> None:
    check_leg(hub.version("digits"), "ray", by_ray)


@pytest.mark.parametrize("tasks", WORLDS)
def test_any_number_of_tasks_goes_on(hub: Hub, tasks: int) -> None:
    view = hub.version("digits")
    whole = in_order(view)
    source = HubDatasource(view, seed=SEED)
    for position in (0, 61):
        [got], after = by_ray(view, Share(source.state_after(position), 0, 1, 1, None), tasks=tasks)
        assert got == whole[position:]
        assert (after["epoch"], after["position"]) == (1, 0)


def test_a_mix(hub: Hub) -> None:
    view = hub.version("digits")
    mix = hub.mix([view.where("label < 3"), view.where("label >= 3")], [1, 1])
    rows = ray.data.read_datasource(HubDatasource(mix, numbered, seed=SEED)).take_all()
    assert [int(row["number"]) for row in rows] == [
        int(n) for batch in mix.batches(16, seed=SEED) for n in numbered(batch)["number"]
    ]
