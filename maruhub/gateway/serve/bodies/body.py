"""The body of a request as it comes in: bounded in size and in patience."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any, Final

from maruhub.gateway.head import Head
from maruhub.gateway.s3.failure import S3Failure
from maruhub.gateway.serve.bodies.room import Room

_ONE_PIECE_BYTES = 128 << 10
_GATHER_BYTES = 1 << 20
_LINGER_BYTES = 4 << 20
# Of a client for whose end others wait: after so long it must have sent so much a second. Counted is
# the time that we have waited for it, not what a drive took.
_GRACE_S = 10.0
_LEAST_BYTES_S = 64 << 10


class Body:
    """One request's body; read once, by one task.

    Args:
        head: Of the request.
        protocol: Granian's: its iteration gives the bytes as they come, a call all of them.
        idle_s: Seconds in which something must arrive, or all of a body of up to 128 KiB.
    """

    def __init__(self, head: Head, protocol: Any, idle_s: float) -> None:
        self._protocol = protocol
        self._idle_s = idle_s
        self._waited_s = 0.0
        self._chunks: AsyncIterator[bytes] | None = None
        self._ended = False
        self._room: Room | None = None
        self._share = 0
        self._owes = False
        self.size_bytes = _length(head)
        self.received_bytes = 0

    @property
    def is_empty(self) -> bool:
        """Whether there is none, as its head says."""
        return self.size_bytes == 0

    @property
    def is_in_one_piece(self) -> bool:
        """Whether the runtime may tell of it once, when all is there: then it is held past any ``Room``."""
        return self.size_bytes is not None and 0 < self.size_bytes <= _ONE_PIECE_BYTES

    @property
    def is_over(self) -> bool:
        """Whether nothing more of it is read."""
        return self._ended or self.size_bytes == 0

    async def whole(self, most_bytes: int, room: Room | None = None) -> bytes:
        """All of it; a large one once there is ``room`` for it, which is held until :meth:`let_go`.

        Raises:
            S3Failure: ``MaxMessageLengthExceeded`` beyond ``most_bytes``; ``SlowDown`` where there was no
                room for too long; ``RequestTimeout``, ``IncompleteBody``.
        """
        if self.size_bytes == 0:
            return b""
        if self.size_bytes is not None and self.size_bytes > most_bytes:
            raise S3Failure("MaxMessageLengthExceeded", MaxMessageLengthBytes=str(most_bytes))
        if self.is_in_one_piece:
            return await self._one_piece()
        if room is not None:
            await self._take(room, most_bytes if self.size_bytes is None else self.size_bytes)
        pieces = []
        async for piece in self.pieces():
            if self.received_bytes > most_bytes:
                raise S3Failure("MaxMessageLengthExceeded", MaxMessageLengthBytes=str(most_bytes))
            pieces.append(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def _take(self, room: Room, size_bytes: int) -> None:
        try:
            async with asyncio.timeout(self._idle_s):
                await room.take(size_bytes)
        except TimeoutError:
            raise S3Failure("SlowDown") from None
        self._room, self._share, self._owes = room, size_bytes, True

    def let_go(self) -> None:
        """Nobody needs it any more."""
        if self._room is not None and self._owes:
            self._room.give(self._share)
        self._room, self._owes = None, False

    async def _one_piece(self) -> bytes:
        """Of one in one piece: to be told of each of its packets takes longer than to sum it."""
        try:
            async with asyncio.timeout(self._idle_s):
                return self._whole(await self.ask())
        except TimeoutError:
            raise S3Failure("RequestTimeout") from None
        except RuntimeError:
            # Granian's word for a peer that left in mid-body.
            raise S3Failure("IncompleteBody") from None

    def ask(self) -> Any:
        """For whoever waits past the event loop: a future of the runtime of one in one piece.

        :meth:`received` takes it when it is done.
        """
        self._ended = True
        return self._protocol()

    def received(self, future: Any) -> bytes:
        """What :meth:`ask` has come to; None: it came too late. Raises S3Failure as :meth:`whole` does."""
        if future is None:
            raise S3Failure("RequestTimeout")
        try:
            return self._whole(future.result())
        except RuntimeError as error:
            # The future keeps it, and with its way so far this body, and whoever reads it, for ever.
            error.__traceback__ = None
            raise S3Failure("IncompleteBody") from None

    def _whole(self, data: bytes) -> bytes:
        self.received_bytes = len(data)
        if self.received_bytes != self.size_bytes:
            raise S3Failure("IncompleteBody")
        return data

    async def pieces(self, *, places: Room | None = None) -> AsyncIterator[bytes]:
        """What comes in, gathered to about a megabyte, so that each piece is worth a thread.

        While others wait for its room, or for the one of ``places`` that it has, it must also come at some rate.
        """
        if places is not None:
            self._room, self._share = places, 1
        held: list[bytes] = []
        size = 0
        while True:
            chunk = await self._next()
            if chunk is None:
                break
            held.append(chunk)
            size += len(chunk)
            if size >= _GATHER_BYTES:
                yield b"".join(held)
                held, size = [], 0
        if held:
            yield held[0] if len(held) == 1 else b"".join(held)

    async def pass_over(self) -> bool:
        """Reads what is left, if that is little, so that an early answer reaches its client.

        Returns:
            Whether the body has been read to its end.
        """
        if self.is_over:
            return True
        if self.size_bytes is None or self.size_bytes - self.received_bytes > _LINGER_BYTES:
            return False
        if not self._owes:
            self._room = None  # a place of those that are poured was given back by now
        try:
            while await self._next() is not None:
                pass
        except S3Failure:
            return False
        return True

    async def _next(self) -> bytes | None:
        if self.is_over:
            return None
        if self._chunks is None:
            self._chunks = aiter(self._protocol)
        began_s = time.monotonic()
        try:
            async with asyncio.timeout(self._idle_s) as patience:
                if self._room is None:
                    chunk = await anext(self._chunks)
                else:
                    with self._room.listening(self._share, patience):
                        chunk = await anext(self._chunks)
        except StopAsyncIteration:
            self._ended = True
            if self.size_bytes is not None and self.received_bytes < self.size_bytes:
                raise S3Failure("IncompleteBody") from None
            return None
        except TimeoutError:
            self._ended = True
            raise S3Failure("RequestTimeout") from None
        except RuntimeError:
            # Granian's word for a peer that left in mid-body.
            self._ended = True
            raise S3Failure("IncompleteBody") from None
        self.received_bytes += len(chunk)
        self._waited_s += time.monotonic() - began_s
        too_slow = self._waited_s > _GRACE_S and self.received_bytes < self._waited_s * _LEAST_BYTES_S
        if too_slow and self._room is not None and self._room.is_crowded:
            self._ended = True
            raise S3Failure("RequestTimeout")
        return chunk


def body_of(head: Head, protocol: Any, idle_s: float) -> Body:
    """The body of a request; where there is none, one for all."""
    return Body(head, protocol, idle_s) if _length(head) != 0 else _NOTHING


def _length(head: Head) -> int | None:
    """The promised size; 0 if there is no body; None for one of unknown size."""
    text = head.by_name.get("content-length")
    if text is not None and text.isascii() and text.isdigit() and len(text) < 20:
        return int(text)
    return None if "transfer-encoding" in head.by_name else 0


_NOTHING: Final = Body(Head("GET", "/", "", ()), None, 0.0)
