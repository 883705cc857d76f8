"""A layout: where a segment's ranges lie now. Pure: values only, no files.

An open segment has one range that holds in each of its full copies. Strips will be many
ranges, each in one file.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from maruhub.errors import Corrupt
from maruhub.store.format.segment_class import SegmentClass

_HEAD: Final = struct.Struct("<BBBBIQII")
_RANGE: Final = struct.Struct("<QQQII")
_COPIES: Final = 0
EVERYWHERE: Final = (1 << 63) - 1
"""Length of the range of a segment in full copies."""


class Range(NamedTuple):
    """Bytes ``[start, start + length)`` of the segment lie at ``place`` of file ``file``."""

    start: int
    length: int
    place: int
    file: int


@dataclass(frozen=True, slots=True)
class Layout:
    """One generation of one segment's layout.

    ``end``: where the segment ends if closed, else where this epoch's writer took over.
    ``blades``: id of the blade of each file; in full copies each file holds everything.
    """

    segment: int
    segment_class: SegmentClass
    closed: bool
    generation: int
    epoch: int
    end: int
    blades: tuple[bytes, ...]
    ranges: tuple[Range, ...] = field(default=(Range(0, EVERYWHERE, 0, 0),))


def encode_layout(layout: Layout) -> bytes:
    """Payload of the segment's layout row."""
    head = _HEAD.pack(
        _COPIES,
        int(layout.closed),
        layout.segment_class,
        len(layout.blades),
        layout.generation,
        layout.end,
        layout.epoch,
        len(layout.ranges),
    )
    ranges = [_RANGE.pack(*r, 0) for r in layout.ranges]
    return b"".join([head, *layout.blades, *ranges])


def decode_layout(segment: int, payload: bytes) -> Layout:
    """Inverse of :func:`encode_layout`."""
    kind, closed, cls, files, generation, end, epoch, count = _HEAD.unpack_from(payload)
    if kind != _COPIES:
        raise Corrupt(f"segment {segment:016x}: layout kind {kind} is unknown to this release")
    at = _HEAD.size
    blades = tuple(payload[at + 16 * i : at + 16 * i + 16] for i in range(files))
    at += 16 * files
    ranges = tuple(Range(*_RANGE.unpack_from(payload, at + _RANGE.size * i)[:4]) for i in range(count))
    return Layout(segment, SegmentClass(cls), bool(closed), generation, epoch, end, blades, ranges)
