"""What is to be done to the segments of a pool, most urgent first. Pure.

Every task is one act on one segment; done twice it does no harm, and nothing but the pool
itself says what is left to do: whoever is killed on the way is simply asked again.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from typing import Final

from maruhub.errors import NoSpace
from maruhub.store.format.layout import Layout, StripsLayout
from maruhub.store.seal.placement import Scheme, place, scheme

GARBAGE_SHARE: Final = 0.25
"""A segment is compacted when this share of what its strips hold is dead."""

_BLOCK_BYTES: Final = 4096
_HEADER_ROOM: Final = 1 << 20
_MARGIN_SHIFT: Final = 6

UNEVEN_SHARE: Final = 0.10
"""Strips move when blades are filled to shares that lie further apart than this."""


class Kind(enum.IntEnum):
    """Why a segment is worked on, most urgent first."""

    REPAIR = 1
    DRAIN = 2
    SEAL = 3
    WIDEN = 4
    COMPACT = 5
    BALANCE = 6


@dataclass(frozen=True, slots=True)
class Task:
    """One act.

    ``moves``: number of each file that is to be made again and the blade for it, or None
    where whoever does it chooses; empty: the segment is cut anew. ``size_bytes``: about what
    will be written.
    """

    kind: Kind
    segment: int
    size_bytes: int
    moves: tuple[tuple[int, bytes | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """One closed segment as a survey found it.

    ``live_bytes`` in whole pages, None if unknown; ``damaged``: numbers of files that are
    known to be missing or wrong although their blade answers.
    """

    layout: Layout
    live_bytes: int | None
    damaged: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Room:
    """One blade: what it could hold in all, what it holds, and whether it takes anything new."""

    total_bytes: int
    used_bytes: int
    writable: bool = True

    @property
    def free_bytes(self) -> int:
        """What a strip may take, its header and the file system's own left out."""
        return max(0, self.total_bytes - self.used_bytes - _HEADER_ROOM) if self.writable else 0


def plan(
    segments: Iterable[Found],
    usable: Mapping[bytes, Room],
    draining: Set[bytes],
    *,
    covered: bool = False,
) -> list[Task]:
    """All tasks, in the order in which to do them.

    Args:
        segments: Every closed segment.
        usable: Blades that answer and aren't draining.
        draining: Blades that answer and are to be emptied.
        covered: A new checkpoint holds all rows: records may be left out like what is dead.
    """
    tasks = [task for found in segments if (task := _task(found, usable, draining, covered=covered))]
    return sorted(tasks, key=lambda task: (task.kind, _urgency(task), task.segment))


def _urgency(task: Task) -> int:
    return -len(task.moves) if task.kind == Kind.REPAIR else 0


def _task(found: Found, rooms: Mapping[bytes, Room], draining: Set[bytes], *, covered: bool) -> Task | None:
    layout, usable = found.layout, rooms.keys()
    lost = {n for n, blade in enumerate(layout.blades) if blade not in usable | draining} | found.damaged
    leaving = {n for n, blade in enumerate(layout.blades) if blade in draining}
    data, parity = scheme(len(usable))
    size = _recut_bytes(found, data, parity)
    same = layout.strips is not None and (layout.strips.data, layout.parity) == (data, parity)
    fits = same and len(usable - set(layout.blades)) + len(lost & found.damaged) >= len(lost | leaving)
    if lost:
        return Task(Kind.REPAIR, layout.segment, size, _moves(lost) if fits else ())
    if leaving:
        return Task(Kind.DRAIN, layout.segment, size, _moves(leaving) if fits else ())
    kind = _reshaping(layout, _attainable(found, rooms))
    if kind is None and is_sparse(found, records=covered):
        kind = Kind.COMPACT
    return Task(kind, layout.segment, size) if kind else None


def _attainable(found: Found, rooms: Mapping[bytes, Room]) -> Scheme:
    """How the segment would lie if it were cut now: blades without room for a strip count for nothing.

    Where it fits nowhere it is what the pool wants: whoever tries says what is missing.
    """
    need = _held_bytes(found.layout) if found.live_bytes is None else found.live_bytes
    free = {blade: room.free_bytes for blade, room in rooms.items()}
    try:
        return place(found.layout.segment, free, need + (need >> _MARGIN_SHIFT)).scheme
    except NoSpace:
        return scheme(len(rooms))


def _reshaping(layout: Layout, wanted: Scheme) -> Kind | None:
    """Why a whole segment is to lie otherwise; full copies stay where strips would save nothing."""
    data = layout.strips.data if layout.strips else 1
    if layout.strips is None and wanted.data > 1:
        return Kind.SEAL
    # Never narrower: that would take room just where a blade is full, or can't be written for a while.
    if (wanted.parity, wanted.data) > (layout.parity, data):
        return Kind.WIDEN
    return None


def is_narrow(layout: Layout, blades: int) -> bool:
    """Whether a segment would lie otherwise if all of so many blades took a strip."""
    return _reshaping(layout, scheme(blades)) is not None


def _moves(numbers: Iterable[int]) -> tuple[tuple[int, bytes | None], ...]:
    return tuple((number, None) for number in sorted(numbers))


def _held_bytes(layout: Layout) -> int:
    """Bytes of the segment that its files hold, without what protects them."""
    if layout.strips is None:
        return layout.end
    return sum(layout.strips.lengths[: layout.strips.data])


def is_sparse(found: Found, *, records: bool = False) -> bool:
    """Whether much of a segment is dead; with ``records`` its batches count as dead too."""
    strips = found.layout.strips
    if found.live_bytes is None:
        return False
    kept = found.live_bytes + (0 if records or strips is None else strips.records_kib << 10)
    held = _held_bytes(found.layout)
    if kept >= (1 - GARBAGE_SHARE) * held:
        return False
    return not kept or strips is None or held - kept > _padding_bytes(strips)


def _padding_bytes(strips: StripsLayout) -> int:
    """What strips may hold beside the data, however often they are written anew.

    A block where two strips meet is in both, and each ends with a whole block.
    """
    return 2 * _BLOCK_BYTES * strips.data


def records_bytes(layouts: Iterable[Layout]) -> int:
    """Bytes of the batches in all segments that are in strips."""
    return sum(layout.strips.records_kib << 10 for layout in layouts if layout.strips)


def _recut_bytes(found: Found, data: int, parity: int) -> int:
    live = _held_bytes(found.layout) if found.live_bytes is None else found.live_bytes
    return live * (data + parity) // data


def balance(layouts: Iterable[Layout], usable: Mapping[bytes, Room]) -> list[Task]:
    """Moves of single strips from the fullest blades to the emptiest, until they are even.

    Fill is a share of what a blade could hold, so blades of different sizes fill together.
    """
    fill = {blade: float(room.used_bytes) for blade, room in usable.items()}
    tasks: list[Task] = []
    movable = [layout for layout in layouts if layout.strips is not None]
    moved: Counter[int] = Counter()
    for layout in sorted(movable, key=lambda layout: layout.segment):
        task = _balancing(layout, usable, fill)
        if task is not None and not moved[layout.segment]:
            tasks.append(task)
            moved[layout.segment] += 1
    return tasks


def _balancing(layout: Layout, usable: Mapping[bytes, Room], fill: dict[bytes, float]) -> Task | None:
    """One strip of the segment on a better blade, if that evens things out; ``fill`` is moved."""
    assert layout.strips is not None

    def share(blade: bytes) -> float:
        return fill[blade] / max(1, usable[blade].total_bytes)

    here = [(share(blade), n) for n, blade in enumerate(layout.blades) if blade in usable]
    free = [
        (share(blade), blade) for blade in usable if blade not in layout.blades and usable[blade].writable
    ]
    if not here or not free:
        return None
    (full, number), (empty, target) = max(here), min(free)
    size = layout.strips.lengths[number]
    if usable[target].free_bytes < size:
        return None
    if full - empty <= UNEVEN_SHARE * max(full, 1e-9) or not size:
        return None
    fill[layout.blades[number]] -= size
    fill[target] += size
    return Task(Kind.BALANCE, layout.segment, size, ((number, target),))
