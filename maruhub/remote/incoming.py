"""The frames of an answer as they come over the network, each in one piece of memory.

A frame's head says how long it is: the kernel copies the rest to where it stays.
"""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from typing import Any, Final

import urllib3

from maruhub.errors import InvalidData
from maruhub.remote.room import Room
from maruhub.wire.frame import HEAD_BYTES, Buffer, frame_bytes

_PIECE_BYTES: Final = 8 << 20


def read_frames(response: urllib3.BaseHTTPResponse, room: Room) -> Iterator[Buffer]:
    """Each frame whole, and at the end whatever came that is none.

    Raises:
        OSError: The network failed.
        http.client.HTTPException: It ended in the midst of a chunk.
        urllib3.exceptions.HTTPError: The same, from where the library copies.
    """
    # The library reads into no memory of others; what it reads from does.
    source: Any = vars(response).get("_fp")
    if not isinstance(source, http.client.HTTPResponse):
        while data := response.read(_PIECE_BYTES, decode_content=False):
            yield data
        return
    head = bytearray(HEAD_BYTES)
    while got := _fill(source, memoryview(head)):
        try:
            size = frame_bytes(head) if got == HEAD_BYTES else got
        except InvalidData:
            size = got  # whoever decodes it says so
        frame = room.take(size)
        frame[:got] = head[:got]
        filled = got + _fill(source, frame[got:])
        yield frame[:filled]


def _fill(source: http.client.HTTPResponse, view: memoryview) -> int:
    """How many bytes came before it was full, or all were there."""
    filled = 0
    while filled < len(view) and (got := source.readinto(view[filled:])):
        filled += got
    return filled
