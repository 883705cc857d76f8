"""An answer: what a door says to a request, before a server sends it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


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
