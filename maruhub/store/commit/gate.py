"""A gate: many pass at once, or one is alone; at the end it is shut."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from maruhub.errors import Unavailable


class Gate:
    """Writers pass; whoever takes the logs from under them waits until all are through.

    Not re-entrant: nobody who passes may ask to be alone, or to pass again.
    """

    def __init__(self) -> None:
        self._passing = 0
        self._closed = False
        self._change = threading.Condition()
        self.is_shut = False

    @contextmanager
    def passing(self) -> Iterator[None]:
        """Beside others; waits while somebody is alone. Raises Unavailable once it is shut."""
        with self._change:
            self._change.wait_for(lambda: not self._closed)
            self._require_open()
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
        """When those who pass are through; new ones wait for the end of this. Unavailable once it is shut."""
        with self._nobody_passing():
            self._require_open()
            yield

    @contextmanager
    def shutting(self) -> Iterator[None]:
        """The same, for the last time: those who wait, and all later ones, do not pass. Idempotent."""
        with self._nobody_passing():
            self.is_shut = True
            yield

    @contextmanager
    def _nobody_passing(self) -> Iterator[None]:
        with self._change:
            self._change.wait_for(lambda: not self._closed)
            self._closed = True
        try:
            # Who is interrupted while he waits leaves it open.
            with self._change:
                self._change.wait_for(lambda: not self._passing)
            yield
        finally:
            with self._change:
                self._closed = False
                self._change.notify_all()

    def _require_open(self) -> None:
        if self.is_shut:
            raise Unavailable("This hub is closed.", hint="Open it again.")

    def after_fork(self) -> Gate:
        """In the child, where nobody passes: a new one, shut if this one is."""
        gate = Gate()
        gate.is_shut = self.is_shut
        return gate
