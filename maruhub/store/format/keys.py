"""Keys and values of the store's own rows (first byte 0x01). Pure.

Segment ids stand big-endian in keys, so that a segment's rows lie together.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

_SEGMENT: Final = struct.Struct(">Q")
_TAIL: Final = struct.Struct("<QQ")

LAYOUT_PREFIX: Final = b"\x01L"
TAIL_PREFIX: Final = b"\x01T"
OPEN_PREFIX: Final = b"\x01O"
BLADE_PREFIX: Final = b"\x01D"
STATE_KEY: Final = b"\x01C"
CHECKPOINT_KEY: Final = b"\x01K"


class Tail(NamedTuple):
    """The last batch of a segment that the index has seen: where it starts and ends."""

    batch: int
    end: int


def layout_key(segment: int) -> bytes:
    """Key of the segment's layout row."""
    return LAYOUT_PREFIX + _SEGMENT.pack(segment)


def tail_key(segment: int) -> bytes:
    """Key of the segment's tail."""
    return TAIL_PREFIX + _SEGMENT.pack(segment)


def open_key(segment: int) -> bytes:
    """Key of the mark that the segment is open."""
    return OPEN_PREFIX + _SEGMENT.pack(segment)


def blade_key(blade_id: bytes) -> bytes:
    """Key of the row that says what a blade (16 bytes) is used for."""
    return BLADE_PREFIX + blade_id


def blade_of(key: bytes) -> bytes:
    """The blade that a key of :func:`blade_key` names."""
    return key[len(BLADE_PREFIX) :]


def segment_of(key: bytes) -> int:
    """The segment that one of the keys of segments names."""
    segment: int = _SEGMENT.unpack_from(key, 2)[0]
    return segment


def encode_tail(tail: Tail) -> bytes:
    """Value of a tail."""
    return _TAIL.pack(*tail)


def decode_tail(value: bytes | None) -> Tail:
    """The tail, ``(0, 0)`` if the index has seen no batch of the segment."""
    return Tail(*_TAIL.unpack(value)) if value else Tail(0, 0)
