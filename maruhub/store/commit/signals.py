"""Holding signals back where an exception between two lines would leave things half-done.

Python runs signal handlers, and raises KeyboardInterrupt, between any two instructions of
the main thread. Between an index's commit and what follows it there must be no such place.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

_HELD_BACK: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)


@contextmanager
def deferred_signals() -> Iterator[None]:
    """Runs Python's handlers of interrupt, termination and alarm only when this is over.

    Costs microseconds, and nothing outside of the main thread, where none can run.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[tuple[int, FrameType | None]] = []
    handlers: dict[int, Any] = {}
    for number in _HELD_BACK:
        handler = signal.getsignal(number)
        if callable(handler):
            handlers[number] = handler
            signal.signal(number, lambda number, frame: came.append((number, frame)))
    try:
        yield
    finally:
        for held, handler in handlers.items():
            signal.signal(held, handler)
        for held, frame in came:
            handlers[held](held, frame)
