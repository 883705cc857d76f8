"""Sealing what this process has filled, beside its other work.

So that raw use can't stay at three times where nobody cares for the pool. It begins after
the writers were acknowledged, and never in a process that only reads.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable

from maruhub.errors import MaruError

_log = logging.getLogger(__name__)


class Sealer:
    """A queue of closed segments, and a thread while there are any.

    Args:
        seal: Seals one segment, if that is wanted; MaruError leaves it to care.
    """

    def __init__(self, seal: Callable[[int], object]) -> None:
        self._seal = seal
        self._waiting: deque[int] = deque()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._fewer = threading.Condition(self._lock)

    def keep_up(self, most: int, patience_s: float) -> None:
        """Returns when at most so many segments wait, or patience is over.

        What is written faster than it is sealed stays in full copies, three times its size.
        """
        if len(self._waiting) > most:
            with self._fewer:
                self._fewer.wait_for(lambda: len(self._waiting) <= most, patience_s)

    def add(self, segment: int) -> None:
        """A segment that is on record as closed; returns at once.

        Raises nothing where no thread can be had: those who wrote it are about to be acknowledged.
        """
        with self._lock:
            if self._thread is None:
                # Not a daemon: a process that ends first finishes what it has filled.
                thread = threading.Thread(target=self._work, name="maruhub-seal")
                try:
                    thread.start()
                except RuntimeError as error:
                    _log.warning("segment %016x stays in full copies for now: %s", segment, error)
                    return
                self._thread = thread
            self._waiting.append(segment)

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._thread = None
                    return
                segment = self._waiting.popleft()
                self._fewer.notify_all()
            try:
                self._seal(segment)
            except (MaruError, OSError) as error:
                _log.info("segment %016x stays in full copies for now: %s", segment, error)
            except Exception:  # noqa: BLE001 - of this segment alone
                # A fault: without a thread that goes on, whoever waits would wait for ever.
                _log.exception("segment %016x stays in full copies for now", segment)

    def wait(self) -> None:
        """Returns when nothing waits."""
        while (thread := self._thread) is not None:
            thread.join()
