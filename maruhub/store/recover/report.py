"""What recovery found and did."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class RecoveryReport:
    """What recovery found and did. ``problems`` are sentences for a person."""

    segments: int = 0
    turns_replayed: int = 0
    copies_mended: int = 0
    orphans_removed: int = 0
    problems: list[str] = field(default_factory=list)
