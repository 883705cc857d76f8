"""The hub in torch's DataLoader, by its adapter: workers hand over whole batches as one tensor."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import maruhub
from benchmarks.peers.hub import DATASET, pack
from benchmarks.peers.loader import How, Loader
from benchmarks.peers.torch_loader import kept
from maruhub.adapters import torch as adapter

__all__ = ["opened", "pack"]


@contextmanager
def opened(data: Path, how: How) -> Iterator[Loader]:
    with maruhub.connect(data) as hub:
        loader = adapter.Loader(hub.version(DATASET), how.batch, **kept(how))
        # Its epochs are counted, each in an order of its own.
        yield Loader(lambda seed: iter(loader), _weigh, _numbers)


def _weigh(batch: dict[str, Any]) -> tuple[int, int]:
    return len(batch["ids"]), len(batch["data"])


def _numbers(batch: dict[str, Any]) -> list[int]:
    data = batch["data"].numpy()
    return [int.from_bytes(data[at : at + 8].tobytes(), "little") for at in batch["offsets"][:-1].tolist()]
