"""Quotas: how many objects and bytes a bucket may hold, and all buckets of one user. Pure.

A bucket's stands among its settings; a user's in a row Q, with what the user's buckets hold.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final, Self

from maruhub.errors import InvalidInput, QuotaExceeded, UnsupportedFormat
from maruhub.namespace.usage import Amount
from maruhub.store.format.row import Row

_VERSION: Final = b"\1"
_MAX: Final = 2**62


@dataclass(frozen=True, slots=True)
class Quota:
    """At most so many; None: without a bound."""

    size_bytes: int | None = None
    objects: int | None = None

    @classmethod
    def of(cls, given: object) -> Self:
        """From ``{"bytes": …, "objects": …}``, None for nothing; raises InvalidInput."""
        named: dict[str, Any] = given if isinstance(given, dict) else {}
        bounds = [named.get(name) for name in ("bytes", "objects")]
        known = given is None or (isinstance(given, dict) and given.keys() <= {"bytes", "objects"})
        if not known or not all(b is None or (type(b) is int and 0 <= b < _MAX) for b in bounds):
            raise InvalidInput(f"{given!r:.80} is no quota.", hint="Give bytes and objects as numbers.")
        return cls(*bounds)

    @property
    def fields(self) -> dict[str, int]:
        """As settings have it: only the bounds there are."""
        named = {"bytes": self.size_bytes, "objects": self.objects}
        return {name: bound for name, bound in named.items() if bound is not None}

    def check(self, before: Amount, after: Amount, *, whose: str) -> None:
        """Raises QuotaExceeded if what grows is above its bound."""
        for bound, had, has, what in zip(
            (self.objects, self.size_bytes), before, after, ("objects", "bytes"), strict=True
        ):
            if bound is not None and has > bound and has > had:
                raise QuotaExceeded(
                    f"{whose} may hold {bound:,} {what}; it holds {had:,}, and this needs {has - had:,} more.",
                    hint="Delete something, or have the quota raised (`maru quota`).",
                )


@dataclass(frozen=True, slots=True)
class UserQuota:
    """What a row Q says: the quota of a user, and what counts towards it in all the user's buckets."""

    quota: Quota
    amount: Amount = (0, 0)


def encode_user_quota(user: UserQuota) -> bytes:
    """The payload of a row Q."""
    return _VERSION + json.dumps({**user.quota.fields, "used": user.amount}).encode()


def decode_user_quota(row: Row) -> UserQuota:
    """The quota of a row Q."""
    if row.payload[:1] != _VERSION:
        raise UnsupportedFormat(f"quota row {row.key!r} has an unknown version.", hint="Upgrade MaruHub.")
    fields = json.loads(row.payload[1:])
    objects, size_bytes = fields["used"]
    return UserQuota(Quota(fields.get("bytes"), fields.get("objects")), (objects, size_bytes))


def quota_key(user: str) -> bytes:
    """The row key of a user's quota."""
    return b"Q" + user.encode()
