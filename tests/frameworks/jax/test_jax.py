"""JAX: batches through Grain, and put on devices."""

from __future__ import annotations

import itertools
import json
from typing import Any

import grain
import jax
import numpy as np
import pytest

from maruhub.adapters.grain import BatchSource
from maruhub.adapters.jax import DeviceBatches
from maruhub.api.hub import Hub
from maruhub.loaders import Batch
from tests.frameworks.samples import SAMPLES, number_of, run_guide


@pytest.fixture
def view(hub: Hub) -> Any:
    return hub.version("digits")


def numbered(batch: Batch) -> dict[str, Any]:
    return {
        "number": np.array([number_of(blob) for blob in batch.blobs]),
        "label": batch.columns["label"].to_numpy(),
    }


def in_order(view: Any) -> list[int]:
    return [number_of(blob) for batch in view.batches(16, seed=7) for blob in batch.blobs]


def numbers(batches: Any) -> list[int]:
    return [int(n) for batch in batches for n in batch["number"]]


def test_grain_reads_batches_and_goes_on_exactly(view: Any) -> None:
    source = BatchSource(view, 16, collate=numbered, seed=7)
    assert isinstance(source, grain.sources.RandomAccessDataSource)
    dataset = grain.MapDataset.source(source).to_iter_dataset()
    assert numbers(dataset) == in_order(view)
    for stop in (1, 6, 12):
        iterator = iter(dataset)
        begun = numbers(itertools.islice(iterator, stop))
        state = json.loads(json.dumps(iterator.get_state()))
        again = iter(dataset)
        again.set_state(state)
        assert begun + numbers(again) == in_order(view)
        batches = view.batches(16, seed=7)
        batches.load_state_dict(source.state_after(state["next_index"]))
        rest = [number_of(blob) for batch in batches for blob in batch.blobs]
        assert begun + rest == in_order(view), "in the hub's own state"


def test_grain_s_data_loader_refuses_the_state_of_another_source(view: Any) -> None:
    def make(seed: int) -> Any:
        source = BatchSource(view, 16, collate=numbered, seed=seed)
        sampler = grain.samplers.IndexSampler(
            len(source), num_epochs=1, shard_options=grain.sharding.NoSharding()
        )
        return grain.DataLoader(data_source=source, sampler=sampler)

    iterator = iter(make(7))
    begun = numbers(itertools.islice(iterator, 4))
    again = iter(make(7))
    again.set_state(iterator.get_state())
    assert begun + numbers(again) == in_order(view)
    with pytest.raises(ValueError, match="source"):
        iter(make(8)).set_state(iterator.get_state())


def test_ranks_share_an_epoch(view: Any) -> None:
    shares = [
        numbers(grain.MapDataset.source(BatchSource(view, 16, collate=numbered, rank=r, world=2)))
        for r in range(2)
    ]
    assert sorted(shares[0] + shares[1]) == list(range(SAMPLES))


def test_batches_are_on_the_device_before_they_are_asked_for(view: Any) -> None:
    batches = DeviceBatches(view.batches(16, seed=7), numbered, ahead=3)
    first = next(iter(batches))
    assert isinstance(first["number"], jax.Array)
    assert batches.state_dict()["position"] == 16, "what is on its way does not count"
    again = DeviceBatches(view.batches(8, seed=7), numbered)
    again.load_state_dict(json.loads(json.dumps(batches.state_dict())))
    assert numbers([first, *again]) == in_order(view)
    assert again.state_dict()["epoch"] == 1
    assert numbers(batches) == in_order(view)[16:], "leaving a loop and coming back loses nothing"


def test_a_sharding_places_each_batch(view: Any) -> None:
    mesh = jax.make_mesh((jax.device_count(),), ("data",))
    sharding = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("data"))
    batch = next(iter(DeviceBatches(view.batches(16, seed=7), device=sharding)))
    assert batch["label"].sharding == sharding
    assert len(batch["ids"]) == 16


def test_the_guide(hub: Hub) -> None:
    run_guide("jax.md")
