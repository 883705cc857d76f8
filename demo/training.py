"""A training in a process of its own, seen from outside: started, watched, killed, checked."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

TRAINER = Path(__file__).parent / "train.py"


class Place(NamedTuple):
    """Where a training is, as people count.

    ``rebuilt``: images of the epoch that its process could not read where they lie, and
    computed from others' strips.
    """

    epoch: int
    batch: int
    batches: int
    loss: float
    rebuilt: int

    def __str__(self) -> str:
        return f"epoch {self.epoch}, batch {self.batch} of {self.batches}"


class Training:
    """One training, perhaps through several processes.

    Args:
        folder: Made for its checkpoint and diary.
        words: What ``train.py`` gets first: hub, version, run.
        options: The rest of its options.

    ``rebuilt``: see ``Place``, by epoch that was watched to its end.
    """

    def __init__(self, folder: Path, words: list[str], options: dict[str, Any]) -> None:
        folder.mkdir()
        self.checkpoint = folder / "checkpoint.npz"
        self._diary = folder / "diary.jsonl"
        self._words = [*words, str(folder), *(f"--{name}={value}" for name, value in options.items())]
        self._process: subprocess.Popen[str] | None = None
        self._losses: list[float] = []
        self.rebuilt: dict[int, int] = {}

    def start(self) -> Iterator[Place]:
        """Starts it, or starts it again from its checkpoint; gives the place after each batch."""
        command = [sys.executable, str(TRAINER), *self._words]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        return self._places(self._process)

    def _places(self, process: subprocess.Popen[str]) -> Iterator[Place]:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                epoch, batch, batches, loss, rebuilt = line.split()
                yield Place(int(epoch), int(batch), int(batches), float(loss), int(rebuilt))

    @property
    def runs(self) -> bool:
        """Whether its process is alive."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> int:
        """Kills it as a power cut would, without a word; its exit status."""
        assert self._process is not None
        self._losses.clear()
        self._process.send_signal(signal.SIGKILL)
        return self._process.wait()

    def watch(
        self,
        places: Iterator[Place],
        show: Callable[[str], None],
        *,
        until: Callable[[Place], bool] = lambda _: False,
    ) -> None:
        """Shows a line an epoch, to the end or ``until`` a place; ends the demo if the training failed.

        The loss shown is the mean of the batches that it saw of the epoch.
        """
        for place in places:
            self._losses.append(place.loss)
            if place.batch == place.batches:
                self._show_epoch(place, show)
                self.rebuilt[place.epoch] = place.rebuilt
            if until(place):
                return
        assert self._process is not None
        if self._process.wait():
            raise SystemExit(f"the training ended with status {self._process.returncode}")

    def _show_epoch(self, place: Place, show: Callable[[str], None]) -> None:
        first = place.batches - len(self._losses) + 1
        since = f" since batch {first}" if first > 1 else ""
        show(f"epoch {place.epoch} done, mean loss{since} {np.mean(self._losses):.4f}")
        self._losses.clear()

    def learned(self, epoch: int) -> Counter[str]:
        """How often it learned from each image in an epoch, as far as its checkpoint knows."""
        with np.load(self.checkpoint) as saved:
            counted = self._diary.read_bytes()[: int(saved["diary"])]
        entries = [json.loads(line) for line in counted.splitlines()]
        return Counter(sample for entry in entries if entry["epoch"] == epoch for sample in entry["ids"])

    def epoch(self) -> int:
        """The epoch in which its checkpoint stands: a kill may come later than one thinks."""
        with np.load(self.checkpoint) as saved:
            return int(json.loads(str(saved["loader"]))["epoch"]) + 1

    def weights(self) -> dict[str, Any]:
        """What its last checkpoint holds."""
        with np.load(self.checkpoint) as saved:
            return dict(saved)
