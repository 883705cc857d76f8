"""Which rows hold which bytes: reference rows, made from the rows that name extents.

Pure. A reference row lives exactly as long as its owner names the extent, is written in
the same index transaction, and is never logged: it follows from the owner.
"""

from __future__ import annotations

import struct
from typing import Final

import xxhash

from maruhub.store.format.row import Row

_EXTENT: Final = struct.Struct(">QQQ")
_SEGMENT: Final = struct.Struct(">QQ")
_EXTENT_LE: Final = struct.Struct("<QQIIQ")

REFERENCE_PREFIX: Final = b"\x01R"
SEGMENT_PREFIX: Final = b"\x01S"


def extent_prefix(segment: int, offset: int) -> bytes:
    """In front of the reference rows of all owners of an extent."""
    return REFERENCE_PREFIX + _SEGMENT.pack(segment, offset)


def reference_keys(row: Row) -> list[bytes]:
    """Keys of all reference rows that ``row`` owns; their value is ``row.key``."""
    raw = row.extents_raw
    segments = row.segments
    if not raw and not segments:
        return []
    owner = xxhash.xxh3_64_intdigest(row.key)
    extents = {(s, o) for s, o, _, _, _ in _EXTENT_LE.iter_unpack(raw)}
    keys = [REFERENCE_PREFIX + _EXTENT.pack(s, o, owner) for s, o in extents]
    return keys + [SEGMENT_PREFIX + _SEGMENT.pack(s, owner) for s in set(segments)]
