"""One stage of the life of data on a hub, in its own process: ``python -m benchmarks.stage STAGE HUB FILES S``.

Says it is ready, waits for a line, works for S seconds, and says how many samples a second it had.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import maruhub

BATCH = 64
STEP_S = 0.04755
"""What an accelerator computes on a batch: a training reads no faster than it trains."""


def ingest(hub: Any, files: Path) -> Iterator[int]:
    """New samples, folder by folder, as they come."""
    number = time.time_ns()
    while True:
        for folder in sorted(files.iterdir()):
            number += 1
            yield hub.ingest(folder, f"incoming/{number}").stored


def training(hub: Any, _: Path) -> Iterator[int]:
    """A recorded run over the training split, epoch after epoch."""
    train = hub.version("bench").split("train")
    seed = time.time_ns() % 1000
    with hub.run(train, name="stage", code="benchmark", seed=seed) as run:
        for batch in train.batches(BATCH, seed=seed, epochs=None, run=run):
            time.sleep(STEP_S)
            yield len(batch)


def evaluation(hub: Any, _: Path) -> Iterator[int]:
    """The held-out split of a finished run, read and scored again and again."""
    version = hub.version("bench")
    train, held_out = version.split("train"), version.split("test")
    with hub.run(train, name="to evaluate", code="benchmark") as run:
        next(train.batches(BATCH, run=run))
    while True:
        for batch in held_out.batches(BATCH):
            yield len(batch)
        assert hub.evaluate(run, held_out, {"accuracy": 0.9}).verdict == "held-out"


STAGES = {"ingest": ingest, "training": training, "evaluation": evaluation}


def main(name: str, path: Path, files: Path, seconds: float) -> None:
    """Runs a stage."""
    with maruhub.connect(path) as hub:
        work = STAGES[name](hub, files)
        next(work)
        print("ready", flush=True)
        sys.stdin.readline()
        begun, done = time.perf_counter(), 0
        while time.perf_counter() - begun < seconds:
            done += next(work)
        print(done / (time.perf_counter() - begun), flush=True)
        work.close()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), float(sys.argv[4]))
