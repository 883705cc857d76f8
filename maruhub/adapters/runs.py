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

    The first step asked for is read by itself and says how long runs are; they begin behind it.
    A run is read when its first step is asked for, so that asking in any other order costs
    little. Each of its batches is handed out once and not held any longer; asked for again
    it is read by itself, until all have been handed out: then the run may be read anew, as by
    another pass. Each batch of a run in which a sample can't be had is read by itself too: the
    error comes with its own.
    """

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self._together = 0
        self._phase = 0
        self._held: OrderedDict[int, _Run] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, step: int) -> Batch:
        """Batch ``step``; raises as :meth:`Steps.read`."""
        with self._lock:
            # Others wait for it: the run behind it is theirs.
            if not self._together:
                return self._first(step)
            run = self._run(step)
        batch = None if run is None else self._take(run, step)
        return self._steps.read(step) if batch is None else batch

    def _first(self, step: int) -> Batch:
        """The batch that says how many are worth a read."""
        batch = self._steps.read(step)
        by_bytes = _RUN_BYTES // max(1, sum(map(len, batch.blobs)))
        self._together = max(1, min(by_bytes, _RUN_SAMPLES // max(1, len(batch))))
        self._phase = (step + 1) % self._together
        return batch

    def _run(self, step: int) -> _Run | None:
        """The run that holds it, begun if it is the first of one; under the lock."""
        start = step - (step - self._phase) % self._together
        first, stop = max(0, start), start + self._together
        run = self._held.get(first)
        if run is None and step == first and stop - first > 1:
            run = self._held[first] = _Run(self._steps, first, stop)
            while len(self._held) > _RUNS_HELD:
                self._held.popitem(last=False)
        return run

    def _take(self, run: _Run, step: int) -> Batch | None:
        batch = run.take(step)
        if run.is_spent:
            with self._lock:
                if self._held.get(run.first) is run:
                    del self._held[run.first]
        return batch


class _Run:
    """Steps ``first … stop``, read by the first thread that asks while others wait.

    Attributes:
        first: Its first step.
        is_spent: Whether all has been handed out, or nothing could be read.
    """

    def __init__(self, steps: Steps, first: int, stop: int) -> None:
        self.first = first
        self.is_spent = False
        self._steps = steps
        self._stop = min(stop, len(steps))
        self._batches: dict[int, Batch] | None = None
        self._lock = threading.Lock()

    def take(self, step: int) -> Batch | None:
        """Batch ``step``, once; None: it isn't here."""
        with self._lock:
            if self._batches is None:
                self._batches = self._read()
            batch = self._batches.pop(step, None)
            self.is_spent = not self._batches
            return batch

    def _read(self) -> dict[int, Batch]:
        try:
            return dict(enumerate(self._steps.read_run(self.first, self._stop), self.first))
        except MaruError:
            return {}
