"""Batches asked for by number, mostly one after the other: read some at a time.

A look-up, a permutation and a read cost nearly the same for one batch as for many: of 1 KB samples
a batch by itself takes four times what its bytes do.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Final

from maruhub.adapters.steps import Steps
from maruhub.errors import MaruError
from maruhub.loaders import Batch

_RUN_BYTES: Final = 16 << 20
_RUN_SAMPLES: Final = 2048
_RUNS_HELD: Final = 2


class Runs:
    """``Steps`` whose neighbours are read together. Safe from many threads.

    A run is read when its first step is asked for, so that asking in any other order costs
    little. Each of its batches is handed out once and not held any longer; asked for again
    it is read by itself. So is each batch of a run in which a sample can't be had: the error comes
    with its own.
    """

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self._together = 0
        self._held: OrderedDict[int, _Run] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, step: int) -> Batch:
        """Batch ``step``; raises as :meth:`Steps.read`."""
        if not self._together:
            return self._first(step)
        number, at = divmod(step, self._together)
        with self._lock:
            run = self._held.get(number)
            if run is None and not at and self._together > 1:
                run = self._held[number] = _Run(self._steps, step, step + self._together)
                while len(self._held) > _RUNS_HELD:
                    self._held.popitem(last=False)
        batch = None if run is None else run.take(at)
        return self._steps.read(step) if batch is None else batch

    def _first(self, step: int) -> Batch:
        """The batch that says how many are worth a read."""
        batch = self._steps.read(step)
        by_bytes = _RUN_BYTES // max(1, sum(map(len, batch.blobs)))
        self._together = max(1, min(by_bytes, _RUN_SAMPLES // max(1, len(batch))))
        return batch


class _Run:
    """Steps ``first … stop``, read by the first thread that asks while others wait."""

    def __init__(self, steps: Steps, first: int, stop: int) -> None:
        self._steps = steps
        self._span = first, min(stop, len(steps))
        self._batches: list[Batch | None] | None = None
        self._lock = threading.Lock()

    def take(self, at: int) -> Batch | None:
        """Batch ``at`` of it, once; None: it isn't here."""
        with self._lock:
            if self._batches is None:
                self._batches = self._read()
            if at >= len(self._batches):
                return None
            batch, self._batches[at] = self._batches[at], None
            return batch

    def _read(self) -> list[Batch | None]:
        try:
            return list(self._steps.read_run(*self._span))
        except MaruError:
            return []
