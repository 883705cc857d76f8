"""Work done behind the caller's back, in order: so that reading goes on while drives write."""

from __future__ import annotations

import errno
import queue
import threading
from collections.abc import Callable
from typing import Final

_PATIENCE_SECONDS: Final = 120.0

Job = Callable[[], None]


class Behind:
    """A daemon thread that does jobs one after the other.

    The first error ends it, and is raised to whoever hands in or waits next.

    Args:
        ahead: Jobs that may wait; the next ``put`` waits for room.
    """

    def __init__(self, ahead: int) -> None:
        self._jobs: queue.Queue[Job | None] = queue.Queue(ahead)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="maruhub-act", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                if self._error is None:
                    job()
            except BaseException as error:  # noqa: BLE001 - whoever waits must hear of it
                self._error = error

    def put(self, job: Job) -> None:
        """Does ``job`` soon; raises what an earlier one raised, or TimeoutError."""
        self._put(job)
        if self._error is not None:
            raise self._error

    def _put(self, job: Job | None) -> None:
        try:
            self._jobs.put(job, timeout=_PATIENCE_SECONDS)
        except queue.Full:
            raise TimeoutError(errno.ETIMEDOUT, f"a blade took nothing for {_PATIENCE_SECONDS:g} s") from None

    def finish(self) -> None:
        """Waits for all jobs; raises what one of them raised, or TimeoutError."""
        self._put(None)
        self._thread.join(_PATIENCE_SECONDS)
        if self._thread.is_alive():
            raise TimeoutError(errno.ETIMEDOUT, f"a blade wrote nothing for {_PATIENCE_SECONDS:g} s")
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """Does none of the jobs that wait; returns when nothing is under way any more."""
        self._error = self._error or InterruptedError()
        try:
            self._put(None)
        except TimeoutError:
            return
        self._thread.join(_PATIENCE_SECONDS)
