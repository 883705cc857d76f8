"""A hand: a daemon thread that does what may have to wait for one drive."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

Job = Callable[[], None]


class Hand:
    """Does jobs one after the other, so that a stalled drive stalls nobody else."""

    def __init__(self, name: str) -> None:
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        # A daemon: a process may end although a drive never answers.
        threading.Thread(target=self._work, name=name, daemon=True).start()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()

    def run(self, job: Job) -> None:
        """Returns at once; ``job`` must not raise."""
        self._jobs.put(job)

    def stop(self) -> None:
        """Ends the thread after the jobs that it has."""
        self._jobs.put(None)
