"""A survey: what would be freed and why, what stays and because of what. In groups.

Findings are counted where they lie (a bucket, a dataset's version), so that a million
hidden versions are a few lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from maruhub.care.reclaim.dead import Dead
from maruhub.care.reclaim.part import Finding, Hold
from maruhub.store.format.extent import EXTENT_DTYPE


def size_of(extents_raw: bytes) -> int:
    """Bytes that a row's extents hold."""
    return int(np.frombuffer(extents_raw, EXTENT_DTYPE)["length"].sum(dtype=np.int64))


@dataclass(slots=True)
class Group:
    """Findings of one kind in one place that share a fate.

    Args:
        kind: As ``Finding.kind``.
        where: As ``Finding.where``.
        hold: Why they stay; empty: their time is over, their rows can be removed.
        held_by: Who else names their bytes, or the hold in more words.
        count: How many.
        size_bytes: What their rows hold.
        freed_bytes: How much of that nothing else names.
        since_us: Wall time when the first was hidden, the last.
        until_us: Pool time from which the first, the last can be removed.
    """

    kind: str
    where: str
    hold: str
    held_by: str = ""
    count: int = 0
    size_bytes: int = 0
    freed_bytes: int = 0
    since_us: tuple[int, int] = (0, 0)
    until_us: tuple[int, int] = (0, 0)

    def add(self, finding: Finding, size_bytes: int, freed_bytes: int = 0) -> None:
        """Takes in one finding."""
        since, until = finding.since_us, finding.until_us
        if self.count:
            self.since_us = (min(self.since_us[0], since), max(self.since_us[1], since))
            self.until_us = (min(self.until_us[0], until), max(self.until_us[1], until))
        else:
            self.since_us, self.until_us = (since, since), (until, until)
        self.count += 1
        self.size_bytes += size_bytes
        self.freed_bytes += freed_bytes


@dataclass(slots=True)
class Survey:
    """What a dry run shows. ``groups`` in order of discovery; ``pool_time_us`` when it looked.

    Copies share bytes: those of several rows that stay are counted with each.
    """

    pool_time_us: int
    groups: dict[tuple[str, str, str, str], Group] = field(default_factory=dict)

    @property
    def freed_bytes(self) -> int:
        """Bytes that nothing would name any more."""
        return sum(group.freed_bytes for group in self.groups.values())

    @property
    def removable(self) -> int:
        """Rows whose time is over."""
        return sum(group.count for group in self.groups.values() if not group.hold)

    @property
    def awaiting_bytes(self) -> int:
        """Bytes of everything that is out of sight, whether its time is over or not."""
        return sum(group.size_bytes for group in self.groups.values())

    def add(self, finding: Finding) -> bool:
        """Counts what stays; True for what may go: that is counted by :meth:`settle`."""
        if finding.hold is Hold.NOTHING:
            return True
        self._group(finding, finding.why).add(finding, size_of(finding.extents_raw))
        return False

    def settle(self, over: Sequence[Finding], dead: Dead) -> None:
        """Counts what may go, by who else names its bytes."""
        for finding, holder, freed in zip(over, dead.holders, dead.freed_bytes.tolist(), strict=True):
            self._group(finding, holder).add(finding, size_of(finding.extents_raw), freed)

    def _group(self, finding: Finding, held_by: str) -> Group:
        key = (finding.kind, finding.where, str(finding.hold), held_by)
        if key not in self.groups:
            self.groups[key] = Group(*key)
        return self.groups[key]

    def to_json(self) -> dict[str, Any]:
        """Plain values for ``--json``."""
        return {
            "freed_bytes": self.freed_bytes,
            "removable": self.removable,
            "awaiting_bytes": self.awaiting_bytes,
            "pool_time_us": self.pool_time_us,
            "groups": [asdict(group) for group in self.groups.values()],
        }
