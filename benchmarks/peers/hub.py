"""The hub in the trainer's process: as a guide's first example has it, all settings its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import maruhub
from benchmarks.peers.loader import How, Loader

DATASET = "bench"


def pack(files: Path, target: Path, shard: int) -> None:
    """No conversion: files come in as they are, once, for everything that is done with them."""
    with maruhub.create(target) as hub:
        report = hub.ingest(files, "photos")
        assert not report.refused, report
        hub.dataset(DATASET).commit("photos")


@contextmanager
def opened(data: Path, how: How) -> Iterator[Loader]:
    with maruhub.connect(data) as hub:
        yield Loader(lambda seed: epoch(hub, how, seed))


def epoch(hub: Any, how: How, seed: int) -> Iterator[list[memoryview]]:
    """One epoch of the dataset: views of its samples' bytes."""
    batches = hub.version(DATASET).batches(how.batch, seed=seed, verify=how.checked)
    try:
        for each in batches:
            yield each.blobs
    finally:
        batches.close()
