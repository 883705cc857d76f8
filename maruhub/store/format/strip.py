"""A strip: one file of a segment that was cut. Header, data, sums. Pure.

The header repeats all that is needed to read the segment without an index, so that any
``data`` files of one act are enough. Behind the data stands a CRC-32 for each 16 KiB.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from maruhub.errors import Corrupt
from maruhub.store.format.extent import BLOCK_BYTES
from maruhub.store.format.identity import FORMAT_VERSION, require_version
from maruhub.store.format.layout import Range, decode_ranges, encode_ranges
from maruhub.store.format.segment_class import SegmentClass

SUM_BLOCK_BYTES: Final = 16 << 10
"""Data under one CRC-32 of the trailer, counted from where the data begin."""

_MAGIC: Final = b"MARUSTR1"
_PREFIX: Final = struct.Struct("<8sII")
_BODY: Final = struct.Struct("<16sQBBBBI16s16sqQQQQIIIBBH")
_LENGTH: Final = struct.Struct("<Q")
_RANGE_BYTES: Final = 32
_KIND_STRIP: Final = 1
_SIZE_AT: Final = _PREFIX.size + 112
_HEADER_BYTES_MAX: Final = 1 << 28


class StripName(NamedTuple):
    """What a strip's file name says."""

    segment: int
    act: int
    number: int

    def __str__(self) -> str:
        return f"{self.segment:016x}.{self.act}.{self.number}.strip"


def parse_strip_name(name: str) -> StripName | None:
    """The parts of a strip's file name; None for any other name."""
    parts = name.split(".")
    if len(parts) != 4 or parts[3] != "strip" or len(parts[0]) != 16:
        return None
    if not (set(parts[0]) <= set("0123456789abcdef") and parts[1].isdecimal() and parts[2].isdecimal()):
        return None
    found = StripName(int(parts[0], 16), int(parts[1]), int(parts[2]))
    return found if str(found) == name else None


@dataclass(frozen=True, slots=True)
class StripHeader:
    """What a strip says of itself and of its act.

    Args:
        pool_id: 16 bytes.
        segment: Its id.
        segment_class: What it holds.
        number: Of this file; below ``data`` a data strip, else parity.
        act: As in the file's name.
        act_id: 16 random bytes, the same in all files that were cut together. Files of
            different acts never decode together, whatever their names.
        marker: The segment's, as in its log's header.
        created_us: When it was cut, microseconds since 1970.
        end: Where the segment ends.
        last_batch: Offset of the last batch of the chain; 0: none.
        tail_end: Where that batch ends.
        floor: Offset of the first batch of the chain that is still there; 0: none is.
        epoch: Of the log.
        data: Number of data strips.
        lengths: Bytes of data of each file of the act.
        ranges: Of all data strips, sorted by start.
    """

    pool_id: bytes
    segment: int
    segment_class: SegmentClass
    number: int
    act: int
    act_id: bytes
    marker: bytes
    created_us: int
    end: int
    last_batch: int
    tail_end: int
    floor: int
    epoch: int
    data: int
    lengths: tuple[int, ...]
    ranges: tuple[Range, ...]


def pool_of_strip(start: bytes) -> bytes | None:
    """The pool id in a strip's first 32 bytes, unchecked; None where no header was ever written."""
    return start[16:32] if start[: len(_MAGIC)] == _MAGIC else None


def strip_header_bytes(files: int, ranges: int) -> int:
    """Size of the header of an act: where the data begin, a multiple of 4,096."""
    size = _PREFIX.size + _BODY.size + _LENGTH.size * files + _RANGE_BYTES * ranges
    return size + -size % BLOCK_BYTES


def encode_strip_header(header: StripHeader) -> bytes:
    """The start of a strip's file, :func:`strip_header_bytes` long."""
    size = strip_header_bytes(len(header.lengths), len(header.ranges))
    body = _BODY.pack(
        header.pool_id,
        header.segment,
        header.segment_class,
        0,
        _KIND_STRIP,
        header.number,
        header.act,
        header.act_id,
        header.marker,
        header.created_us,
        header.end,
        header.last_batch,
        header.tail_end,
        header.floor,
        header.epoch,
        len(header.ranges),
        size,
        header.data,
        len(header.lengths),
        0,
    )
    lengths = b"".join(_LENGTH.pack(length) for length in header.lengths)
    rest = (body + lengths + encode_ranges(header.ranges)).ljust(size - _PREFIX.size, b"\0")
    return _PREFIX.pack(_MAGIC, FORMAT_VERSION, zlib.crc32(rest)) + rest


def strip_data_at(first_block: bytes, *, where: str) -> int:
    """Size of a header from its first 4,096 bytes; raises Corrupt."""
    if len(first_block) < BLOCK_BYTES or first_block[:8] != _MAGIC:
        raise Corrupt(f"{where}: not a strip")
    _, version, _ = _PREFIX.unpack_from(first_block)
    require_version(version, where=where)
    (size,) = struct.unpack_from("<I", first_block, _SIZE_AT)
    if not BLOCK_BYTES <= size <= _HEADER_BYTES_MAX or size % BLOCK_BYTES:
        raise Corrupt(f"{where}: a header of {size} bytes")
    return int(size)


def decode_strip_header(block: bytes, *, where: str) -> StripHeader:
    """Inverse of :func:`encode_strip_header`; ``block`` is the whole header."""
    size = strip_data_at(block[:BLOCK_BYTES], where=where)
    if len(block) < size or zlib.crc32(block[_PREFIX.size : size]) != _PREFIX.unpack_from(block)[2]:
        raise Corrupt(f"{where}: wrong CRC-32 of the header")
    (pool_id, segment, cls, cipher, kind, number, act, act_id, marker, created_us, end) = _BODY.unpack_from(
        block, _PREFIX.size
    )[:11]
    last_batch, tail_end, floor, epoch, count, _, data, files, _ = _BODY.unpack_from(block, _PREFIX.size)[11:]
    at = _PREFIX.size + _BODY.size
    if cipher or kind != _KIND_STRIP or cls not in set(SegmentClass) or not 1 <= data <= files:
        raise Corrupt(f"{where}: class {cls}, cipher {cipher}, kind {kind} are unknown to this release")
    if strip_header_bytes(files, count) != size or number >= files:
        raise Corrupt(f"{where}: the header's sizes contradict each other")
    lengths = struct.unpack_from(f"<{files}Q", block, at)
    ranges = decode_ranges(block, at + _LENGTH.size * files, count)
    return StripHeader(
        pool_id,
        segment,
        SegmentClass(cls),
        number,
        act,
        act_id,
        marker,
        created_us,
        end,
        last_batch,
        tail_end,
        floor,
        epoch,
        data,
        lengths,
        ranges,
    )


def trailer_bytes(length: int) -> int:
    """Size of the sums behind ``length`` bytes of data."""
    return 4 * (-(-length // SUM_BLOCK_BYTES) + 1)


def encode_trailer(sums: Sequence[int]) -> bytes:
    """The sums of a strip's 16 KiB blocks, and their own CRC-32."""
    packed = struct.pack(f"<{len(sums)}I", *sums)
    return packed + struct.pack("<I", zlib.crc32(packed))


def decode_trailer(data: bytes, *, where: str) -> tuple[int, ...]:
    """The sums of a strip's blocks; raises Corrupt."""
    packed, own = data[:-4], data[-4:]
    if len(data) < 4 or len(data) % 4 or struct.pack("<I", zlib.crc32(packed)) != own:
        raise Corrupt(f"{where}: its sums are damaged")
    return struct.unpack(f"<{len(packed) // 4}I", packed)
