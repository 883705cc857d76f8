"""The tally of a change: what it puts and removes is counted in the same transaction.

A change sees its rows through it and stages as ever; when the change has decided, the counts of
the buckets that it touched follow from what stood there before and what stands there now, and
whatever would grow beyond a quota is refused. So no way of writing can forget to count.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeVar

from maruhub.namespace.bucket import Bucket, parse_bucket
from maruhub.namespace.quota import Quota, UserQuota, decode_user_quota, encode_user_quota, quota_key
from maruhub.namespace.usage import (
    Amount,
    Count,
    Share,
    Usage,
    count_key,
    decode_count,
    encode_count,
    share_of,
)
from maruhub.store.format.extent import Extent
from maruhub.store.format.row import Row
from maruhub.store.protocol import Change, Rows, get

T = TypeVar("T")

_ROWS: Final = frozenset(b"BKUV")
_BUCKET: Final = ord("B")


def counted(change: Change[T]) -> Change[T]:
    """The same change, and the counts of what it does."""

    def run(rows: Rows) -> T:
        tally = Tally(rows)
        result = change(tally)
        tally.settle()
        return result

    return run


class Tally:
    """``Rows`` of one change, which remembers what stood and what stands in those that count."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self.counter = rows.counter
        self.time_us = rows.time_us
        self.pool_time_us = rows.pool_time_us
        self._before: dict[bytes, Row | None] = {}
        self._after: dict[bytes, bytes | None] = {}

    def get_many(self, keys: Sequence[bytes]) -> list[Row | None]:
        """See ``Rows.get_many``."""
        found = self._rows.get_many(keys)
        for key, row in zip(keys, found, strict=True):
            self._before.setdefault(key, row)
        return found

    def scan(self, start: bytes, stop: bytes, limit: int, *, reverse: bool = False) -> list[Row]:
        """See ``Rows.scan``."""
        found = self._rows.scan(start, stop, limit, reverse=reverse)
        for row in found:
            self._before.setdefault(row.key, row)
        return found

    def put(
        self,
        key: bytes,
        payload: bytes,
        *,
        extents: Sequence[Extent] = (),
        segments: Sequence[int] = (),
        snapshot: int = 0,
    ) -> None:
        """See ``Rows.put``."""
        self._note(key, payload)
        self._rows.put(key, payload, extents=extents, segments=segments, snapshot=snapshot)

    def remove(self, key: bytes) -> None:
        """See ``Rows.remove``."""
        self._note(key, None)
        self._rows.remove(key)

    def _note(self, key: bytes, payload: bytes | None) -> None:
        if key[0] in _ROWS:
            if key not in self._before:
                self._before[key] = get(self._rows, key)
            self._after[key] = payload

    # ------------------------------------------------------------ the end

    def settle(self) -> None:
        """Stages the counts; raises QuotaExceeded."""
        if not self._after:
            return
        was, now = self._buckets()
        moved = self._shares()
        touched = {
            **moved,
            **{id_: [] for id_ in was | now if was.get(id_) != now.get(id_) and id_ not in moved},
        }
        grown: dict[str, list[int]] = {}
        rows = self._rows.get_many([count_key(id_) for id_ in touched])
        for (id_, shares), row in zip(touched.items(), rows, strict=True):
            old, new = was.get(id_), now.get(id_)
            if row is not None:
                count = decode_count(row)
            elif old is None and new is not None and new.id == self.counter:
                count = Count(Usage())
            else:
                continue
            after = _moved(count, shares) if shares else count
            if shares or row is None:
                self._rows.put(count_key(id_), encode_count(after))
            if any(bucket is not None and (bucket.owner or "quota" in bucket.tail) for bucket in (old, new)):
                self._check(old, new, count, after, grown)
        for owner, (objects, size_bytes) in grown.items():
            if objects or size_bytes:
                self._charge(owner, objects, size_bytes)

    def _buckets(self) -> tuple[dict[bytes, Bucket], dict[bytes, Bucket]]:
        """The buckets that this change has seen, as they were and as they are, by id."""
        was: dict[bytes, Bucket] = {}
        now: dict[bytes, Bucket] = {}
        for key, row in self._before.items():
            if key[0] != _BUCKET or key[1] == 0:
                continue
            if row is not None:
                bucket = parse_bucket(key, row.payload)
                was[bucket.id_bytes] = bucket
                if key not in self._after:
                    now[bucket.id_bytes] = bucket
            payload = self._after.get(key)
            if payload is not None:
                bucket = parse_bucket(key, payload)
                now[bucket.id_bytes] = bucket
        return was, now

    def _shares(self) -> dict[bytes, list[tuple[bytes, Share, int]]]:
        """What was taken away and added, by bucket id: (row key, share, sign)."""
        moved: dict[bytes, list[tuple[bytes, Share, int]]] = {}
        for key, payload in self._after.items():
            if key[0] == _BUCKET:
                continue
            row = self._before[key]
            old = None if row is None else share_of(key, row.payload)
            new = None if payload is None else share_of(key, payload)
            if old != new:
                shares = moved.setdefault(key[1:9], [])
                shares += [(key, share, sign) for share, sign in ((old, -1), (new, 1)) if share is not None]
        return moved

    @staticmethod
    def _check(
        old: Bucket | None, new: Bucket | None, before: Count, after: Count, grown: dict[str, list[int]]
    ) -> None:
        """Refuses what a bucket's own quota doesn't allow; adds up what its owner's has to allow."""
        if before.usage is None or after.usage is None:
            return
        amounts = (before.usage.amount, after.usage.amount)
        if new is not None and "quota" in new.tail:
            Quota.of(new.tail["quota"]).check(*amounts, whose=f"the bucket {new.name!r}")
        for bucket, amount, sign in ((old, amounts[0], -1), (new, amounts[1], 1)):
            if bucket is not None and bucket.owner:
                total = grown.setdefault(bucket.owner, [0, 0])
                total[0] += sign * amount[0]
                total[1] += sign * amount[1]

    def _charge(self, owner: str, objects: int, size_bytes: int) -> None:
        row = get(self._rows, quota_key(owner))
        if row is None:
            return
        user = decode_user_quota(row)
        after: Amount = (user.amount[0] + objects, user.amount[1] + size_bytes)
        user.quota.check(user.amount, after, whose=f"the user {owner!r}")
        self._rows.put(row.key, encode_user_quota(UserQuota(user.quota, after)))


def _moved(count: Count, shares: list[tuple[bytes, Share, int]]) -> Count:
    """A count with shares moved; a recount under way takes in those of rows that it has passed."""
    usage, recount, cursor = count
    if usage is not None:
        usage = usage.plus([(share, sign) for _, share, sign in shares])
    if recount is not None:
        recount = recount.plus([(share, sign) for key, share, sign in shares if key <= cursor])
    return Count(usage, recount, cursor)
