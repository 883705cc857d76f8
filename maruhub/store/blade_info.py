"""What people are told of one blade."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

IN_SERVICE: Final = "in service"
DRAINING: Final = "draining"
REMOVED: Final = "removed"
MISSING: Final = "missing"


@dataclass(frozen=True, slots=True)
class BladeInfo:
    """One blade. Sizes are bytes, and 0 where it doesn't answer.

    ``state``: in service, draining, removed, or missing; ``reason``: why it is missing, or why
    nothing new is written on it. ``files``: how many the layouts on record name on it;
    ``share``: of all that they name.
    """

    id: str
    number: int
    path: str
    state: str
    reason: str
    used_bytes: int
    free_bytes: int
    total_bytes: int
    files: int
    share: float

    def __str__(self) -> str:
        return f"blade {self.number} ({self.path})"
