"""A peer's process: one JSON object a line in, one a line out: ``python -m benchmarks.peers.driver PEER``.

``{"do": "pack", …}`` converts, ``open`` opens, ``lap`` reads an epoch, ``order`` too and says which
samples came when, ``cold`` opens, reads an epoch and closes in one measured go, ``train`` reads as
accelerators would, ``close`` lets go of everything. An answer has ``seconds``, or ``error``.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.peers.loader import How, Loader


class Driver:
    """One peer, and at most one dataset that it has open."""

    def __init__(self, peer: Any) -> None:
        self._peer = peer
        self._open = ExitStack()
        self._loader: Loader | None = None

    def pack(self, files: str, target: str, shard: int) -> dict[str, Any]:
        begun = time.perf_counter()
        self._peer.pack(Path(files), Path(target), shard)
        os.sync()  # Some sync what they write and others do not: a conversion is done when it lasts.
        return {"seconds": time.perf_counter() - begun}

    def open(self, data: str, how: dict[str, Any]) -> dict[str, Any]:
        self._loader = self._open.enter_context(self._peer.opened(Path(data), How(**how)))
        return {}

    def close(self) -> dict[str, Any]:
        self._loader = None
        self._open.close()
        # Files stay in memory as long as anything maps them.
        gc.collect()
        return {}

    def lap(self, seed: int) -> dict[str, Any]:
        assert self._loader is not None
        weigh, samples, size = self._loader.weigh, 0, 0
        begun = time.perf_counter()
        for batch in self._loader.epoch(seed):
            count, size_bytes = weigh(batch)
            samples += count
            size += size_bytes
        return {"seconds": time.perf_counter() - begun, "samples": samples, "bytes": size}

    def order(self, seed: int) -> dict[str, Any]:
        assert self._loader is not None
        numbers = [number for batch in self._loader.epoch(seed) for number in self._loader.numbers(batch)]
        return {"order": [int(number) for number in numbers]}

    def cold(self, data: str, how: dict[str, Any], seed: int) -> dict[str, Any]:
        before = _read_from_drive()
        begun = time.perf_counter()
        self.open(data, how)
        found = self.lap(seed)
        found["seconds"] = time.perf_counter() - begun
        self.close()
        # Ended workers count with their parent.
        return found | {"from_drive": _read_from_drive() - before}

    def train(self, seed: int, accelerators: int, steps: int, step_s: float) -> dict[str, Any]:
        """Accelerators in lock step: each step waits for a batch for each, then computes."""
        assert self._loader is not None
        batches = iter(self._loader.epoch(seed))
        next(batches)  # Starting up is not part of training.
        begun = time.perf_counter()
        for _ in range(steps):
            for _ in range(accelerators):
                next(batches)
            time.sleep(step_s)
        elapsed = time.perf_counter() - begun
        del batches
        return {"seconds": elapsed, "utilisation": steps * step_s / elapsed}


def _read_from_drive() -> int:
    lines = Path("/proc/self/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("read_bytes"))


def main(name: str) -> None:
    """Answers until its input ends. What libraries print goes where errors go."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    driver = Driver(importlib.import_module(f"benchmarks.peers.{name}"))
    print("{}", file=answers)
    for line in sys.stdin:
        asked = json.loads(line)
        act: Callable[..., dict[str, Any]] = getattr(driver, asked.pop("do"))
        try:
            answer = act(**asked)
        except Exception:  # noqa: BLE001 - whoever asked decides
            answer = {"error": traceback.format_exc()}
        print(json.dumps(answer), file=answers)


if __name__ == "__main__":
    main(sys.argv[1])
