"""Sealed segments as their strips' own headers describe them, without an index.

Files that were cut together belong together; of several complete sets the highest act
counts. What this finds is read through ``SegmentFile`` like any copy of a log.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from maruhub.errors import BladeLost, Corrupt, MaruError, Unavailable
from maruhub.store.blade import BladeFile
from maruhub.store.blades import Blades
from maruhub.store.commit.copies import Copy
from maruhub.store.format.header import SegmentHeader
from maruhub.store.format.identity import BLOCK_BYTES
from maruhub.store.format.layout import Layout, StripsLayout
from maruhub.store.format.strip import (
    StripHeader,
    StripName,
    decode_strip_header,
    strip_data_at,
    strip_header_bytes,
)
from maruhub.store.read.strips import SegmentFile, StripSet

Listed = tuple[bytes, StripName]
"""A strip's file as a listing of the blades shows it: blade id and name."""

_VARIANTS: Final = 3
"""As many ways of reading a batch are tried as there were copies of the log."""


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
    complete = [found for found in sets.values() if found.complete]
    if not complete:
        raise _incomplete(listed, problems)
    best = max(complete, key=lambda found: (found.header.act, len(found.blades)))
    return FoundStrips(best.header, _copies(blades, best))


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
    with contextlib.suppress(OSError):
        return blade.open(str(name)) if blade else None
    return None


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
    shared = StripSet(strips, open_file)
    return [Copy(blade, SegmentFile(layout, shared, variant=variant)) for variant in range(_VARIANTS)]
