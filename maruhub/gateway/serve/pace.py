"""Whether reads are quick enough to be done in the event loop."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Final

_SLOW_S: Final = 0.001
_AWAY_S: Final = 0.25


class Pace:
    """Measures what runs between ``with``; ``quick`` until something took too long, and again later.

    Handing a read to a thread costs more than reading what is in memory. What has to wait for a
    drive must not hold the others up: after one slow read the next ones go to threads for a while.
    """

    def __init__(self) -> None:
        self._quick_from_s = 0.0
        self._began_s = 0.0

    @property
    def quick(self) -> bool:
        """Whether to try it here."""
        return time.monotonic() >= self._quick_from_s

    def __enter__(self) -> None:
        self._began_s = time.monotonic()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        ended = time.monotonic()
        if ended - self._began_s > _SLOW_S:
            self._quick_from_s = ended + _AWAY_S
