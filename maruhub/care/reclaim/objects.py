"""Hidden versions of objects and deleted buckets: which may go, decided inside the turn."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator, Sequence

from maruhub.care.reclaim.part import Finding, Hold
from maruhub.errors import MaruError
from maruhub.namespace.bucket import Bucket, bucket_range, decode_bucket
from maruhub.namespace.hidden import HiddenVersion, decode_hidden, hidden_range
from maruhub.namespace.object import objects_range
from maruhub.namespace.part import uploads_range
from maruhub.namespace.tally import counted
from maruhub.namespace.usage import count_key
from maruhub.store.format.row import Row
from maruhub.store.protocol import Change, Rows, Store, scan_all

_UNREADABLE = (MaruError, ValueError, KeyError, TypeError, IndexError, struct.error, json.JSONDecodeError)
"""What decoding may raise on a row that a later release wrote, or that is damaged."""

_LATER_BUCKET = ("hold",)
_LATER_OBJECT = ("lock",)
"""Fields kept for later releases that will mean "do not remove": honoured before they are known."""


def bucket_rows(store: Store) -> Iterator[Row]:
    """Rows of all buckets, those that exist and then the deleted ones."""
    yield from scan_all(store, *bucket_range())
    yield from scan_all(store, b"B\0", b"B\1")


class HiddenObjects:
    """Rows ``V``: overwritten and deleted versions, of deleted buckets too."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def findings(self) -> Iterator[Finding]:
        """See ``Part.findings``; what belongs to no bucket that is known is never touched."""
        for bucket_row in bucket_rows(self._store):
            bucket = bucket_of(bucket_row)
            if bucket is None:
                continue
            # Once a bucket: a moment that is past errs to the safe side, and the turn has its own.
            now_us = self._store.pool_time_us()
            for row in scan_all(self._store, *hidden_range(bucket, b"")):
                finding = self._finding(bucket, bucket_row.key, row, now_us)
                if finding.hold is not Hold.LISTED:
                    yield finding

    @staticmethod
    def _finding(bucket: Bucket, bucket_key: bytes, row: Row, now_us: int) -> Finding:
        hidden = _hidden(bucket, row)
        hold, until_us, why = _hold_of(bucket, hidden, now_us)
        where = f"maru://{bucket.name}"
        since_us = hidden.hidden_us if hidden else 0
        return Finding(
            "object version", where, row.key, row.extents_raw, since_us, until_us, hold, why, (bucket_key,)
        )

    def removal(self, found: Sequence[Finding]) -> Change[list[bytes]]:
        """See ``Part.removal``."""

        def hold(bucket: Bucket, row: Row, now_us: int) -> Hold:
            return _hold_of(bucket, _hidden(bucket, row), now_us)[0]

        return removal_below(found, hold)


class DeletedBuckets:
    """Rows ``B`` 0: deleted buckets, which go when nothing of theirs is left."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def findings(self) -> Iterator[Finding]:
        """See ``Part.findings``."""
        for row in scan_all(self._store, b"B\0", b"B\1"):
            bucket = bucket_of(row)
            now_us = self._store.pool_time_us()
            hold = Hold.DOUBT if bucket is None else _emptied_hold(bucket, self._store, now_us)
            name = bucket.name if bucket else repr(row.key)
            until_us = max(bucket.eradicate_at_us, bucket.retain_until_us) if bucket else 0
            yield Finding("bucket", f"maru://{name}", row.key, b"", row.time_us, until_us, hold)

    def removal(self, found: Sequence[Finding]) -> Change[list[bytes]]:
        """See ``Part.removal``."""

        def change(rows: Rows) -> list[bytes]:
            removed = []
            for row in rows.get_many([finding.key for finding in found]):
                bucket = None if row is None else bucket_of(row)
                if row is None or bucket is None:
                    continue
                if _emptied_hold(bucket, rows, rows.pool_time_us) is Hold.NOTHING:
                    rows.remove(row.key)
                    rows.remove(count_key(bucket.id_bytes))
                    removed.append(row.key)
            return removed

        return change


def removal_below(found: Sequence[Finding], hold: Callable[[Bucket, Row, int], Hold]) -> Change[list[bytes]]:
    """Takes rows below buckets away: those that nothing holds now, in the turn; see ``Part.removal``.

    Args:
        found: Each rests on its bucket's row.
        hold: Why a row of a bucket stays, at a moment of the pool clock.
    """

    def change(rows: Rows) -> list[bytes]:
        bucket_keys = list(dict.fromkeys(finding.basis[0] for finding in found))
        there = zip(bucket_keys, rows.get_many(bucket_keys), strict=True)
        buckets = {key: bucket_of(row) for key, row in there if row is not None}
        removed = []
        for finding, row in zip(found, rows.get_many([f.key for f in found]), strict=True):
            bucket = buckets.get(finding.basis[0])
            # A new bucket of the old name has another id, and says nothing of this row.
            if row is None or bucket is None or row.key[1:9] != bucket.id_bytes:
                continue
            if hold(bucket, row, rows.pool_time_us) is Hold.NOTHING:
                rows.remove(row.key)
                removed.append(row.key)
        return removed

    return counted(change)


def bucket_of(row: Row) -> Bucket | None:
    """The bucket of a row; None if its row says what this release can't read."""
    try:
        bucket = decode_bucket(row)
        bucket.kept_until_us(0, 0)
    except _UNREADABLE:
        return None
    return bucket


def _hidden(bucket: Bucket, row: Row) -> HiddenVersion | None:
    try:
        hidden = decode_hidden(bucket, row)
        hidden.info.tail  # noqa: B018 - decoded here, where a failure is caught
    except _UNREADABLE:
        return None
    return hidden


def _is_doubtful(bucket: Bucket) -> bool:
    """Whether the bucket says what this release doesn't know."""
    return any(name in bucket.tail for name in _LATER_BUCKET)


def _hold_of(bucket: Bucket, hidden: HiddenVersion | None, now_us: int) -> tuple[Hold, int, str]:
    """Why a version stays, until when, and in words; everything unknown is a reason."""
    if hidden is None or _is_doubtful(bucket):
        return Hold.DOUBT, 0, "this release can't read its row"
    if hidden.is_listed and not bucket.hidden_us:
        return Hold.LISTED, 0, "its bucket keeps versions"
    tail = hidden.info.tail
    own_us, held = tail.get("retain_until_us", 0), tail.get("hold", False)
    if type(own_us) is not int or type(held) is not bool or any(name in tail for name in _LATER_OBJECT):
        return Hold.DOUBT, 0, "a later release holds it"
    if held:
        return Hold.RETENTION, 0, "a legal hold"
    retained_us = max(own_us, bucket.retain_until_us)
    until_us = max(hidden.eradicate_at_us, own_us)
    if until_us <= now_us:
        return Hold.NOTHING, until_us, ""
    why = f"locked ({tail['lock_mode']})" if own_us > now_us and "lock_mode" in tail else ""
    return (Hold.RETENTION if retained_us > now_us else Hold.DELAY), until_us, why


def bucket_hold(bucket: Bucket, now_us: int) -> Hold:
    """Why a deleted bucket stays, whatever is left in it."""
    if not bucket.eradicate_at_us or _is_doubtful(bucket):
        return Hold.DOUBT
    if bucket.retain_until_us > now_us:
        return Hold.RETENTION
    return Hold.DELAY if bucket.eradicate_at_us > now_us else Hold.NOTHING


def _emptied_hold(bucket: Bucket, reader: Store | Rows, now_us: int) -> Hold:
    """Why a deleted bucket stays: at last because something of it is left."""
    ranges = (objects_range(bucket), hidden_range(bucket, b""), uploads_range(bucket))
    if not (hold := bucket_hold(bucket, now_us)) and any(reader.scan(*limits, 1) for limits in ranges):
        return Hold.CONTENT
    return hold
