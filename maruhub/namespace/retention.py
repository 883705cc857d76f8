"""How long something must be kept: a term, named by a date or a span, in the pool's time.

Pure. People name dates of the wall clock; rules go by the pool's. A date is converted once,
in the change that sets the term, and a term only ever grows: a clock that is put forward
later ends nothing.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Final, Self

from maruhub.errors import InvalidInput
from maruhub.store.protocol import Rows

TERM_S_MAX: Final = 100 * 366 * 86_400
"""The longest term: a hundred years."""

_SHOWN_US_MAX: Final = 10 * TERM_S_MAX * 10**6


@dataclass(frozen=True, slots=True)
class Term:
    """Until a moment of the wall clock, or for a span from the change on; one of them is None."""

    until_wall_us: int | None = None
    for_us: int | None = None

    @classmethod
    def of(cls, until: object = None, for_s: object = None) -> Self:
        """From what a person says; a date is its first moment, and without a zone local time.

        Raises InvalidInput unless exactly one is given, and within a hundred years.
        """
        if (until is None) == (for_s is None):
            raise InvalidInput("a retention has either a date or a span.", hint="Give until or for_s.")
        if for_s is not None:
            if isinstance(for_s, bool) or not isinstance(for_s, int | float) or not 0 < for_s <= TERM_S_MAX:
                raise InvalidInput(
                    f"a retention of {for_s!r} s is not possible.",
                    hint="Give a number of seconds, more than 0 and at most 100 years.",
                )
            return cls(for_us=round(for_s * 1e6))
        if not isinstance(until, datetime.date):
            raise InvalidInput(f"until is {until!r:.80}, no date.", hint="Give a datetime or a date.")
        if not isinstance(until, datetime.datetime):
            until = datetime.datetime.combine(until, datetime.time())
        try:
            return cls(until_wall_us=round(until.timestamp() * 1e6))
        except (OverflowError, OSError, ValueError):
            raise InvalidInput(
                f"{until} is a date that this machine can't count to.", hint="Give a nearer one."
            ) from None

    def pool_us(self, rows: Rows) -> int:
        """Inside the change that sets it: the pool time at which it ends; InvalidInput if that is past."""
        if self.for_us is not None:
            return rows.pool_time_us + self.for_us
        assert self.until_wall_us is not None
        span_us = self.until_wall_us - rows.time_us
        if not 0 < span_us <= TERM_S_MAX * 10**6:
            raise InvalidInput(
                "the date of a retention must lie ahead, within 100 years.", hint="Give a later date."
            )
        return rows.pool_time_us + span_us


def wall_moment(pool_us: int, now_pool_us: int) -> datetime.datetime:
    """A moment of the pool's clock as a person's clock shows it, to the second: UTC.

    Of one that lies ahead it is the earliest: while the machine is off the pool's clock stands.
    """
    # A damaged row may say anything; what it says is shown as far away.
    span_us = max(-_SHOWN_US_MAX, min(pool_us - now_pool_us, _SHOWN_US_MAX))
    span = datetime.timedelta(microseconds=span_us)
    moment = datetime.datetime.now(datetime.UTC) + span
    return moment.replace(microsecond=0)
