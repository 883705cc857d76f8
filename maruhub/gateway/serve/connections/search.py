"""The search for connections: who asks while one is under way is looked for in the next, with all others.

To look through thousands of descriptors takes tens of milliseconds, and one thread does at a time. If
each answer had that to itself, some hundreds that begin together would hold all threads for a minute.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from typing import Final

from maruhub.gateway.serve.connections.descriptors import sole_connections
from maruhub.gateway.serve.crossing import Crossing

_TOGETHER: Final = 256
"""Looked for at a time: each takes a descriptor more while that lasts."""

Found = tuple[socket.socket | None, bool]
"""As of one client by ``sole_connections``."""


class Search:
    """One worker's; used from the event loop.

    Args:
        crossing: To the threads, of which it takes one.
    """

    def __init__(self, crossing: Crossing) -> None:
        self._crossing = crossing
        self._asked: deque[tuple[str, asyncio.Future[Found]]] = deque()
        self._looking: asyncio.Task[None] | None = None

    async def find(self, client: str) -> Found:
        """A client's only connection at a moment after this call, as the caller's own duplicate."""
        mine: asyncio.Future[Found] = asyncio.get_running_loop().create_future()
        self._asked.append((client, mine))
        if self._looking is None:
            self._looking = asyncio.create_task(self._look())
        try:
            return await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled() and mine.exception() is None:
                _close(mine.result()[0])
            raise

    async def _look(self) -> None:
        try:
            while self._asked:
                count = min(len(self._asked), _TOGETHER)
                await self._look_for([self._asked.popleft() for _ in range(count)])
        finally:
            self._looking = None

    async def _look_for(self, asked: list[tuple[str, asyncio.Future[Found]]]) -> None:
        try:
            found, reset = await self._crossing.finish(sole_connections, [client for client, _ in asked])
        except BaseException as error:
            for _, future in asked:
                if not future.done():
                    future.set_exception(error if isinstance(error, Exception) else OSError("not looked for"))
            if not isinstance(error, Exception):
                raise
            return
        for (_, future), own in zip(asked, found, strict=True):
            if future.done():
                _close(own)
            else:
                future.set_result((own, reset))


def _close(own: socket.socket | None) -> None:
    if own is not None:
        own.close()
