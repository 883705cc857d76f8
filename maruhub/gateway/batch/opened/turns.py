"""Turns at what takes seconds: a few at a time, a few that wait, and others told so at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from maruhub.errors import Busy


class Turns:
    """Safe from many threads. Whoever waits for a turn holds a thread, and others' requests need some.

    Args:
        what: For the message, such as ``filters``.
        at_a_time: Turns that are taken at a time.
        waiting: Threads that may wait for one.
    """

    def __init__(self, what: str, *, at_a_time: int, waiting: int) -> None:
        self._what = what
        self._turns = threading.BoundedSemaphore(at_a_time)
        self._places = threading.BoundedSemaphore(at_a_time + waiting)

    @contextmanager
    def one(self, *, patience_s: float | None = None) -> Iterator[None]:
        """Waits for a turn, which lasts as long as the block.

        Raises:
            Busy: Too many wait, or this one did for ``patience_s`` seconds (None: it waits as long as it takes).
        """
        with self._held(self._places, 0), self._held(self._turns, patience_s):
            yield

    @contextmanager
    def _held(self, some: threading.Semaphore, patience_s: float | None) -> Iterator[None]:
        if not some.acquire(timeout=patience_s):
            raise Busy(f"the {self._what} of others take all there is for them.", hint="Ask again.")
        try:
            yield
        finally:
            some.release()
