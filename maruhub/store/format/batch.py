"""A batch of records: one turn's rows, valid only whole. Pure: bytes in, values out.

The table of fields is in docs/format.md, "A batch of records".
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

_HEAD: Final = struct.Struct("<16sIIQQIIQQQqII")
_RECORD: Final = struct.Struct("<II")
_CRC_START: Final = 20

BATCH_HEAD_BYTES: Final = _HEAD.size
BATCH_ALIGN: Final = 8
MARKER_BYTES: Final = 16
CHECKPOINT: Final = 1
CHECKPOINT_END: Final = 2


@dataclass(frozen=True, slots=True)
class BatchHead:
    """Where a batch stands: in its segment (chain) and in the line of turns (counters)."""

    size: int
    offset: int
    previous: int
    epoch: int
    record_count: int
    first: int
    last: int
    after: int
    pool_time_us: int
    flags: int

    @property
    def end(self) -> int:
        """Offset behind the batch."""
        return self.offset + self.size


@dataclass(frozen=True, slots=True)
class BatchPlace:
    """What the writer knows before it writes: everything but size and records."""

    offset: int
    previous: int
    epoch: int
    first: int
    last: int
    after: int
    pool_time_us: int
    flags: int = 0


def encode_batch(marker: bytes, place: BatchPlace, records: Sequence[tuple[bytes, bytes]]) -> bytes:
    """The bytes of a batch that stands at ``place.offset``; records are (key, row value)."""
    parts = [b""]
    for key, value in records:
        parts += (_RECORD.pack(len(key), len(value)), key, value)
    size = _HEAD.size + sum(map(len, parts))
    head = _HEAD.pack(
        marker,
        0,
        size,
        place.offset,
        place.previous,
        place.epoch,
        len(records),
        place.first,
        place.last,
        place.after,
        place.pool_time_us,
        place.flags,
        0,
    )
    parts[0] = head[_CRC_START:]
    body = b"".join(parts)
    return marker + struct.pack("<I", zlib.crc32(body)) + body


def decode_batch_head(marker: bytes, data: bytes | memoryview, offset: int) -> BatchHead | None:
    """The head at ``offset`` of the segment, or None if no batch of this log can start here."""
    if len(data) < _HEAD.size or bytes(data[:MARKER_BYTES]) != marker:
        return None
    (_, _, size, own, previous, epoch, count, first, last, after, clock, flags, _) = _HEAD.unpack_from(data)
    if own != offset or size < _HEAD.size or previous >= offset or not after < first <= last:
        return None
    return BatchHead(size, own, previous, epoch, count, first, last, after, clock, flags)


def batch_is_whole(head: BatchHead, data: bytes | memoryview) -> bool:
    """Whether ``data`` (from the batch's first byte on) holds it whole, by its CRC."""
    if len(data) < head.size:
        return False
    crc: int = struct.unpack_from("<I", data, MARKER_BYTES)[0]
    return zlib.crc32(data[_CRC_START : head.size]) == crc


def iter_records(head: BatchHead, data: bytes | memoryview) -> Iterator[tuple[bytes, bytes]]:
    """(key, row value) of a whole batch, in order."""
    at = _HEAD.size
    for _ in range(head.record_count):
        key_size, value_size = _RECORD.unpack_from(data, at)
        at += _RECORD.size
        key = bytes(data[at : at + key_size])
        at += key_size
        yield key, bytes(data[at : at + value_size])
        at += value_size
