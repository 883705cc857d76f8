"""A streamed answer written to its client's connection beside the runtime, from where its bytes lie.

The runtime takes a copy of whatever it sends, and sends that piece by piece: two fifths of what an
answer costs. So it sends the head and the first pieces, and the rest goes from mapped files straight
into the kernel, as chunks of HTTP/1.1 (RFC 9112, 7.1); the runtime then writes the end. Nothing is
written here before the kernel has all that the runtime was given: how much that is, to the byte, is
known, and where it is anything else the runtime sends all.

What would go wrong if it was not so is a stream that breaks its own law, which its reader refuses.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import select
import socket
import time
from collections import deque
from http import HTTPStatus
from typing import Final

from maruhub.gateway.answer import Gathered
from maruhub.gateway.head import Head
from maruhub.gateway.serve.connections.connection import Connection
from maruhub.gateway.serve.connections.kernel import acknowledged_bytes, written_bytes
from maruhub.gateway.serve.crossing import Crossing
from maruhub.wire.frame import Buffer

LEAST_BYTES: Final = 256 << 10
"""Of a piece; smaller ones are sooner copied than their way is cleared."""

_TURN_BYTES: Final = 16 << 20
"""After so many others get the thread."""
_PATIENCE_S: Final = 0.001
_PATIENCE_S_A_BYTE: Final = 2e-9
"""So long a thread waits in one turn for a client, and so much longer for what that takes; else no thread waits."""
_BUFFERS: Final = 1000
"""For one call; the kernel takes 1,024."""
_CLEARING_S: Final = (*itertools.repeat(0.0, 8), *itertools.repeat(0.001, 200))
# What the runtime adds to the headers that it is given.
_ADDED: Final = len("transfer-encoding: chunked\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\n")


async def way_to(head: Head, connection: Connection) -> Straight:
    """The way to a client whose answer has not begun."""
    can_be = head.scheme == "http" and head.version == "1.1"
    found = await connection.find(surely=True) if can_be else None
    return Straight(None if found is None or acknowledged_bytes(found) is None else found)


class Straight:
    """One answer's way past the runtime; made before the answer begins.

    Args:
        connection: A duplicate of the runtime's, and so without blocking, that stays open for as long as
            this is used; None: it is never clear.

    Attributes:
        sent_bytes: Of the body, by this.
    """

    def __init__(self, connection: socket.socket | None) -> None:
        self.sent_bytes = 0
        self._connection = connection
        self._expected = 0 if connection is None else written_bytes(connection)
        self._unsent: deque[Buffer] = deque()
        self._is_proven = False
        self._waited_s = 0.0

    def began(self, status: int, headers: list[tuple[str, str]]) -> None:
        """The runtime was given the head."""
        self._expected += head_bytes(status, headers)

    def gave(self, piece: Buffer) -> None:
        """The runtime has taken a piece, and so the client was still there when its connection was found."""
        self._is_proven = True
        self._expected += sum(map(len, chunk([piece])))

    async def is_clear(self) -> bool:
        """Waits until the kernel has all that the runtime was given; False if that can't be said."""
        if self._connection is None or not self._is_proven:
            return False
        for wait_s in _CLEARING_S:
            written = written_bytes(self._connection)
            if written >= self._expected:
                return written == self._expected
            await asyncio.sleep(wait_s)
        return False

    async def send(self, crossing: Crossing, first: list[Buffer], pieces: Gathered, idle_s: float) -> None:
        """``first`` and all other pieces, as fast as the client takes them, or until it leaves.

        Raises:
            ConnectionError: It took nothing for ``idle_s`` seconds.
            OSError: The kernel can't send, or can't read what is to be sent.
            MaruError: What reading a piece raises. The connection has ended then, as after any error.
        """
        self._begin(first)
        try:
            while not await self._taken_turn(crossing, pieces):
                if self._unsent:
                    await self._room(idle_s)
        except (BrokenPipeError, ConnectionResetError):
            self._end()
        except TimeoutError as error:
            self._end()
            raise ConnectionError("the client does not read its answer") from error
        except BaseException:
            self._end()
            raise

    async def _taken_turn(self, crossing: Crossing, pieces: Gathered) -> bool:
        turn = asyncio.ensure_future(crossing.finish(self._turn, pieces))
        try:
            return await asyncio.shield(turn)
        except asyncio.CancelledError:
            # The thread must be done with the connection before that is let go of.
            self._end()
            await asyncio.wait([turn])
            raise

    def _end(self) -> None:
        with contextlib.suppress(OSError):
            self._clear.shutdown(socket.SHUT_RDWR)

    def _begin(self, buffers: list[Buffer]) -> None:
        self._unsent.extend(chunk(buffers))
        self.sent_bytes += sum(map(len, buffers))

    def _turn(self, pieces: Gathered) -> bool:
        """Sends for a while; whether that was all. In a thread."""
        before, self._waited_s = self.sent_bytes, 0.0
        while self.sent_bytes < before + _TURN_BYTES:
            if not self._unsent:
                buffers = pieces.gather()
                if not buffers:
                    return True
                self._begin(buffers)
            if not self._push(_PATIENCE_S + (self.sent_bytes - before) * _PATIENCE_S_A_BYTE):
                return False
        return False

    def _push(self, patience_s: float) -> bool:
        """Sends what is begun; whether the client took it all before the turn had waited ``patience_s``."""
        connection, unsent = self._clear, self._unsent
        while unsent:
            try:
                sent = connection.sendmsg(list(itertools.islice(unsent, _BUFFERS)))
            except BlockingIOError:
                if not self._waited(patience_s - self._waited_s):
                    return False
                continue
            while sent and sent >= len(unsent[0]):
                sent -= len(unsent.popleft())
            if sent:
                unsent[0] = memoryview(unsent[0])[sent:]
        return True

    def _waited(self, most_s: float) -> bool:
        """Waits in this thread; whether more can be sent."""
        if most_s <= 0:
            return False
        waiting, since_s = select.poll(), time.monotonic()
        waiting.register(self._clear, select.POLLOUT)
        ready = waiting.poll(most_s * 1000)
        self._waited_s += time.monotonic() - since_s
        return bool(ready)

    async def _room(self, idle_s: float) -> None:
        """Waits until more can be sent; raises TimeoutError when nothing was taken for ``idle_s``.

        The kernel speaks of room only when there is much: who takes little at a time takes something too.
        """
        taken = None
        while True:
            before, taken = taken, acknowledged_bytes(self._clear)
            if taken == before:
                raise TimeoutError
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._writable(), idle_s)
                return

    async def _writable(self) -> None:
        loop, ready = asyncio.get_running_loop(), asyncio.Event()
        loop.add_writer(self._clear, ready.set)
        try:
            await ready.wait()
        finally:
            loop.remove_writer(self._clear)

    @property
    def _clear(self) -> socket.socket:
        assert self._connection is not None, "without a connection it is never clear"
        return self._connection


def head_bytes(status: int, headers: list[tuple[str, str]]) -> int:
    """How long the runtime's head of a streamed answer is."""
    line = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
    return (
        len(line)
        + sum(len(f"{name}: {value}\r\n".encode()) for name, value in headers)
        + _ADDED
        + len("\r\n")
    )


def chunk(buffers: list[Buffer]) -> list[Buffer]:
    """A piece as the runtime sends it, as buffers."""
    return [b"%X\r\n" % sum(map(len, buffers)), *filter(len, buffers), b"\r\n"]
