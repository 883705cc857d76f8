"""Dask bags and dataframes over views, in threads and in processes."""

from __future__ import annotations

from typing import Any

import dask
import pytest

from maruhub.adapters.dask import to_bag, to_dataframe
from maruhub.adapters.samples import Sample
from maruhub.api.hub import Hub
from maruhub.loaders import Batch
from tests.frameworks.samples import SAMPLES, number_of, pixels, run_guide


@pytest.fixture
def view(hub: Hub) -> Any:
    return hub.version("digits")


def number(sample: Sample) -> int:
    return number_of(sample.data)


def brightness(batch: Batch) -> dict[str, Any]:
    return {
        "number": [number_of(blob) for blob in batch.blobs],
        "sum": [sum(blob[:64]) for blob in batch.blobs],
        "label": batch.columns["label"].to_numpy(),
    }


@pytest.mark.parametrize("scheduler", ["threads", "processes"])
def test_a_bag_of_samples(view: Any, scheduler: str) -> None:
    bag = to_bag(view, partition_samples=50)
    assert bag.npartitions == 5
    with dask.config.set(scheduler=scheduler, num_workers=2):
        assert bag.map(number).compute() == list(range(SAMPLES))
        assert bag.take(1)[0] == Sample("digits-raw/000000", pixels(0), {"label": 0, "weight": 0.0})


@pytest.mark.parametrize("scheduler", ["threads", "processes"])
def test_a_dataframe_of_samples(view: Any, scheduler: str) -> None:
    frame = to_dataframe(view, brightness, partition_samples=64)
    with dask.config.set(scheduler=scheduler, num_workers=2):
        mean = frame.groupby("label")["sum"].mean().compute().to_dict()
        assert frame.number.sum().compute() == sum(range(SAMPLES))
    threes = [sum(pixels(n)[:64]) for n in range(SAMPLES) if n % 10 == 3]
    assert mean[3] == pytest.approx(sum(threes) / len(threes))


def test_columns_that_come_by_themselves(view: Any) -> None:
    frame = to_dataframe(view.where("label = 3"))
    assert list(frame.columns) == ["id", "bytes", "label", "weight"]
    with dask.config.set(scheduler="synchronous"):
        table = frame.compute()
    assert set(table.label) == {3}
    assert [number_of(data) for data in table.bytes] == [n for n in range(SAMPLES) if n % 10 == 3]


def test_the_hub_s_order_on_request(view: Any) -> None:
    with dask.config.set(scheduler="synchronous"):
        found = to_bag(view, shuffle=True, seed=7).map(number).compute()
    batch = next(iter(view.batches(SAMPLES, seed=7)))
    assert found == [number_of(blob) for blob in batch.blobs]


def test_the_guide(hub: Hub) -> None:
    run_guide("dask.md")
