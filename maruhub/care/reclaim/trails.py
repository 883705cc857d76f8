"""Trails of puts whose process died: what they had written so far, which nobody will name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from maruhub.care.reclaim.part import Finding, Hold
from maruhub.errors import UnsupportedFormat
from maruhub.namespace.trail import KEPT_US, PREFIX, grown_us, trail_number
from maruhub.store.format.row import Row
from maruhub.store.protocol import Change, Rows, Store, prefix_end, scan_all

_NUMBER_END = 9


class DeadTrails:
    """Rows ``P``; a trail goes as a whole, once it has not grown for a day."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def findings(self) -> Iterator[Finding]:
        """See ``Part.findings``."""
        rows = scan_all(self._store, PREFIX, prefix_end(PREFIX))
        for _, group in groupby(rows, key=trail_number):
            trail = list(group)
            hold, until_us = _hold_of(trail, self._store.pool_time_us())
            for row in trail:
                yield Finding("put under way", "a put", row.key, row.extents_raw, row.time_us, until_us, hold)

    def removal(self, found: Sequence[Finding]) -> Change[list[bytes]]:
        """See ``Part.removal``; each trail is read whole again, as it may have grown."""

        def change(rows: Rows) -> list[bytes]:
            removed = []
            for start in dict.fromkeys(finding.key[:_NUMBER_END] for finding in found):
                trail = list(scan_all(rows, start, prefix_end(start)))
                if _hold_of(trail, rows.pool_time_us)[0] is Hold.NOTHING:
                    for row in trail:
                        rows.remove(row.key)
                        removed.append(row.key)
            return removed

        return change


def _hold_of(trail: Sequence[Row], now_us: int) -> tuple[Hold, int]:
    try:
        until_us = max((grown_us(row) for row in trail), default=0) + KEPT_US
    except UnsupportedFormat:
        return Hold.DOUBT, 0
    return (Hold.NOTHING if until_us <= now_us else Hold.DELAY), until_us
