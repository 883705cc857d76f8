"""Reclaiming: all parts together, turn by turn, with nothing to remember between them.

Nothing is written down of how far it got. Killed anywhere it just begins again, and finds
what is left; two at once find each other's work done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from maruhub.care.reclaim.dead import Resolve, find_dead
from maruhub.care.reclaim.part import Finding, Hold, Part
from maruhub.care.reclaim.survey import Survey, size_of
from maruhub.store.protocol import Store

ROWS_A_TURN: Final = 2000
"""Rows that one turn removes at most: other writers wait no longer than for a batch of puts."""


@dataclass(slots=True)
class Expired:
    """What was removed: rows by kind, and the bytes that the rows themselves held."""

    rows: dict[str, int] = field(default_factory=dict)
    size_bytes: int = 0

    def count(self, findings: Sequence[Finding], removed: Sequence[bytes]) -> None:
        """Adds those of ``findings`` that were removed."""
        gone = set(removed)
        for finding in findings:
            if finding.key in gone:
                self.rows[finding.kind] = self.rows.get(finding.kind, 0) + 1
                self.size_bytes += size_of(finding.extents_raw)


class Reclaim:
    """Expiry of one hub. Safe from many threads and processes, and killed anywhere.

    Args:
        store: The hub's store.
        parts: Who hides things, in the order in which they let go of each other.
        resolve: What rows with a segment list point to.
        name_row: What people call the owner of a row.
        actor: Who removes, for the records.
    """

    def __init__(
        self,
        store: Store,
        parts: Sequence[Part],
        *,
        resolve: Resolve,
        name_row: Callable[[bytes], str],
        actor: str = "",
    ) -> None:
        self._store = store
        self._parts = parts
        self._resolve = resolve
        self._name_row = name_row
        self._actor = actor
        self._expired_us: int | None = None

    def expire(self, *, pause: Callable[[], None] | None = None) -> Expired:
        """Removes every row whose time is over, in turns of at most ``ROWS_A_TURN`` rows.

        What they held is then dead, unless something else names it: the store's acts drop
        it. ``pause`` is called after each turn, so that a background owner can wait or stop
        (by raising).
        """
        expired = Expired()
        for part in self._parts:
            over = (finding for finding in part.findings() if finding.hold is Hold.NOTHING)
            for batch in _batches(over):
                removed = self._store.commit(part.removal(batch), actor=self._actor)
                expired.count(batch, removed)
                if pause is not None:
                    pause()
        return expired

    def expire_every(self, every_s: float, *, pause: Callable[[], None] | None = None) -> Expired | None:
        """As :meth:`expire`, but None if this object has done so less than ``every_s`` ago.

        For a background owner that comes by often: looking at a million hidden versions
        takes some fifteen seconds, also when none of them is due.
        """
        now_us = self._store.pool_time_us()
        if self._expired_us is not None and now_us < self._expired_us + every_s * 1e6:
            return None
        self._expired_us = now_us
        return self.expire(pause=pause)

    def survey(self) -> Survey:
        """What :meth:`expire` would remove now, what would be freed by it, and what is held by what."""
        survey = Survey(self._store.pool_time_us())
        over = [finding for part in self._parts for finding in part.findings() if survey.add(finding)]
        dead = find_dead(self._store, over, resolve=self._resolve, name_row=self._name_row)
        survey.settle(over, dead)
        return survey


def _batches(findings: Iterator[Finding]) -> Iterator[list[Finding]]:
    while batch := list(islice(findings, ROWS_A_TURN)):
        yield batch
