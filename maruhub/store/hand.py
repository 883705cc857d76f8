"""A hand: a daemon thread that does what may have to wait for one drive."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

Job = Callable[[], None]


class Hand:
    """Does jobs one after the other, so that a stalled drive stalls nobody else.

    Its thread ends when it is stopped, or when nobody refers to it any more.
    """

    def __init__(self, name: str) -> None:
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        # A daemon: a process may end although a drive never answers.
        threading.Thread(target=_work, args=(self._jobs,), name=name, daemon=True).start()

    def run(self, job: Job) -> None:
        """Returns at once; ``job`` must not raise."""
        self._jobs.put(job)

    def stop(self) -> None:
        """Ends the thread after the jobs that it has."""
        self._jobs.put(None)

    def __del__(self) -> None:
        self.stop()


def _work(jobs: queue.SimpleQueue[Job | None]) -> None:
    """The thread's whole life. It doesn't know its hand."""
    while (job := jobs.get()) is not None:
        job()
        del job  # while it waits for the next it must not keep what this one knew
