"""Which blades get the strips of an act. Pure: rooms and a seed in, blades out.

Blades are drawn by weighted rendezvous hashing (J. Wang and others' "straw" draw: the least
−ln(u) / weight wins): each segment has its own order of all blades, so what a failed
blade held is spread over all others, and so is the work of making it again.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from typing import Final, NamedTuple

import xxhash

from maruhub.errors import NoSpace
from maruhub.store.parity import MAX_DATA, PARITY

_DRAW: Final = struct.Struct("<Q16sI")


class Scheme(NamedTuple):
    """Numbers of data and of parity strips."""

    data: int
    parity: int

    @property
    def files(self) -> int:
        """Data and parity together."""
        return self.data + self.parity


def scheme(blades: int) -> Scheme:
    """What ``blades`` blades can hold, each strip on another: as many parity strips as can be."""
    parity = max(0, min(PARITY, blades - 1))
    return Scheme(max(1, min(blades - PARITY, MAX_DATA)), parity)


class Placement(NamedTuple):
    """``blades[i]``: id of the blade of file i."""

    scheme: Scheme
    blades: tuple[bytes, ...]


def place(segment: int, rooms: Mapping[bytes, int], need: int) -> Placement:
    """The scheme and the blades of a segment's new strips.

    Args:
        segment: Its id, the seed.
        rooms: Bytes left for this on each blade that answers and isn't being drained.
        need: Bytes of data, all strips together.

    Raises:
        NoSpace: So few blades have room that less could be lost than the pool allows.
    """
    wanted = scheme(len(rooms))
    roomy = dict(rooms)
    while roomy:
        chosen = scheme(len(roomy))
        share = -(-need // chosen.data)
        fitting = {blade: room for blade, room in roomy.items() if room >= share}
        if len(fitting) == len(roomy):
            break
        roomy = fitting
    if not roomy or scheme(len(roomy)).parity < wanted.parity:
        raise NoSpace(
            f"segment {segment:016x}: {need} bytes and their parity don't fit: {len(roomy)} of "
            f"{len(rooms)} blades have room for a strip.",
            hint="Add a blade, or free space.",
        )
    return Placement(chosen, _drawn(segment, roomy, chosen.files))


def place_one(segment: int, number: int, rooms: Mapping[bytes, int], need: int) -> bytes:
    """The blade for one file of a segment, among those that hold none of its others.

    Raises:
        NoSpace: None of ``rooms`` has ``need`` bytes.
    """
    roomy = {blade: room for blade, room in rooms.items() if room >= need}
    if not roomy:
        raise NoSpace(
            f"segment {segment:016x}: no blade that lacks a strip of it has room for {need} bytes.",
            hint="Add a blade, or free space.",
        )
    return min(roomy, key=lambda blade: _draw(segment, blade, 1 + number, roomy[blade]))


def _drawn(segment: int, rooms: Mapping[bytes, int], count: int) -> tuple[bytes, ...]:
    """``count`` blades, roomy ones likelier; then by chance which of them gets which number."""
    chosen = sorted(rooms, key=lambda blade: _draw(segment, blade, 0, rooms[blade]))[:count]
    return tuple(sorted(chosen, key=lambda blade: _draw(segment, blade, 1 << 31, 1)))


def _draw(segment: int, blade: bytes, salt: int, weight: int) -> float:
    digest = xxhash.xxh3_64_intdigest(_DRAW.pack(segment, blade, salt))
    return -math.log((digest + 1) / (1 << 64)) / max(weight, 1)
