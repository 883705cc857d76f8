"""Retention and legal hold of objects: values, and the headers that carry them."""

from __future__ import annotations

import enum
import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from maruhub.gateway.s3.failure import S3Failure

MODE = "x-amz-object-lock-mode"
UNTIL = "x-amz-object-lock-retain-until-date"
HOLD = "x-amz-object-lock-legal-hold"
YEARS_MAX = 100
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:?\d{2})?)?", re.ASCII)


class LockMode(enum.Enum):
    """Who may shorten a retention: whoever has the right to bypass it, or nobody."""

    GOVERNANCE = "GOVERNANCE"
    COMPLIANCE = "COMPLIANCE"


@dataclass(frozen=True)
class Retention:
    """Until when a version can't be deleted, in microseconds since 1970."""

    mode: LockMode
    until_us: int


@dataclass(frozen=True)
class DefaultRetention:
    """The retention that a bucket gives new versions; one of ``days`` and ``years`` is 0."""

    mode: LockMode
    days: int = 0
    years: int = 0

    def retention(self, now_us: int) -> Retention:
        """The retention of a version made now; a year is 365 days."""
        return Retention(self.mode, now_us + (self.days + 365 * self.years) * 86_400_000_000)


@dataclass(frozen=True)
class ObjectLockHeaders:
    """What a write asks for; None: nothing was said, the bucket's default counts."""

    retention: Retention | None = None
    legal_hold: bool | None = None


def read_lock_headers(headers: Mapping[str, str], *, now_us: int) -> ObjectLockHeaders:
    """What a put, a copy or a new upload says about its lock.

    Raises:
        S3Failure: ``InvalidArgument`` for a mode without a date, an unknown word or a date past.
    """
    mode, until, hold = (headers.get(name) for name in (MODE, UNTIL, HOLD))
    if (mode is None) != (until is None):
        raise _invalid(UNTIL, f"{UNTIL} and {MODE} must both be supplied")
    if hold not in (None, "ON", "OFF"):
        raise _invalid(HOLD, "Legal hold must be either of 'ON' or 'OFF'")
    retention = None
    if mode is not None and until is not None:
        retention = Retention(read_mode(mode, MODE), read_iso_date(until, UNTIL))
        check_future(retention, now_us=now_us)
    return ObjectLockHeaders(retention, None if hold is None else hold == "ON")


def check_future(retention: Retention, *, now_us: int) -> None:
    """Nothing, if the retention ends in the future. Raises: S3Failure: ``InvalidArgument``."""
    if retention.until_us <= now_us:
        raise _invalid(UNTIL, "The retain until date must be in the future!")


def lock_headers(retention: Retention | None, legal_hold: bool | None) -> list[tuple[str, str]]:
    """The headers of an answer about an object."""
    headers = []
    if retention is not None:
        headers += [(MODE, retention.mode.value), (UNTIL, to_iso_date(retention.until_us))]
    if legal_hold is not None:
        headers.append((HOLD, "ON" if legal_hold else "OFF"))
    return headers


def read_mode(text: str, name: str) -> LockMode:
    """A mode by its word. Raises: S3Failure: ``InvalidArgument``."""
    try:
        return LockMode(text)
    except ValueError:
        raise _invalid(name, "Unknown wormMode directive") from None


def read_iso_date(text: str, name: str) -> int:
    """A date of ISO 8601 in microseconds since 1970; without a zone it is UTC's.

    Raises:
        S3Failure: ``InvalidArgument``.
    """
    try:
        if not _DATE.fullmatch(text):
            raise ValueError
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return (moment - _EPOCH) // _MICROSECOND
    except (ValueError, OverflowError):
        raise _invalid(name, "The date must be provided in ISO 8601 format") from None


def to_iso_date(moment_us: int) -> str:
    """Microseconds since 1970 as S3 writes a date: in UTC, to the millisecond."""
    seconds, rest = divmod(moment_us, 1_000_000)
    return f"{_iso_second(seconds)}.{rest // 1000:03d}Z"


@functools.lru_cache(maxsize=4096)
def _iso_second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()[:-6]


def _invalid(name: str, message: str) -> S3Failure:
    return S3Failure("InvalidArgument", message, ArgumentName=name)
