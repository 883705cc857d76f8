"""What an act says of itself when it is over."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from maruhub.errors import Conflict


class Outcome(StrEnum):
    """What became of an act."""

    DONE = "done"
    REMOVED = "removed"
    GONE = "there is no such segment"
    OPEN = "it is still written"
    HELD = "a process has bytes in it that it hasn't named yet"
    BUSY = "another act is at it"
    CHANGED = "it changed meanwhile, again and again"


@dataclass(slots=True)
class ActReport:
    """What an act did.

    ``read_bytes``: live bytes and batches, or blocks of strips; ``written_bytes`` and
    ``files``: what was made, parity and sums included; ``freed_bytes``: of the files that
    were unlinked.
    """

    segment: int
    outcome: Outcome
    read_bytes: int = 0
    written_bytes: int = 0
    freed_bytes: int = 0
    files: int = 0
    seconds: float = 0.0


class Changed(Conflict):
    """What the act began from is not so any more: it is given up, and may be begun again."""


@dataclass(slots=True)
class Decided:
    """Whether a turn has taken the decision: from then on it may have become durable.

    What a turn that failed later has named must stay, for it may yet turn out to count.
    """

    yes: bool = False
