"""Sealed segments as their strips' own headers describe them, without an index.

Files that were cut together belong together; of several complete sets the highest act
counts. What this finds is read through ``SegmentFile`` like any copy of a log.
"""

from __future__ import annotations

import math
import secrets
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from maruhub.errors import BladeLost, Corrupt, MaruError, Unavailable
from maruhub.store.blade import BladeFile
from maruhub.store.blades import Blades, try_open
from maruhub.store.copies import Copy
from maruhub.store.format.header import SegmentHeader
from maruhub.store.format.identity import BLOCK_BYTES
from maruhub.store.format.layout import Layout, StripsLayout
from maruhub.store.format.strip import (
    SUM_BLOCK_BYTES,
    StripHeader,
    StripName,
    decode_strip_header,
    decode_trailer,
    strip_data_at,
    strip_header_bytes,
    trailer_bytes,
)
from maruhub.store.read.checked_strips import CheckedStrips
from maruhub.store.read.strips import OpenStrips, SegmentFile

Listed = tuple[bytes, StripName]
"""A strip's file as a listing of the blades shows it: blade id and name."""

_WINDOW: Final = 256 * SUM_BLOCK_BYTES


@dataclass(frozen=True)
class FoundStrips:
    """A segment's best complete act: what its headers say, and ways to read it."""

    header: StripHeader
    copies: list[Copy]

    def segment_header(self) -> SegmentHeader:
        """What the segment's log said of itself, as far as its strips repeat it.

        Without an act's chain nobody reads the marker: then it is one that nothing matches.
        """
        return SegmentHeader(
            pool_id=self.header.pool_id,
            segment=self.header.segment,
            segment_class=self.header.segment_class,
            generation=self.header.act,
            created_us=self.header.created_us,
            segment_bytes=self.header.end,
            marker=self.header.marker if self.header.last_batch else secrets.token_bytes(16),
            blades=(),
        )


class _Set:
    """Files of one act, by number."""

    def __init__(self, header: StripHeader) -> None:
        self.header = header
        self.blades: dict[int, bytes] = {}

    @property
    def complete(self) -> bool:
        return len(self.blades) >= self.header.data


def find_strips(blades: Blades, listed: Sequence[Listed]) -> FoundStrips:
    """The best complete act among one segment's listed files.

    Raises Unavailable if too few files can be read now, Corrupt if too few are whole.
    """
    sets: dict[tuple[int, bytes], _Set] = {}
    problems: list[MaruError] = []
    for blade_id, name in listed:
        try:
            header = _read_header(blades, blade_id, name)
        except MaruError as error:
            problems.append(error)
            continue
        found = sets.setdefault((header.act, header.act_id), _Set(header))
        found.blades.setdefault(header.number, blade_id)
    complete = sorted((found for found in sets.values() if found.complete), key=_rank, reverse=True)
    if not complete:
        raise _incomplete(listed, problems)
    # A lone act was published, or began from a log that is still there. Of several the newest
    # may have lost its data with the power, and only its sums can tell.
    sound = (found for found in complete if len(complete) == 1 or _is_sound(blades, found))
    best = next(sound, complete[-1])
    return FoundStrips(best.header, _copies(blades, best))


def _rank(found: _Set) -> tuple[int, int]:
    return found.header.act, len(found.blades)


def _is_sound(blades: Blades, found: _Set) -> bool:
    """Whether enough files of an act hold what their sums say; reads them whole."""
    right = 0
    for number, blade_id in sorted(found.blades.items()):
        name = StripName(found.header.segment, found.header.act, number)
        file = _open(blades, blade_id, name)
        if file is not None:
            right += is_right(file, found.header, number)
            file.close()
        if right >= found.header.data:
            return True
    return False


def is_right(file: BladeFile, header: StripHeader, number: int) -> bool:
    """Whether the data of a strip's file agree with the sums behind them."""
    at = strip_header_bytes(len(header.lengths), len(header.ranges))
    end = at + header.lengths[number]
    try:
        trailer = bytearray(trailer_bytes(header.lengths[number]))
        if file.read_into(end, memoryview(trailer)) < len(trailer):
            return False
        sums = iter(decode_trailer(bytes(trailer), where="a strip"))
        window = memoryview(bytearray(_WINDOW))
        while at < end:
            part = window[: min(_WINDOW, end - at)]
            if file.read_into(at, part) < len(part):
                return False
            blocks = range(0, len(part), SUM_BLOCK_BYTES)
            if any(zlib.crc32(part[block : block + SUM_BLOCK_BYTES]) != next(sums, -1) for block in blocks):
                return False
            at += len(part)
    except (OSError, Corrupt):
        return False
    return True


def _incomplete(listed: Sequence[Listed], problems: Sequence[MaruError]) -> MaruError:
    segment = listed[0][1].segment
    message = f"segment {segment:016x}: {len(listed)} of its strips are there, too few to read it."
    hint = "Bring missing blades back. To go on without these records: maru check --accept-loss."
    kind = Unavailable if any(isinstance(error, Unavailable) for error in problems) else Corrupt
    return kind(message, hint=hint)


def _read_header(blades: Blades, blade_id: bytes, name: StripName) -> StripHeader:
    where = f"strip {name} on {blades.get(blade_id)!r}"
    file = _open(blades, blade_id, name)
    if file is None:
        raise Unavailable(f"{where}: it cannot be opened.")
    try:
        first = _read(file, BLOCK_BYTES)
        header = decode_strip_header(_read(file, strip_data_at(first, where=where)), where=where)
    except OSError as error:
        raise Unavailable(f"{where}: {error.strerror}.") from error
    finally:
        file.close()
    if (header.segment, header.act, header.number) != tuple(name):
        raise Corrupt(f"{where}: its header is of another strip")
    return header


def _read(file: BladeFile, size: int) -> bytes:
    buffer = bytearray(size)
    return bytes(buffer[: file.read_into(0, memoryview(buffer))])


def _open(blades: Blades, blade_id: bytes, name: StripName) -> BladeFile | None:
    blade = blades.get(blade_id)
    return try_open(blade, str(name)) if blade else None


def _copies(blades: Blades, found: _Set) -> list[Copy]:
    header = found.header
    size = strip_header_bytes(len(header.lengths), len(header.ranges))
    strips = StripsLayout(header.data, header.act, size, header.lengths, 0, header.floor)
    layout = Layout(
        header.segment,
        header.segment_class,
        True,
        header.act,
        header.epoch,
        header.end,
        (bytes(16),) * len(header.lengths),
        header.ranges,
        strips,
    )

    def open_file(number: int) -> BladeFile | None:
        blade_id = found.blades.get(number)
        return _open(blades, blade_id, StripName(header.segment, header.act, number)) if blade_id else None

    blade = next((blade for blade in blades if blade.blade_id in found.blades.values()), None)
    if blade is None:
        raise BladeLost(f"segment {header.segment:016x}: none of its blades answers.")
    own, shared = OpenStrips(open_file), OpenStrips(open_file)
    # Where sums can't be had: if two files are wrong one of these ways to read a range is right.
    ways = 1 + math.comb(len(header.lengths) - 1, header.data)
    files = [SegmentFile(layout, CheckedStrips(own, strips), own.close)]
    files += [SegmentFile(layout, shared, shared.close, variant=variant) for variant in range(ways)]
    return [Copy(blade, file) for file in files]
