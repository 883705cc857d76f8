"""A gate: many pass at once, or one is alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Gate:
    """Writers pass; whoever takes the logs from under them waits until all are through.

    Not re-entrant: nobody who passes may ask to be alone, or to pass again.
    """

    def __init__(self) -> None:
        self._passing = 0
        self._closed = False
        self._change = threading.Condition()

    @contextmanager
    def passing(self) -> Iterator[None]:
        """Beside others; waits while somebody is alone."""
        with self._change:
            self._change.wait_for(lambda: not self._closed)
            self._passing += 1
        try:
            yield
        finally:
            with self._change:
                self._passing -= 1
                if self._closed and not self._passing:
                    self._change.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """When those who pass are through; new ones wait for the end of this."""
        with self._change:
            self._change.wait_for(lambda: not self._closed)
            self._closed = True
            self._change.wait_for(lambda: not self._passing)
        try:
            yield
        finally:
            with self._change:
                self._closed = False
                self._change.notify_all()
