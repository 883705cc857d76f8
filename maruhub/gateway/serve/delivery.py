"""The way of one answer to its client: in one go, or piece by piece as fast as the client takes them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from typing import Any, Final

from granian.rsgi import ProtocolClosed  # type: ignore[attr-defined]  # it is documented, and not exported

from maruhub.gateway.answer import Answer, Gathered
from maruhub.gateway.head import Head
from maruhub.gateway.s3.documents import text
from maruhub.gateway.serve.connections.connection import Connection
from maruhub.gateway.serve.connections.outflow import Outflow
from maruhub.gateway.serve.connections.straight import LEAST_BYTES, Straight, way_to
from maruhub.gateway.serve.desk import Desk
from maruhub.wire.frame import Buffer

HOST_ID: Final = "maruhub"
CLOSE: Final = ("connection", "close")
DECLARATION: Final = text.DECLARATION.encode()
Pieces = Iterator[bytes | bytearray]
_BEGINNING: Final = 4
"""Pieces that are looked at before an answer begins: what a batch says of itself, and its first window."""
_ALWAYS: Final = (("server", "MaruHub"), ("x-amz-id-2", HOST_ID))


class Delivery:
    """Sends one answer; used by one thread at a time.

    Args:
        desk: The worker's.
        protocol: Granian's.
        head: Of the request that is answered.
        request_id: Told to the client.

    Attributes:
        status: Of what was sent, 0 before.
        sent_bytes: Of its body, so far.
        has_begun: Whether the head of a stream was sent: then there can be no other answer.
    """

    __slots__ = ("_desk", "_head", "_protocol", "_request_id", "has_begun", "sent_bytes", "status")

    def __init__(self, desk: Desk, protocol: Any, head: Head, request_id: str) -> None:
        self._desk = desk
        self._protocol = protocol
        self._head = head
        self._request_id = request_id
        self.status = 0
        self.sent_bytes = 0
        self.has_begun = False

    async def send(self, answer: Answer, more: list[tuple[str, str]]) -> None:
        """Sends it, with the headers that every answer has and ``more``; from the event loop.

        Raises:
            ConnectionError: The client takes nothing.
            MaruError: A body can't be read. If its answer ``has_begun`` the connection has to end, so that
                what was sent doesn't look whole.
        """
        body = answer.body
        if isinstance(body, bytes | bytearray) or self._has_no_body(answer):
            self.send_whole(answer, more)
        else:
            self.status = answer.status
            await self._stream(answer.status, self._headers(answer, more), body)

    def send_whole(self, answer: Answer, more: list[tuple[str, str]]) -> None:
        """The same for one whose body is there, or that has none; from any thread."""
        headers = self._headers(answer, more)
        self.status, body = answer.status, answer.body
        if self._has_no_body(answer):
            self._protocol.response_empty(answer.status, headers)
        else:
            assert isinstance(body, bytes | bytearray), "pieces are streamed"
            self.sent_bytes = len(body)
            self._protocol.response_bytes(answer.status, headers, body)

    async def send_late(self, waiting: asyncio.Future[Answer], more: list[tuple[str, str]]) -> None:
        """Sends a document that is long in coming: with white space before it, so that nobody gives it up.

        That is how S3 does it: the status on the wire is 200, and the document tells of success or of an error.
        ``status`` is what it tells. A client that leaves ends the sending, not the work.
        """
        headers = self._headers(Answer(200, [("content-type", "application/xml")]), more)
        transport = self._begun(200, headers)
        with contextlib.suppress(ProtocolClosed):
            await transport.send_bytes(DECLARATION)
            while not (await asyncio.wait({waiting}, timeout=self._desk.options.quiet_s))[0]:
                await transport.send_bytes(b" ")
        answer = await waiting
        self.status = answer.status
        assert isinstance(answer.body, bytes), "it is a document"
        with contextlib.suppress(ProtocolClosed):
            await transport.send_bytes(answer.body.removeprefix(DECLARATION))
            self.sent_bytes = len(answer.body)

    def _begun(self, status: int, headers: list[tuple[str, str]]) -> Any:
        self.has_begun = True
        return self._protocol.response_stream(status, headers)

    def _has_no_body(self, answer: Answer) -> bool:
        return self._head.method == "HEAD" or answer.status in (204, 304)

    def _headers(self, answer: Answer, more: list[tuple[str, str]]) -> list[tuple[str, str]]:
        headers = [*answer.headers, *_ALWAYS, ("x-amz-request-id", self._request_id), *more]
        if self._desk.draining and CLOSE not in headers:
            headers.append(CLOSE)
        return headers

    async def _stream(self, status: int, headers: list[tuple[str, str]], pieces: Pieces) -> None:
        """The first piece is read before the head is sent, so that what can't be read at all is an error.

        A client that leaves in the midst of it ends it, and is nothing to report.
        """
        connection = Connection(self._head.client, self._desk.search)
        outflow = Outflow(connection, self._head.scheme, self._desk.options.idle_s, self._desk.allowance)
        try:
            if isinstance(pieces, Gathered):
                await self._gather(status, headers, pieces, outflow)
            else:
                at_once: Callable[[], bytes | bytearray | None] = getattr(pieces, "at_once", _never)
                piece = at_once()
                if piece is None:
                    piece = await self._desk.crossing.run(next, pieces, b"")
                await outflow.begin(_size_bytes(headers))
                transport = self._begun(status, headers)
                await self._pour(transport, piece or b"", pieces, outflow)
        except ProtocolClosed:
            return
        finally:
            outflow.end(self.sent_bytes)
            connection.close()
            close = getattr(pieces, "close", None)
            if close is not None:
                await asyncio.shield(self._desk.crossing.finish(close))

    async def _pour(self, transport: Any, piece: bytes | bytearray, pieces: Pieces, outflow: Outflow) -> None:
        """``piece`` and all others, by the runtime."""
        at_once: Callable[[], bytes | bytearray | None] = getattr(pieces, "at_once", _never)
        while piece and await outflow.room(self.sent_bytes, len(piece)):
            # The runtime takes a copy; others get their turn.
            await transport.send_bytes(piece)
            self.sent_bytes += len(piece)
            await asyncio.sleep(0)
            following = at_once()
            piece = await self._desk.crossing.finish(next, pieces, b"") if following is None else following

    async def _gather(
        self, status: int, headers: list[tuple[str, str]], pieces: Gathered, outflow: Outflow
    ) -> None:
        """Small pieces at the beginning by the runtime; from a large one on straight, where that can be."""
        crossing = self._desk.crossing
        *small, piece = await crossing.run(_beginning, pieces)
        # To find a connection among thousands takes longer than to copy what is small.
        straight = await way_to(self._head, outflow.connection) if _is_large(piece) else Straight(None)
        transport = self._begun(status, headers)
        straight.began(status, headers)
        for data in map(b"".join, small):
            await transport.send_bytes(data)
            straight.gave(data)
            self.sent_bytes += len(data)
        if await straight.is_clear():
            await straight.send(crossing, piece, pieces, self._desk.options.idle_s)
            self.sent_bytes += straight.sent_bytes
            return
        pieces.put_back(piece)
        await self._pour(transport, next(pieces, b""), pieces, outflow)


def _beginning(pieces: Gathered) -> list[list[Buffer]]:
    """Pieces up to the first large one, the end, or a few; the last may be the end's, without a byte."""
    begun = [pieces.gather()]
    while begun[-1] and not _is_large(begun[-1]) and len(begun) < _BEGINNING:
        begun.append(pieces.gather())
    return begun


def _is_large(piece: list[Buffer]) -> bool:
    return sum(map(len, piece)) >= LEAST_BYTES


def _size_bytes(headers: list[tuple[str, str]]) -> int:
    """Of the body, where that is said; else 0."""
    return int(next((value for name, value in headers if name == "content-length"), "0"))


def _never() -> None:
    """Pieces that have to be waited for."""
