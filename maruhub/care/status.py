"""A hub's status: what it holds, where, which failures it survives.

Everything here was counted a moment ago; nothing is estimated.
"""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from maruhub.care.blades import NamedBlade, name_blades
from maruhub.care.census import StageCount, take_census
from maruhub.care.notice import Notice
from maruhub.care.protection import protection_of
from maruhub.store.blades import COPIES
from maruhub.store.capacity import usable_bytes
from maruhub.store.pool import FoundPool
from maruhub.store.seal.placement import scheme
from maruhub.store.store import PoolStore


@dataclass(frozen=True, slots=True)
class BladeStatus:
    """One blade. ``used_bytes``: the pool's files on it; ``device``: the drive's number.

    ``number`` counts the hub's blades from 0; ``problem`` says why it doesn't answer.
    """

    id: str
    number: int
    path: str
    answers: bool
    problem: str
    used_bytes: int
    free_bytes: int
    device: int


@dataclass(frozen=True, slots=True)
class Status:
    """What ``maru status`` shows.

    ``survives``: how many blades may fail now without a loss; ``reduced``: fewer than the
    pool promises, because blades are missing or copies were lost. ``forms``: segments by how
    they lie; ``usable_bytes``: what still fits, which on blades of different sizes is less
    than their room together; ``care``: what whoever keeps the hub just now says, None: nobody does.
    ``awaiting_bytes``: what deleted and overwritten objects hold until they are eradicated.
    """

    path: str
    pool: str
    blades: tuple[BladeStatus, ...]
    copies: int
    survives: int
    reduced: bool
    protection: str
    forms: dict[str, int]
    care: dict[str, Any] | None
    stages: dict[str, StageCount]
    segments: dict[str, int]
    stored_bytes: int
    awaiting_bytes: int
    raw_bytes: int
    usable_bytes: int
    index_bytes: int
    shared_drive: bool
    read_only: bool

    def to_json(self) -> dict[str, Any]:
        """Plain values for ``--json``."""
        return asdict(self)


def read_status(
    path: Path, found: FoundPool, store: PoolStore, *, read_only: bool, keeper: Notice | None = None
) -> Status:
    """Counts everything; costs about a microsecond a row."""
    blades = _blades(path, found)
    stages = take_census(store)
    segments: Counter[str] = Counter()
    layouts = list(store.layouts())
    for layout in layouts:
        segments[f"{layout.segment_class.name.lower()} {'closed' if layout.closed else 'open'}"] += 1
    leaving = {blade_id.hex() for blade_id in found.blades.draining}
    protection = protection_of(layouts, found.blades.answering, len(found.blades))
    return Status(
        path=str(path),
        pool=store.pool_id.hex(),
        blades=tuple(blades),
        copies=min(COPIES, len(found.blades)),
        survives=max(0, protection.survives),
        reduced=protection.reduced,
        protection=protection.sentence,
        forms=protection.forms,
        care=None if keeper is None else asdict(keeper),
        stages=stages,
        segments=dict(segments),
        stored_bytes=sum(stage.size_bytes for stage in stages.values()),
        awaiting_bytes=stages["restorable"].size_bytes,
        raw_bytes=sum(blade.used_bytes for blade in blades),
        usable_bytes=usable_on([blade for blade in blades if blade.id not in leaving]),
        index_bytes=_allocated(path / "index"),
        shared_drive=_share_a_drive(blades),
        read_only=read_only,
    )


def usable_on(blades: Sequence[BladeStatus]) -> int:
    """Bytes of data that still fit, each segment's files on blades of their own.

    What blades of one drive have free counts once, an equal part for each. Blades without
    room are passed over, as long as the others protect as well.
    """
    answering = [blade for blade in blades if blade.answers]
    sharing = Counter(blade.device for blade in answering)
    free = sorted((blade.free_bytes // sharing[blade.device] for blade in answering), reverse=True)
    forms = [(count, scheme(count)) for count in range(1, len(free) + 1)]
    parity = scheme(len(free)).parity
    return max(
        (usable_bytes(free[:count], f.data, f.parity) for count, f in forms if f.parity == parity), default=0
    )


def _blades(hub: Path, found: FoundPool) -> list[BladeStatus]:
    free = {}
    for blade in found.blades:
        with contextlib.suppress(OSError):
            free[blade.blade_id.hex()] = blade.free_bytes()
    return [_blade(named, free.get(named.id)) for named in name_blades(hub, found)]


def _blade(named: NamedBlade, free_bytes: int | None) -> BladeStatus:
    """A blade that answers has a number of free bytes, a missing one none."""
    root = Path(named.path)
    return BladeStatus(
        id=named.id,
        number=named.number,
        path=named.path,
        answers=free_bytes is not None,
        problem=named.problem,
        used_bytes=0 if free_bytes is None else _allocated(root),
        free_bytes=free_bytes or 0,
        device=-1 if free_bytes is None else os.stat(root).st_dev,
    )


def _allocated(folder: Path) -> int:
    """Bytes that a folder's files take on the drive."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(root, name)).st_blocks * 512
            except OSError:
                continue
    return total


def _share_a_drive(blades: Sequence[BladeStatus]) -> bool:
    devices = [blade.device for blade in blades if blade.answers]
    return len(set(devices)) < len(devices)
