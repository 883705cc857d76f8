"""What hides things and may remove them for good: one part a kind of row.

A part finds rows at leisure and removes them in a change that decides anew: between the
two anything may have happened, so what was found is a hint and never a verdict.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from maruhub.store.protocol import Change


class Hold(StrEnum):
    """Why a row stays."""

    NOTHING = ""
    DELAY = "delay"
    RETENTION = "retention"
    CONTENT = "content"
    LISTED = "listed"
    """It is not out of sight: its bucket keeps versions, and lists it."""
    DOUBT = "doubt"


@dataclass(frozen=True, slots=True)
class Finding:
    """A row that is out of sight.

    Args:
        kind: What it is, as people call it: ``object version``, ``bucket``, ``dataset version``.
        where: Where it is listed: ``maru://photos``, ``cats@v3``.
        key: The row's key.
        extents_raw: What the row itself holds, ``EXTENT_DTYPE`` bytes.
        since_us: Wall time when it was hidden, for people; 0: unknown.
        until_us: Pool time until which it can be brought back at least.
        hold: Why it stays; NOTHING: its time is over.
        why: The hold in a few words, where there is more to say.
        basis: Keys of other rows that the decision rests on.
    """

    kind: str
    where: str
    key: bytes
    extents_raw: bytes
    since_us: int
    until_us: int
    hold: Hold
    why: str = ""
    basis: tuple[bytes, ...] = ()


class Part(Protocol):
    """Rows of one kind. Safe to be stopped anywhere: the next round begins again."""

    def findings(self) -> Iterator[Finding]:
        """All that is out of sight, in some order, a page of rows at a time."""

    def removal(self, found: Sequence[Finding]) -> Change[list[bytes]]:
        """A change that removes those of ``found`` that may go; their keys.

        It reads every row again and decides by the turn's own pool clock. Whatever it
        can't read or doesn't know stays.
        """
