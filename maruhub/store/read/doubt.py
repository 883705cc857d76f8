"""How closely to look whether bytes are in memory, after what reading has found.

Looking at one place costs a microsecond, as much as a fifth of reading 50 KB that are there. So
few places are looked at while nothing had to come from a drive, and many after something had.
"""

from __future__ import annotations

import resource
from typing import Final

PROBES: Final = 4
PROBES_IN_DOUBT: Final = 32
"""Where one extent in 33 is on the drive, two windows in three are still announced."""
_DOUBT_BATCHES: Final = 32
"""Batches without a fault after which there is no doubt left."""


class Doubt:
    """What one process thinks of its memory; approximate under threads, and about speed alone."""

    def __init__(self) -> None:
        self._left = _DOUBT_BATCHES

    @property
    def probes(self) -> int:
        """Places of a batch to look at before it is announced."""
        return PROBES_IN_DOUBT if self._left > 0 else PROBES

    def note(self, *, waited: bool) -> None:
        """One batch was read, and something of it came from a drive (or nothing did)."""
        self._left = _DOUBT_BATCHES if waited else max(0, self._left - 1)


def major_faults() -> int:
    """Pages that this thread has waited for a drive for since it began."""
    return resource.getrusage(resource.RUSAGE_THREAD).ru_majflt
