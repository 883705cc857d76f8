"""Object lock: what keeps one version from being deleted, and who may end that. Pure.

Held by three named fields of the version's row. ``retain_until_us`` is the term, on the pool's
clock, and the only one that is enforced; ``lock_until_us`` is the same date as people named it, on
the wall's; ``lock_mode`` says who may shorten the term: with GOVERNANCE who has the right to
bypass it, with COMPLIANCE, or without a mode, nobody. ``hold`` has no end and is set and lifted as
one likes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from maruhub.errors import InvalidInput, Refused
from maruhub.namespace.bucket import Bucket
from maruhub.namespace.fields import LOCK, Fields, pack_tail
from maruhub.namespace.object import split_payload
from maruhub.namespace.retention import TERM_S_MAX, wall_moment
from maruhub.store.protocol import Rows

GOVERNANCE: Final = "GOVERNANCE"
COMPLIANCE: Final = "COMPLIANCE"

_DAY_US: Final = 86_400_000_000
_TERM_US_MAX: Final = TERM_S_MAX * 10**6
_WORDS: Final = (b'"lock_', b'"hold"')


def stamped(rows: Rows, bucket: Bucket, payload: bytes) -> bytes:
    """The payload of a version about to be placed, its lock in force: its own, or its bucket's default."""
    head, raw_tail = split_payload(payload)
    # Decoding costs as much as the rest of a small put, and hardly any version has a lock.
    if not bucket.locks and not any(word in raw_tail for word in _WORDS):
        return payload
    tail = json.loads(raw_tail) if raw_tail else {}
    default = bucket.default_lock
    if not LOCK.isdisjoint(tail):
        _check(bucket, tail)
        tail = _with_term(rows, tail)
    if default is not None and "lock_mode" not in tail:
        span_us = (default["days"] + 365 * default["years"]) * _DAY_US
        tail["lock_mode"], tail["lock_until_us"] = default["mode"], rows.time_us + span_us
        tail["retain_until_us"] = max(rows.pool_time_us + span_us, tail.get("retain_until_us", 0))
    return head + pack_tail(tail)


def _check(bucket: Bucket, tail: Fields) -> None:
    """Raises InvalidInput for a lock that is none, or in a bucket that has none."""
    mode, until_us, hold = tail.get("lock_mode"), tail.get("lock_until_us"), tail.get("hold")
    if (mode or until_us or hold) and not bucket.locks:
        raise InvalidInput(
            f"the bucket {bucket.name!r} has no object lock.", hint="Make a bucket with it, or enable it."
        )
    if (mode is None) != (until_us is None) or mode not in (None, GOVERNANCE, COMPLIANCE):
        raise InvalidInput("a lock has a mode, GOVERNANCE or COMPLIANCE, and a date until when.")
    times = (until_us or 0, tail.get("retain_until_us", 0))
    if not all(map(_is_time, times)) or hold not in (None, False, True):
        raise InvalidInput("a lock has times in microseconds, and a hold that is true or false.")


def _with_term(rows: Rows, tail: Fields) -> dict[str, Any]:
    """``tail`` with its date turned into a term of the pool's clock, unless that is longer already."""
    if tail.get("lock_until_us") is None:
        return dict(tail)
    span_us = tail["lock_until_us"] - rows.time_us
    if span_us > _TERM_US_MAX:
        raise InvalidInput("a lock lasts 100 years at most.", hint="Give a nearer date.")
    return {**tail, "retain_until_us": max(rows.pool_time_us + span_us, tail.get("retain_until_us", 0))}


def check_removable(tail: Fields, now_us: int, *, where: str, bypass: bool) -> None:
    """Raises Refused while a version may not be deleted; ``bypass`` ends GOVERNANCE early."""
    if tail.get("hold"):
        raise Refused(f"{where} is under a legal hold.", hint="Lift the hold first.")
    until_us = tail.get("retain_until_us", 0)
    if until_us <= now_us or (bypass and tail.get("lock_mode") == GOVERNANCE):
        return
    until = wall_moment(until_us, now_us)
    if tail.get("lock_mode") == GOVERNANCE:
        raise Refused(
            f"{where} is locked until {until} (GOVERNANCE).", hint="It takes the right to bypass governance."
        )
    raise Refused(f"{where} is retained until {until} at least.", hint="Nobody can end a retention early.")


def check_change(old: Fields, new: Mapping[str, Any], now_us: int, *, where: str, bypass: bool) -> None:
    """Raises Refused if a term that runs would become shorter, or its mode another, without the right to."""
    until_us = old.get("retain_until_us", 0)
    if until_us <= now_us or (bypass and old.get("lock_mode") == GOVERNANCE):
        return
    shorter = new.get("retain_until_us", 0) < until_us
    earlier = new.get("lock_until_us", 0) < old.get("lock_until_us", 0)
    mode = old.get("lock_mode")
    other = new.get("lock_mode") not in ((mode,) if mode else (mode, COMPLIANCE))
    if shorter or earlier or other:
        raise Refused(
            f"{where} is retained until {wall_moment(until_us, now_us)} at least: that can't be shortened.",
            hint="With GOVERNANCE the right to bypass it can."
            if mode == GOVERNANCE
            else "Give a later date.",
        )


def edited(
    rows: Rows, bucket: Bucket, old: Fields, new: dict[str, Any], *, where: str, bypass: bool
) -> dict[str, Any]:
    """``new``, the fields of a version that had ``old``, its lock in force; raises Refused, InvalidInput."""
    if all(new.get(name) == old.get(name) for name in LOCK):
        return new
    _check(bucket, new)
    if any(new.get(name) != old.get(name) for name in ("lock_mode", "lock_until_us")):
        if new.get("retain_until_us") == old.get("retain_until_us"):
            # The term follows the date. A date that stays or moves on never ends the term earlier,
            # though the two clocks may have drifted apart since.
            later = new.get("lock_until_us", 0) >= old.get("lock_until_us", 0)
            new = {**new, "retain_until_us": old.get("retain_until_us", 0) if later else 0}
        new = _with_term(rows, new)
    check_change(old, new, rows.pool_time_us, where=where, bypass=bypass)
    return new


def _is_time(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**62
