"""How much of a worker's memory bodies may have that are held whole: documents, batches, small objects."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

SIGNED_BYTES: Final = 256 << 20
"""For whoever has signed."""
STRANGERS_BYTES: Final = 64 << 20
"""For all the others together: they can't take the room of those who have signed."""


class Room:
    """Bytes that are lent and given back; used from one event loop.

    Args:
        most_bytes: Lent at a time. More than that for one body, if it is alone.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._lent = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @property
    def is_crowded(self) -> bool:
        """Whether somebody waits for room."""
        return bool(self._waiting)

    async def take(self, size_bytes: int) -> None:
        """Waits for so much, behind whoever asked before."""
        if not self._waiting and self._fits(size_bytes):
            self._lent += size_bytes
            return
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((size_bytes, mine))
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():
                self.give(size_bytes)
            else:
                self._waiting.remove((size_bytes, mine))
                self._serve()
            raise

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
