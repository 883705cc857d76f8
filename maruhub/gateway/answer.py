"""An answer: what a door says to a request, before a server sends it."""

from __future__ import annotations

from collections import deque
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from typing import Any, Final

from maruhub.wire.frame import Buffer

_TOGETHER_BYTES: Final = 1 << 20


class Gathered(Iterator[bytes]):
    """A body whose pieces are several buffers each, which need not be put together to be sent.

    Args:
        pieces: Buffers that are sent back to back, a piece at a time; they stay as they are for as
            long as somebody holds them. Closed with this, if it can be.
    """

    def __init__(self, pieces: Iterator[list[Buffer]]) -> None:
        self._pieces = pieces
        self._begun: deque[Buffer] = deque()

    def __next__(self) -> bytes:
        """What follows, put together: about a MiB at a time, for which no memory need be new."""
        if not self._begun:
            self._begun.extend(next(self._pieces))
        together, size = [], 0
        while self._begun and size < _TOGETHER_BYTES:
            together.append(self._begun.popleft())
            size += len(together[-1])
        return b"".join(together)

    def gather(self) -> list[Buffer]:
        """The next piece as buffers; none at the end."""
        return next(self._pieces, [])

    def put_back(self, buffers: list[Buffer]) -> None:
        """A piece that was gathered, and is to be put together after all."""
        self._begun.extend(buffers)

    def close(self) -> None:
        """Nothing more is needed."""
        close = getattr(self._pieces, "close", None)
        if close is not None:
            close()


@dataclass(slots=True)
class Answer:
    """Status, headers and body.

    Attributes:
        status: Of HTTP.
        headers: Names in lower case, in the order in which they are sent.
        body: All of it, or pieces to be sent one after the other. An iterator is the server's:
            it calls ``close()`` where it has one once it needs no more, and runs it where
            blocking harms nobody. One with ``at_once()`` gives there, without blocking, the next
            piece or None, and nothing at its end; each such piece is sent or copied before the next
            call. What it raises ends the connection, so that a body that is cut never looks whole.
    """

    status: int
    headers: list[tuple[str, str]]
    body: bytes | bytearray | Iterator[bytes | bytearray] = b""

    @property
    def is_whole(self) -> bool:
        """Whether its body is there, all of it."""
        return isinstance(self.body, bytes | bytearray)


Step = Answer | Coroutine[Any, Any, Answer]
"""An answer, or what a server's event loop runs to have it."""
