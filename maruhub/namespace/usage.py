"""How much a bucket holds, counted by what for, and its row C. Pure.

A count is a number and bytes. Of what S3 lists and bills (current objects, older versions, parts of
uploads under way) quotas are made; what is merely restorable is counted too, and bound by none.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Final, NamedTuple

from maruhub.errors import UnsupportedFormat
from maruhub.store.format.row import Row

_HEAD: Final = struct.Struct("<BBHI")
_VERSION: Final = 1
_SIZE: Final = struct.Struct("<Q")
_SIZE_AT: Final = 8
_HIDDEN_PAYLOAD_AT: Final = 40
_LISTED: Final = 1
_MARKER: Final = 3
_KINDS: Final = (b"K", b"U", b"V")


class Stock(IntEnum):
    """What something counts as."""

    OBJECT = 0
    VERSION = 1
    MARKER = 2
    HIDDEN = 3
    UPLOAD = 4
    PART = 5


Share = tuple[Stock, int]
"""What one row counts as, and its bytes."""

Amount = tuple[int, int]
"""Objects and bytes that count towards a quota."""

_COUNTS: Final = struct.Struct(f"<{2 * len(Stock)}q")


class Usage(NamedTuple):
    """Number and bytes of each :class:`Stock`, one after the other."""

    counts: tuple[int, ...] = (0,) * (2 * len(Stock))

    def number(self, stock: Stock) -> int:
        """How many there are."""
        return self.counts[2 * stock]

    def size_bytes(self, stock: Stock) -> int:
        """Their bytes; copies by reference count each."""
        return self.counts[2 * stock + 1]

    @property
    def amount(self) -> Amount:
        """What counts towards a quota: objects and versions; their bytes and those of parts."""
        counts = self.counts
        return counts[0] + counts[2], counts[1] + counts[3] + counts[11]

    def plus(self, shares: list[tuple[Share, int]]) -> Usage:
        """With shares added, or taken away where the sign beside it is -1."""
        counts = list(self.counts)
        for (stock, size_bytes), sign in shares:
            counts[2 * stock] += sign
            counts[2 * stock + 1] += sign * size_bytes
        return Usage(tuple(counts))


class Count(NamedTuple):
    """What a row C says.

    Args:
        usage: How much there is; None: nobody has counted yet.
        recount: What a recount under way has found in the rows up to ``cursor``.
        cursor: Key of the last row that it has counted.
    """

    usage: Usage | None
    recount: Usage | None = None
    cursor: bytes = b""


def share_of(key: bytes, payload: bytes) -> Share | None:
    """What a row K, U or V counts as; None for a row that this release can't read."""
    try:
        return _share_of(key, payload) if payload[0] == 1 else None
    except (struct.error, IndexError):
        return None


def _share_of(key: bytes, payload: bytes) -> Share:
    kind = key[0]
    if kind == 75:  # K
        return Stock.OBJECT, _SIZE.unpack_from(payload, _SIZE_AT)[0]
    if kind == 85:  # U
        if key.endswith(b"\0\0"):
            return Stock.UPLOAD, 0
        return Stock.PART, _SIZE.unpack_from(payload, _SIZE_AT)[0]
    if payload[1] == _MARKER:
        return Stock.MARKER, 0
    at = _HIDDEN_PAYLOAD_AT + payload[2] + payload[3] + _SIZE_AT
    return Stock.VERSION if payload[4] & _LISTED else Stock.HIDDEN, _SIZE.unpack_from(payload, at)[0]


def encode_count(count: Count) -> bytes:
    """The payload of a row C."""
    flags = (count.usage is not None) | (count.recount is not None) << 1
    payload = _HEAD.pack(_VERSION, flags, 0, 0) + _COUNTS.pack(*(count.usage or Usage()).counts)
    return payload if count.recount is None else payload + _COUNTS.pack(*count.recount.counts) + count.cursor


def decode_count(row: Row) -> Count:
    """The count of a row C."""
    payload = row.payload
    if len(payload) < _HEAD.size + _COUNTS.size or payload[0] != _VERSION:
        raise UnsupportedFormat(f"count row {row.key!r} has an unknown version.", hint="Upgrade MaruHub.")
    usage = Usage(_COUNTS.unpack_from(payload, _HEAD.size)) if payload[1] & 1 else None
    if not payload[1] & 2:
        return Count(usage)
    at = _HEAD.size + _COUNTS.size
    return Count(usage, Usage(_COUNTS.unpack_from(payload, at)), payload[at + _COUNTS.size :])


def count_key(bucket_id: bytes) -> bytes:
    """The row key of a bucket's count."""
    return b"C" + bucket_id


def counted_ranges(bucket_id: bytes) -> list[tuple[bytes, bytes]]:
    """Start and stop of the rows that count towards a bucket, in their order."""
    after = (int.from_bytes(bucket_id, "big") + 1).to_bytes(8, "big")
    return [(kind + bucket_id, kind + after) for kind in _KINDS]
