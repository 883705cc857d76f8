"""How much of a worker's memory bodies may have that are held whole: documents, batches, small objects."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

SIGNED_BYTES: Final = 256 << 20
"""For whoever has signed."""
STRANGERS_BYTES: Final = 64 << 20
"""For all the others together: they can't take the room of those who have signed."""
_SILENT_S: Final = 3.0
"""So long nothing need come of a body for whose room others wait: one that is lost on the way comes again by then."""
_LOOK_S: Final = 1.0
"""How often those who wait look for such bodies."""


class Room:
    """Bytes that are lent and given back; used from one event loop.

    Args:
        most_bytes: Lent at a time. More than that for one body, if it is alone.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._lent = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._silent: OrderedDict[asyncio.Timeout, tuple[int, float]] = OrderedDict()

    @property
    def is_crowded(self) -> bool:
        """Whether somebody waits for room."""
        return bool(self._waiting)

    async def take(self, size_bytes: int) -> None:
        """Waits for so much, behind whoever asked before; bodies of which nothing comes are ended for it."""
        if not self._waiting and self._fits(size_bytes):
            self._lent += size_bytes
            return
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((size_bytes, mine))
        try:
            self._look_later(size_bytes, mine)
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():
                self.give(size_bytes)
            else:
                self._waiting.remove((size_bytes, mine))
                self._serve()
            raise

    @contextmanager
    def listening(self, size_bytes: int, patience: asyncio.Timeout) -> Iterator[None]:
        """While this lasts nothing comes of a body that has so much; its ``patience`` ends early if need be."""
        self._silent[patience] = size_bytes, asyncio.get_running_loop().time()
        try:
            yield
        finally:
            self._silent.pop(patience, None)

    def _look_later(self, wanted_bytes: int, waiting: asyncio.Future[None]) -> None:
        """Ends silent bodies now and then, for as long as somebody waits."""

        def look() -> None:
            if not waiting.done():
                self._end_silent(wanted_bytes)
                self._look_later(wanted_bytes, waiting)

        asyncio.get_running_loop().call_later(_LOOK_S, look)

    def _end_silent(self, wanted_bytes: int) -> None:
        """Ends as many bodies as have so much, those first of which nothing came for the longest."""
        now_s = asyncio.get_running_loop().time()
        while self._silent and wanted_bytes > 0:
            patience, (size_bytes, since_s) = next(iter(self._silent.items()))
            if now_s - since_s < _SILENT_S:
                return
            del self._silent[patience]
            if not patience.expired():
                patience.reschedule(now_s)
            wanted_bytes -= size_bytes

    def give(self, size_bytes: int) -> None:
        """Gives it back."""
        self._lent -= size_bytes
        self._serve()

    def _serve(self) -> None:
        while self._waiting and self._fits(self._waiting[0][0]):
            size_bytes, waiting = self._waiting.popleft()
            if not waiting.done():
                self._lent += size_bytes
                waiting.set_result(None)

    def _fits(self, size_bytes: int) -> bool:
        return not self._lent or self._lent + size_bytes <= self._most
