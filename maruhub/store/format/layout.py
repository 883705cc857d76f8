"""A layout: where a segment's ranges lie now. Pure: values only, no files.

Full copies have one range that holds in each file. Strips have many, each in one file; the
files behind the data strips are parity.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from maruhub.errors import Corrupt
from maruhub.store.format.segment_class import SegmentClass

_HEAD: Final = struct.Struct("<BBBBIQII")
_STRIPS_HEAD: Final = struct.Struct("<BBHIQQII")
_LENGTH: Final = struct.Struct("<Q")
_RANGE: Final = struct.Struct("<QQQII")
_COPIES: Final = 0
_STRIPS: Final = 1
BORN: Final = 1
"""The act of strips that no log came before: a bulk write's. Those of logs begin at 2."""
EVERYWHERE: Final = (1 << 63) - 1
"""Length of the range of a segment in full copies."""


class Range(NamedTuple):
    """Bytes ``[start, start + length)`` of the segment lie at ``place`` of file ``file``."""

    start: int
    length: int
    place: int
    file: int


@dataclass(frozen=True, slots=True)
class StripsLayout:
    """What a layout of strips says beside its ranges.

    Args:
        data: Number of data strips; the files behind them are parity.
        act: The generation in the files' names: of the act that cut them. Moving a file
            to another blade leaves it.
        data_at: Where the data of every file begin, behind its header.
        lengths: Bytes of data in each file; what is behind counts as zeros for the parity.
        dropped: Counter of the last turn that left bytes out of this segment.
        floor: Offset of the first batch of the chain that is still there.
        records_kib: KiB of whole pages that batches took when it was cut.
    """

    data: int
    act: int
    data_at: int
    lengths: tuple[int, ...]
    dropped: int
    floor: int
    records_kib: int = 0


@dataclass(frozen=True, slots=True)
class Layout:
    """One generation of one segment's layout.

    ``end``: where the segment ends if closed, else where this epoch's writer took over.
    ``blades``: id of the blade of each file; in full copies each file holds everything.
    ``strips``: None in full copies.
    """

    segment: int
    segment_class: SegmentClass
    closed: bool
    generation: int
    epoch: int
    end: int
    blades: tuple[bytes, ...]
    ranges: tuple[Range, ...] = field(default=(Range(0, EVERYWHERE, 0, 0),))
    strips: StripsLayout | None = None

    @property
    def is_unabridged(self) -> bool:
        """Whether nothing was ever left out of it: full copies, or strips that no act has cut."""
        return self.strips is None or self.strips.act == BORN

    @property
    def parity(self) -> int:
        """Files that may be lost at once."""
        return len(self.blades) - (self.strips.data if self.strips else 1)

    def range_of(self, offset: int, length: int) -> Range | None:
        """The range that holds all of ``[offset, offset + length)``; None if none does.

        Where ranges overlap (they share a page at most), the last that starts at or before
        ``offset`` counts.
        """
        at = bisect_right(self.ranges, offset, key=_start) - 1
        if at < 0 or offset + length > self.ranges[at].start + self.ranges[at].length:
            return None
        return self.ranges[at]


def _start(part: Range) -> int:
    return part.start


def encode_layout(layout: Layout) -> bytes:
    """Payload of the segment's layout row."""
    strips = layout.strips
    head = _HEAD.pack(
        _STRIPS if strips else _COPIES,
        int(layout.closed),
        layout.segment_class,
        len(layout.blades),
        layout.generation,
        layout.end,
        layout.epoch,
        len(layout.ranges),
    )
    return b"".join(
        [head, _strips_head(strips), *layout.blades, _lengths(strips), encode_ranges(layout.ranges)]
    )


def _strips_head(strips: StripsLayout | None) -> bytes:
    if strips is None:
        return b""
    return _STRIPS_HEAD.pack(
        strips.data, 0, 0, strips.act, strips.dropped, strips.floor, strips.data_at, strips.records_kib
    )


def _lengths(strips: StripsLayout | None) -> bytes:
    return b"".join(_LENGTH.pack(length) for length in strips.lengths) if strips else b""


def encode_ranges(ranges: tuple[Range, ...]) -> bytes:
    """Ranges as they stand in layout rows and in strips' headers, 32 bytes each."""
    return b"".join(_RANGE.pack(*part, 0) for part in ranges)


def decode_ranges(data: bytes, at: int, count: int) -> tuple[Range, ...]:
    """Inverse of :func:`encode_ranges`, from ``data[at:]``."""
    parts = _RANGE.iter_unpack(data[at : at + _RANGE.size * count])
    return tuple(Range(start, length, place, file) for start, length, place, file, _ in parts)


def decode_layout(segment: int, payload: bytes) -> Layout:
    """Inverse of :func:`encode_layout`."""
    kind, closed, cls, files, generation, end, epoch, count = _HEAD.unpack_from(payload)
    if kind not in (_COPIES, _STRIPS):
        raise Corrupt(f"segment {segment:016x}: layout kind {kind} is unknown to this release")
    at = _HEAD.size + (_STRIPS_HEAD.size if kind == _STRIPS else 0)
    blades = tuple(payload[at + 16 * i : at + 16 * i + 16] for i in range(files))
    at += 16 * files
    strips = _decode_strips(payload, at, files) if kind == _STRIPS else None
    at += _LENGTH.size * files if strips else 0
    ranges = decode_ranges(payload, at, count)
    return Layout(segment, SegmentClass(cls), bool(closed), generation, epoch, end, blades, ranges, strips)


def _decode_strips(payload: bytes, at: int, files: int) -> StripsLayout:
    data, _, _, act, dropped, floor, data_at, records_kib = _STRIPS_HEAD.unpack_from(payload, _HEAD.size)
    lengths = struct.unpack_from(f"<{files}Q", payload, at)
    return StripsLayout(data, act, data_at, lengths, dropped, floor, records_kib)
