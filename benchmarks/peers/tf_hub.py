"""The hub as a ``tf.data.Dataset``, by its adapter: samples as texts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import maruhub
from benchmarks.peers.hub import DATASET, pack
from benchmarks.peers.loader import How, Loader
from benchmarks.peers.tf_records import numbers
from maruhub.adapters.steps import Steps
from maruhub.adapters.tensorflow import to_tf_dataset

__all__ = ["opened", "pack", "weigh"]


@contextmanager
def opened(data: Path, how: How) -> Iterator[Loader]:
    with maruhub.connect(data) as hub:
        view = hub.version(DATASET)

        def epoch(seed: int) -> Any:
            return to_tf_dataset(Steps(view, how.batch, seed=seed))

        yield Loader(epoch, weigh, lambda batch: numbers(batch["data"]))


def weigh(batch: dict[str, Any]) -> tuple[int, int]:
    """Samples of a batch; its bytes would cost more to ask for than to read."""
    return int(batch["id"].shape[0]), 0
