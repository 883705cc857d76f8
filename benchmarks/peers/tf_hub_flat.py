"""The hub as a ``tf.data.Dataset`` whose batches are bytes and offsets, which TensorFlow takes as they are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import maruhub
from benchmarks.peers.hub import DATASET, pack
from benchmarks.peers.loader import How, Loader
from benchmarks.peers.tf_hub import weigh
from maruhub.adapters.steps import Steps
from maruhub.adapters.tensorflow import to_tf_dataset

__all__ = ["opened", "pack"]


@contextmanager
def opened(data: Path, how: How) -> Iterator[Loader]:
    with maruhub.connect(data) as hub:
        view = hub.version(DATASET)

        def epoch(seed: int) -> Any:
            return to_tf_dataset(Steps(view, how.batch, seed=seed), flat=True)

        yield Loader(epoch, weigh, _numbers)


def _numbers(batch: dict[str, Any]) -> list[int]:
    data = batch["data"].numpy()
    starts = batch["offsets"].numpy()[:-1].tolist()
    return [int.from_bytes(data[at : at + 8].tobytes(), "little") for at in starts]
