"""What bodies of a worker have together: memory, of those that are held whole; places, of those that are poured."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

SIGNED_BYTES: Final = 256 << 20
"""Held whole for whoever has signed."""
STRANGERS_BYTES: Final = 64 << 20
"""For all the others together: they can't take the room of those who have signed."""
_SILENT_S: Final = 3.0
"""So long nothing need come of a body for whose room others wait: what was lost on the way comes again by then."""
_LOOK_S: Final = 1.0
"""How often those who wait look for such bodies."""


class Room:
    """Bytes or places that are lent and given back; used from one event loop.

    Args:
        most: Lent at a time. More than that for one body, if it is alone.
        silent_s: Seconds in which something must come of each body, while others wait.
    """

    def __init__(self, most: int, *, silent_s: float = _SILENT_S) -> None:
        self._most = most
        self._silent_s = silent_s
        self._lent = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._silent: OrderedDict[asyncio.Timeout, tuple[int, float]] = OrderedDict()

    @property
    def is_crowded(self) -> bool:
        """Whether somebody waits for room."""
        return bool(self._waiting)

    @asynccontextmanager
    async def lent(self, amount: int) -> AsyncIterator[None]:
        """Has so much for as long as the block lasts; see :meth:`take`."""
        await self.take(amount)
        try:
            yield
        finally:
            self.give(amount)

    async def take(self, amount: int) -> None:
        """Waits for so much, behind whoever asked before; bodies of which nothing comes are ended for it."""
        if not self._waiting and self._fits(amount):
            self._lent += amount
            return
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((amount, mine))
        try:
            self._look_later(amount, mine)
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():
                self.give(amount)
            else:
                self._waiting.remove((amount, mine))
                self._serve()
            raise

    @contextmanager
    def listening(self, amount: int, patience: asyncio.Timeout) -> Iterator[None]:
        """While this lasts nothing comes of a body that has so much; its ``patience`` ends early if need be."""
        self._silent[patience] = amount, asyncio.get_running_loop().time()
        try:
            yield
        finally:
            self._silent.pop(patience, None)

    def _look_later(self, wanted: int, waiting: asyncio.Future[None]) -> None:
        """Ends silent bodies now and then, for as long as somebody waits."""

        def look() -> None:
            if not waiting.done():
                self._end_silent(wanted)
                self._look_later(wanted, waiting)

        asyncio.get_running_loop().call_later(_LOOK_S, look)

    def _end_silent(self, wanted: int) -> None:
        """Ends as many bodies as have so much, those first of which nothing came for the longest."""
        now_s = asyncio.get_running_loop().time()
        while self._silent and wanted > 0:
            patience, (amount, since_s) = next(iter(self._silent.items()))
            if now_s - since_s < self._silent_s:
                return
            del self._silent[patience]
            if not patience.expired():
                patience.reschedule(now_s)
            wanted -= amount

    def give(self, amount: int) -> None:
        """Gives it back."""
        self._lent -= amount
        self._serve()

    def _serve(self) -> None:
        while self._waiting and self._fits(self._waiting[0][0]):
            amount, waiting = self._waiting.popleft()
            if not waiting.done():
                self._lent += amount
                waiting.set_result(None)

    def _fits(self, amount: int) -> bool:
        return not self._lent or self._lent + amount <= self._most
