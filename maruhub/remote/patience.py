"""How long a hub that does not answer is tried again: bounded, with growing pauses."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Final

PATIENCE_S: Final = 60.0
"""Seconds without any progress after which it is an error: a restart takes a few."""
FIRST_S: Final = 5.0
"""The same before a hub has ever answered: an address that is wrong is told soon."""
_PAUSE_S: Final = 0.05
_PAUSE_MAX_S: Final = 2.0


class Patience:
    """Counts the failures of one call in a row.

    Args:
        limit_s: Seconds in all.
        sleep, now: For tests.
    """

    def __init__(
        self,
        limit_s: float,
        *,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit_s = limit_s
        self._sleep = sleep
        self._now = now
        self._begun: float | None = None
        self._pause_s = _PAUSE_S

    def progress(self) -> None:
        """Something came: the next failure is the first again."""
        self._begun = None
        self._pause_s = _PAUSE_S

    def failed(self) -> bool:
        """Waits before the next try; False: enough, without waiting."""
        now = self._now()
        if self._begun is None:
            self._begun = now
        left = self._begun + self._limit_s - now
        if left <= 0:
            return False
        # Between half and all of it: a thousand clients of one hub must not come back as one.
        self._sleep(min(left, self._pause_s * random.uniform(0.5, 1)))
        self._pause_s = min(self._pause_s * 2, _PAUSE_MAX_S)
        return True
