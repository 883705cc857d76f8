"""The clock that rules of a lifecycle go by: the wall's, as far as it can be believed.

Days of a lifecycle are days of the calendar, and a machine's calendar may be wrong. A wall clock
that has run ahead of the pool's own is believed once it has done so for a day of the pool's
time; until then the clock goes on as the pool's does. So a clock put forward by mistake expires
nothing for a day, and one that is put back is believed at once: late is harmless, early is not.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import Final

from maruhub.store.commit.clock import read_moment
from maruhub.store.protocol import Rows, Store, get

_KEY: Final = b"J"
_VERSION: Final = b"\1"
_SLACK_US: Final = 3_600_000_000
"""Clocks that are set right, leap seconds and daylight saving stay below it."""

DOUBTED_US: Final = 86_400_000_000
"""So long a wall clock that has jumped ahead is not believed."""


@dataclass(frozen=True, slots=True)
class Belief:
    """What time it was, and when that was on the pool's clock.

    Args:
        wall_us: Wall time, microseconds since 1970.
        pool_us: Pool time of that moment.
        ahead_since_us: Pool time since which the wall clock is ahead of this; None: it isn't.
    """

    wall_us: int
    pool_us: int
    ahead_since_us: int | None = None


def believe(before: Belief | None, wall_us: int, pool_us: int) -> Belief:
    """What time to believe now. Pure."""
    if before is None:
        return Belief(wall_us, pool_us)
    expected_us = before.wall_us + (pool_us - before.pool_us)
    if wall_us <= expected_us + _SLACK_US:
        return Belief(wall_us, pool_us)
    since_us = pool_us if before.ahead_since_us is None else before.ahead_since_us
    if pool_us - since_us >= DOUBTED_US:
        return Belief(wall_us, pool_us)
    return Belief(expected_us, pool_us, since_us)


def look(store: Store) -> int:
    """The time by now, without a note of it."""
    return believe(_read(store), read_moment().wall_us, store.pool_time_us()).wall_us


def note(store: Store, actor: str) -> int:
    """The time by now, and on record for the next time."""

    def change(rows: Rows) -> int:
        belief = believe(_read(rows), rows.time_us, rows.pool_time_us)
        rows.put(_KEY, _VERSION + json.dumps(asdict(belief)).encode())
        return belief.wall_us

    return store.commit(change, actor=actor)


def _read(rows: Store | Rows) -> Belief | None:
    row = get(rows, _KEY)
    if row is None or row.payload[:1] != _VERSION:
        return None
    return replace(Belief(0, 0), **json.loads(row.payload[1:]))
