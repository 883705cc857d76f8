"""Ray Data reads the hub in its tasks; Ray Train trains on it and goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ray
import ray.train
import ray.train.torch

import maruhub
from maruhub.adapters.ray import HubDatasource
from maruhub.api.hub import Hub
from maruhub.errors import InvalidInput
from maruhub.loaders import Batch
from tests.frameworks.samples import ROOT, SAMPLES, number_of, pixels, run_guide


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    environment = {"env_vars": {"PYTHONPATH": str(ROOT), "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0"}}
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, runtime_env=environment)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    # Else a task that ends sooner comes sooner.
    context.execution_options.preserve_order = True
    yield
    ray.shutdown()


@pytest.fixture
def view(hub: Hub) -> Any:
    return hub.version("digits")


def numbered(batch: Batch) -> dict[str, Any]:
    pictures = np.stack([np.frombuffer(blob[:64], np.uint8).reshape(8, 8) for blob in batch.blobs])
    return {"number": np.array([number_of(blob) for blob in batch.blobs]), "picture": pictures}


def in_order(view: Any) -> list[int]:
    return [number_of(blob) for batch in view.batches(16, seed=7) for blob in batch.blobs]


def test_blocks_come_in_the_hub_s_order_from_several_tasks(view: Any) -> None:
    source = HubDatasource(view, numbered, seed=7, block_samples=20)
    assert source.estimate_inmemory_data_size() == SAMPLES * 68
    tasks = source.get_read_tasks(4)
    assert [task.metadata.num_rows for task in tasks] == [60, 60, 60, 23]
    dataset = ray.data.read_datasource(source, override_num_blocks=4)
    rows = dataset.take_all()
    assert [int(row["number"]) for row in rows] == in_order(view)
    assert rows[0]["picture"].shape == (8, 8)
    assert dataset.count() == SAMPLES


def test_bytes_and_columns_come_by_themselves(view: Any) -> None:
    rows = ray.data.read_datasource(HubDatasource(view.where("label = 3"), shuffle=False)).take_all()
    assert [row["bytes"] for row in rows] == [pixels(n) for n in range(SAMPLES) if n % 10 == 3]
    assert {row["label"] for row in rows} == {3}


def test_it_goes_on_where_another_framework_stopped(view: Any) -> None:
    batches = view.batches(16, seed=7)
    begun = [number_of(blob) for _ in range(5) for blob in next(batches).blobs]
    source = HubDatasource(view, numbered, state=batches.state_dict(), seed=7)
    rest = [int(row["number"]) for row in ray.data.read_datasource(source).take_all()]
    assert begun + rest == in_order(view)
    with pytest.raises(InvalidInput, match="rank"):
        HubDatasource(view, rank=1)


def train(config: dict[str, Any]) -> None:
    """One of Ray Train's workers: nobody tells it its rank."""
    from maruhub.adapters.torch import Loader

    view = maruhub.connect(config["hub"]).version("digits")
    loader = Loader(view, 16, collate=lambda batch: [number_of(blob) for blob in batch.blobs], seed=7)
    if config["state"]:
        loader.load_state_dict(config["state"])
    got: list[int] = []
    for step, batch in enumerate(loader, 1):
        got += batch
        if step == config["steps"]:
            break
    rank = ray.train.get_context().get_world_rank()
    Path(config["out"], f"rank-{rank}.json").write_text(
        json.dumps({"got": got, "state": loader.state_dict()})
    )
    ray.train.report({"samples": len(got)})


def run(hub: Hub, folder: Path, *, steps: int = 0, state: Any = None) -> list[Any]:
    trainer = ray.train.torch.TorchTrainer(
        train,
        train_loop_config={"hub": str(hub.path), "out": str(folder), "steps": steps, "state": state},
        scaling_config=ray.train.ScalingConfig(num_workers=2, resources_per_worker={"CPU": 0.5}),
        run_config=ray.train.RunConfig(storage_path=str(folder / "runs")),
    )
    trainer.fit()
    return [json.loads((folder / f"rank-{rank}.json").read_text()) for rank in range(2)]


def test_ray_train_s_workers_share_an_epoch_and_go_on(hub: Hub, tmp_path: Path) -> None:
    first = run(hub, tmp_path, steps=3)
    assert first[0]["state"] == first[1]["state"]
    assert first[0]["state"]["position"] == 96
    second = run(hub, tmp_path, state=first[0]["state"])
    got = [number for each in (*first, *second) for number in each["got"]]
    assert sorted(got) == list(range(SAMPLES))


def test_the_guide(hub: Hub) -> None:
    run_guide("ray.md")
