"""How much of an answer the server's runtime holds, so that a slow client has little of this memory.

The runtime queues what is streamed without a bound: a client that reads slowly, or not at all, would
have a whole object in memory. A little of each answer may be there by right, and more for as long as
the worker has some to lend. An answer that may be there as a whole is sent without another thought; of
any other the kernel is asked how much it was given, and how much the peer has acknowledged.
"""

from __future__ import annotations

import asyncio
import socket
import time
from typing import Final

from maruhub.gateway.serve.connections.allowance import Allowance
from maruhub.gateway.serve.connections.connection import Connection
from maruhub.gateway.serve.connections.kernel import acknowledged_bytes, is_closed, written_bytes

FIRST_BYTES: Final = 2 << 20
"""Of an answer that may be with the runtime by right."""
MOST_BYTES: Final = 8 << 20
"""The same with what is lent; and without, where several connections have one peer, of which none can be told."""
_WINDOW_BYTES: Final = 4 << 20
"""The same with what is lent once it is known how much the kernel was given: enough for a tick of a fast client."""

# A record of TLS holds 16 KiB and at least 20 bytes around them. Rather too little than too much: what
# the client is taken to have must never fall behind for good.
_PLAIN_OF_TLS: Final = 16384 / (16384 + 20)
_TICK_S: Final = 0.001
_SLOW_TICK_S: Final = 0.008
"""Who is waited for so long needs nothing lent: the kernel holds enough for it."""
_LONGEST_TICK_S: Final = 0.05
_LONGEST_SEARCH_TICK_S: Final = 1.0


class Outflow:
    """One streamed answer's way to its client; used from the event loop.

    Args:
        connection: Of the client; closed by whoever made it.
        scheme: ``http`` or ``https``.
        idle_s: Seconds in which a client must take something.
        allowance: The worker's.

    Attributes:
        connection: The same, for other ways to the client.
    """

    def __init__(self, connection: Connection, scheme: str, idle_s: float, allowance: Allowance) -> None:
        self.connection = connection
        self._share = _PLAIN_OF_TLS if scheme == "https" else 1.0
        self._idle_s = idle_s
        self._allowance = allowance
        self._loan = allowance.loan(connection.client)
        self._socket: socket.socket | None = None
        self._sought = False
        self._gone = False
        self._is_slow = False
        self._sent_before = 0
        self._written_before = 0

    async def begin(self, size_bytes: int) -> None:
        """Before anything is sent of an answer of that size: looks where it is too large to do without."""
        if self._may_hold(size_bytes):
            return
        await self._allowance.collect()
        if not self._may_hold(size_bytes):
            self._know(await self.connection.find(), 0)

    async def room(self, sent_bytes: int, more_bytes: int) -> bool:
        """Waits until the runtime holds little of what it was sent.

        Args:
            sent_bytes: Of this answer, so far.
            more_bytes: About to be sent.

        Returns:
            Whether to go on; False if the client is gone.

        Raises:
            ConnectionError: The client took nothing for too long, or its connection can't be told from others.
        """
        if not self._sought:
            if self._may_hold(sent_bytes + more_bytes):
                return True
            found = await self.connection.find()
            if found is None and sent_bytes + more_bytes <= MOST_BYTES:
                return True
            self._know(await self._search() if found is None else found, sent_bytes)
        return await self._taken_in(sent_bytes, more_bytes)

    def end(self, sent_bytes: int) -> None:
        """So much was sent, and nothing follows; what the runtime may still hold of it stays lent."""
        if self._sought and not self._sent_before:
            self._loan.shrink(self._untold(sent_bytes) - FIRST_BYTES)
        self._loan.end()

    def _may_hold(self, size_bytes: int) -> bool:
        """Whether the runtime may have so much of it without that anybody looks."""
        return size_bytes <= MOST_BYTES and self._loan.covers(size_bytes - FIRST_BYTES)

    def _know(self, found: socket.socket | None, sent_bytes: int) -> None:
        self._socket, self._sought = found, found is not None
        self._sent_before, self._written_before = sent_bytes, self._written()

    async def _taken_in(self, sent_bytes: int, more_bytes: int) -> bool:
        """Waits until the kernel was given so much that the runtime may have the rest."""
        tick_s, seen, since_s = _TICK_S, -1, time.monotonic()
        while self._socket is not None:
            taken = self._taken()
            if self._gone:
                return False
            if self._fits(sent_bytes, more_bytes):
                break
            if taken != seen:
                seen, since_s = taken, time.monotonic()
            elif time.monotonic() - since_s > self._idle_s:
                raise ConnectionError("the client does not read its answer")
            await asyncio.sleep(tick_s)
            self._is_slow = self._is_slow or tick_s >= _SLOW_TICK_S
            tick_s = min(2 * tick_s, _LONGEST_TICK_S)
        return True

    def _fits(self, sent_bytes: int, more_bytes: int) -> bool:
        """Whether more may be sent of an answer of which it is known how much the kernel was given."""
        untold = self._untold(sent_bytes)
        if self._sent_before:
            # The runtime may still hold all of that, and so nothing besides.
            return untold <= 0
        if self._is_slow:
            self._loan.shrink(untold - FIRST_BYTES)
        with_more = untold + more_bytes
        if untold <= 0 or with_more <= FIRST_BYTES + self._loan.size_bytes:
            return True
        return with_more <= _WINDOW_BYTES and not self._is_slow and self._loan.covers(with_more - FIRST_BYTES)

    def _untold(self, sent_bytes: int) -> float:
        """What the runtime has of it at the most, beside what was sent before it could be known."""
        return sent_bytes - self._sent_before - (self._written() - self._written_before) * self._share

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
