"""Small bodies on their way in: told of in the runtime's own thread, past the event loop.

A task that waits for its body wakes the event loop's thread three times for one small upload, and
each time that takes the interpreter from whoever has it. That was half of what a worker did for one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

Then = Callable[[Any], None]
"""Hears of the runtime's future of a body, which is done; None: it was given up."""


class Arrival:
    """One body that is awaited. The runtime calls it in whatever thread it is in."""

    any_thread = True
    __slots__ = ("_arrivals", "_future", "_then", "until_s")

    def __init__(self, arrivals: Arrivals, future: Any, then: Then, until_s: float) -> None:
        self._arrivals = arrivals
        self._future = future
        self._then: Then | None = then
        self.until_s = until_s

    def __call__(self, future: Any) -> None:
        """It is there, or never will be."""
        if self._arrivals.settle(self):
            self._tell(future)

    def give_up(self) -> None:
        """It came too late."""
        if self._arrivals.settle(self):
            self._future.cancel()
            self._tell(None)

    def _tell(self, future: Any) -> None:
        # The runtime's future keeps whom it has told, and is nothing that the search for garbage sees
        # into: whatever went on to name it would stay for ever, with the request and its body.
        then, self._then, self._future = self._then, None, None
        if then is not None:
            then(future)


class Arrivals:
    """All that a worker awaits. Safe from many threads.

    Args:
        idle_s: Seconds in which a body must be there.
    """

    def __init__(self, idle_s: float) -> None:
        self._idle_s = idle_s
        self._awaited: dict[Arrival, None] = {}

    def expect(self, future: Any, then: Then) -> None:
        """Has ``then`` called once, as soon as a body is there, broke off or is too late."""
        arrival = Arrival(self, future, then, time.monotonic() + self._idle_s)
        self._awaited[arrival] = None
        future.add_done_callback(arrival, context=None)

    def settle(self, arrival: Arrival) -> bool:
        """Whether it was still awaited: then the caller, and nobody else, has to tell of it."""
        try:
            del self._awaited[arrival]
        except KeyError:
            return False
        return True

    def give_up_late(self) -> None:
        """Gives up what is too late; to be called now and then."""
        now_s = time.monotonic()
        # In the order in which they were begun, which is that of their ends.
        for arrival in list(self._awaited):
            if arrival.until_s > now_s:
                return
            arrival.give_up()
