"""Two processes that train one model with DistributedDataParallel over gloo."""

from __future__ import annotations

import itertools
import json
import socket
from pathlib import Path
from typing import Any

import torch
import torch.distributed
import torch.multiprocessing
from torch.distributed.algorithms.join import Join
from torch.nn.parallel import DistributedDataParallel

import maruhub
from maruhub.adapters.torch import Loader
from maruhub.api.hub import Hub
from tests.frameworks.samples import SAMPLES, SIDE, number_of


def pictures(batch: Any) -> dict[str, Any]:
    """Pictures as floats, labels, and which samples they are."""
    raw = torch.frombuffer(bytearray(b"".join(blob[:-4] for blob in batch.blobs)), dtype=torch.uint8)
    return {
        "x": raw.reshape(-1, SIDE * SIDE) / 255,
        "y": torch.tensor(batch.columns["label"].to_pylist()),
        "number": [number_of(blob) for blob in batch.blobs],
    }


def train(rank: int, world: int, port: int, folder: str, state: Any, steps: int, workers: int) -> None:
    """One rank: trains, writes what it got and where it was."""
    torch.distributed.init_process_group(
        "gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=world
    )
    view = maruhub.connect(Path(folder) / "hub").version("digits")
    # Neither rank nor world is told: torch.distributed knows them.
    loader = Loader(view, 16, collate=pictures, seed=7, num_workers=workers)
    if state is not None:
        loader.load_state_dict(state)
    torch.manual_seed(0)
    model = DistributedDataParallel(torch.nn.Linear(SIDE * SIDE, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    got: list[list[int]] = []
    with Join([model]):  # at the end of an epoch ranks may differ by one batch
        for batch in itertools.islice(loader, steps):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(batch["x"]), batch["y"]).backward()
            optimizer.step()
            got.append(batch["number"])
    weights = [parameter.detach().flatten().tolist() for parameter in model.parameters()]
    result = {"got": got, "state": loader.state_dict(), "weights": weights}
    (Path(folder) / f"rank-{rank}.json").write_text(json.dumps(result))
    torch.distributed.destroy_process_group()


def run(folder: Path, world: int, *, state: Any = None, steps: int = 1 << 30, workers: int = 0) -> list[Any]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    torch.multiprocessing.spawn(train, (world, port, str(folder), state, steps, workers), nprocs=world)
    return [json.loads((folder / f"rank-{rank}.json").read_text()) for rank in range(world)]


def in_turn(results: list[Any]) -> list[int]:
    """What all ranks got, step by step and rank by rank."""
    steps = itertools.zip_longest(*(result["got"] for result in results), fillvalue=[])
    return [number for step in steps for share in step for number in share]


def test_two_ranks_train_one_model_and_another_world_goes_on(hub: Hub, tmp_path: Path) -> None:
    whole = [number_of(blob) for batch in hub.version("digits").batches(16, seed=7) for blob in batch.blobs]
    first = run(tmp_path, 2, steps=3)
    assert first[0]["weights"] == first[1]["weights"], "they trained one model"
    assert first[0]["state"] == first[1]["state"]
    assert first[0]["state"]["position"] == 96
    begun = in_turn(first)
    assert begun == whole[:96]
    second = run(tmp_path, 2, state=first[0]["state"], workers=2)
    assert begun + in_turn(second) == whole
    assert second[0]["weights"] == second[1]["weights"]
    assert second[0]["state"] == second[1]["state"]
    alone = Loader(hub.version("digits"), 9, collate=pictures, seed=7, rank=0, world=1)
    alone.load_state_dict(first[0]["state"])
    assert begun + [number for batch in alone for number in batch["number"]] == whole
    assert len(whole) == SAMPLES
