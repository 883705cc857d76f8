"""What is known of a request once it has ended."""

from __future__ import annotations

from typing import NamedTuple


class Ended(NamedTuple):
    """One request that has been answered, or whose client has gone.

    Attributes:
        at_s: When it ended, seconds since 1970.
        seconds: From its head to the end of its answer.
        id: As its client was told.
        client: Address and port of the peer.
        key: The access key that signed; empty without one.
        operation: Its name.
        method: Of HTTP.
        path: Without the query, which may hold a signature.
        status: Of the answer; 0 where none was sent.
        received: Bytes of its body.
        sent: Bytes of the answer's body.
    """

    at_s: float
    seconds: float
    id: str
    client: str
    key: str
    operation: str
    method: str
    path: str
    status: int
    received: int
    sent: int
