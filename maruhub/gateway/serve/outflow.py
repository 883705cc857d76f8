"""How much of an answer the server's runtime holds, so that a slow client has little of this memory.

The runtime queues what is streamed without a bound: a client that reads slowly, or not at all, would
have a whole object in memory. So the kernel is asked how much of the answer it was given, and how
much of that the peer has acknowledged.
"""

from __future__ import annotations

import asyncio
import socket
import time
from typing import Final

from maruhub.gateway.serve.connection import Connection, acknowledged_bytes, is_closed, written_bytes

FIRST_BYTES: Final = 3 << 20
"""Of an answer before anybody looks; from then on a piece waits until the kernel has the one before."""
UNTOLD_BYTES: Final = 8 << 20
"""The same where there are several connections with one peer, of which none can be told."""

# A record of TLS holds 16 KiB and at least 20 bytes around them. Rather too little than too much: what
# the client is taken to have must never fall behind for good.
_PLAIN_OF_TLS: Final = 16384 / (16384 + 20)
_TICK_S: Final = 0.001
_LONGEST_TICK_S: Final = 0.05
_LONGEST_SEARCH_TICK_S: Final = 1.0


class Outflow:
    """One streamed answer's way to its client; used from the event loop.

    Args:
        connection: Of the client; closed by whoever made it.
        scheme: ``http`` or ``https``.
        idle_s: Seconds in which a client must take something.

    Attributes:
        connection: The same, for other ways to the client.
    """

    def __init__(self, connection: Connection, scheme: str, idle_s: float) -> None:
        self.connection = connection
        self._share = _PLAIN_OF_TLS if scheme == "https" else 1.0
        self._idle_s = idle_s
        self._socket: socket.socket | None = None
        self._sought = False
        self._gone = False
        self._sent_before = 0
        self._written_before = 0

    async def room(self, sent_bytes: int) -> bool:
        """Waits until the runtime holds little of what it was sent.

        Args:
            sent_bytes: Of this answer, so far.

        Returns:
            Whether to go on; False if the client is gone.

        Raises:
            ConnectionError: The client took nothing for too long, or its connection can't be told from others.
        """
        if sent_bytes <= FIRST_BYTES:
            return True
        if not self._sought:
            found = await self.connection.find()
            if found is None and sent_bytes <= UNTOLD_BYTES:
                return True
            self._socket = await self._search() if found is None else found
            self._sought = True
            self._sent_before, self._written_before = sent_bytes, self._written()
        tick_s, seen, since_s = _TICK_S, -1, time.monotonic()
        while self._socket is not None:
            taken = self._taken()
            if self._gone:
                return False
            written = (self._written() - self._written_before) * self._share
            if sent_bytes - self._sent_before <= written:
                break
            if taken != seen:
                tick_s, seen, since_s = _TICK_S, taken, time.monotonic()
            elif time.monotonic() - since_s > self._idle_s:
                raise ConnectionError("the client does not read its answer")
            await asyncio.sleep(tick_s)
            tick_s = min(2 * tick_s, _LONGEST_TICK_S)
        return True

    async def _search(self) -> socket.socket:
        """The connection, once it is known: what else has the client's address and port may end."""
        tick_s, until_s = _TICK_S, time.monotonic() + self._idle_s
        while (found := await self.connection.find()) is None:
            if time.monotonic() > until_s:
                raise ConnectionError("what the client has taken of its answer can't be said")
            await asyncio.sleep(tick_s)
            tick_s = min(2 * tick_s, _LONGEST_SEARCH_TICK_S)
        return found

    def _written(self) -> int:
        """Bytes that the kernel was given since the connection began."""
        return 0 if self._socket is None else written_bytes(self._socket)

    def _taken(self) -> int:
        """Bytes that the peer has acknowledged since the connection began."""
        if self._socket is None:
            return 0
        self._gone = is_closed(self._socket)
        taken = acknowledged_bytes(self._socket)
        if taken is None:
            self._socket = None
        return taken or 0
