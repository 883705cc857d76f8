"""Acts of the lifecycle: what the rules of buckets say is over is expired, as if somebody deleted it.

So it goes the way of all deletes: it is hidden, can be brought back for its bucket's delay, and a
lock keeps it. What is found at leisure is decided anew inside the turn, by the bucket's rules and
the version of that moment. Nothing is written down of how far it got: what is left is found the
next time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby, islice
from typing import Any, Final, NamedTuple

from maruhub.care import lifecycle_clock
from maruhub.errors import InvalidInput, Refused
from maruhub.namespace import lifecycle
from maruhub.namespace.bucket import Bucket, bucket_key, bucket_range, decode_bucket
from maruhub.namespace.deleting import NULL, delete_key, delete_version
from maruhub.namespace.hidden import HiddenVersion, decode_hidden, hidden_key_of, hidden_range
from maruhub.namespace.lifecycle import LifecycleRule, rules_from_json
from maruhub.namespace.object import ObjectInfo, object_prefix
from maruhub.namespace.part import remove_upload, upload_row_key
from maruhub.namespace.tally import counted
from maruhub.namespace.upload_listing import all_uploads
from maruhub.store.format.row import Row
from maruhub.store.protocol import Change, Rows, Store, get, prefix_end, scan_all

ROWS_A_TURN: Final = 500
_KEYS_A_LOOK: Final = 256
_KEY_AT: Final = 9

OBJECT, VERSION, MARKER, UPLOAD = "object", "older version", "lone marker", "upload"


class Due(NamedTuple):
    """Something that a rule says is over.

    Args:
        kind: ``object``, ``older version``, ``lone marker`` or ``upload``.
        raw_key: The key's UTF-8.
        row_key: Its row, as it was found.
        counter: Of that row: another one is another version, or changed since.
        version_id: As S3 shows it; of an upload its number as hex.
        rule_id: Which rule, of several the first; empty for a lone marker.
        size_bytes: Bytes.
    """

    kind: str
    raw_key: bytes
    row_key: bytes
    counter: int
    version_id: str
    rule_id: str
    size_bytes: int


@dataclass(slots=True)
class Expiries:
    """What was due or done, by (bucket, kind, rule): how many; ``locked`` are those that a lock keeps."""

    found: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    size_bytes: int = 0
    locked: Counter[str] = field(default_factory=Counter)
    unreadable: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Plain values for ``--json``."""
        groups = [
            {"bucket": bucket, "kind": kind, "rule": rule, "count": count}
            for (bucket, kind, rule), count in self.found.items()
        ]
        return {
            "groups": groups,
            "size_bytes": self.size_bytes,
            "locked": dict(self.locked),
            "unreadable": self.unreadable,
        }


class Lifecycle:
    """The lifecycle of one hub's buckets. Safe from many threads and processes, and killed anywhere."""

    def __init__(self, store: Store, *, actor: str = "lifecycle") -> None:
        self._store = store
        self._actor = actor
        self._ran_us: int | None = None

    def survey(self) -> Expiries:
        """What :meth:`run` would expire now; changes nothing."""
        found = Expiries()
        now_us = lifecycle_clock.look(self._store)
        for bucket, rules in self._buckets(found):
            for due in find_due(self._store, bucket, rules, now_us):
                found.found[bucket.name, due.kind, due.rule_id] += 1
                found.size_bytes += due.size_bytes
        return found

    def run(self, *, pause: Callable[[], None] | None = None) -> Expiries:
        """Expires what is due, in turns of at most ``ROWS_A_TURN`` versions.

        ``pause`` is called after each turn, so that a background owner can wait or stop (by raising).
        """
        done = Expiries()
        ruled = list(self._buckets(done))
        if not ruled:
            return done
        now_us = lifecycle_clock.note(self._store, self._actor)
        for bucket, rules in ruled:
            for batch in _batches(find_due(self._store, bucket, rules, now_us)):
                gone, locked = self._store.commit(counted(_expiry(bucket, batch)), actor=self._actor)
                done.locked[bucket.name] += locked
                for due in gone:
                    done.found[bucket.name, due.kind, due.rule_id] += 1
                    done.size_bytes += due.size_bytes
                if pause is not None:
                    pause()
        done.locked = +done.locked
        return done

    def run_every(self, every_s: float, *, pause: Callable[[], None] | None = None) -> Expiries | None:
        """As :meth:`run`, but None if this object has done so less than ``every_s`` ago."""
        now_us = self._store.pool_time_us()
        if self._ran_us is not None and now_us < self._ran_us + every_s * 1e6:
            return None
        self._ran_us = now_us
        return self.run(pause=pause)

    def _buckets(self, expiries: Expiries) -> Iterator[tuple[Bucket, tuple[LifecycleRule, ...]]]:
        """Buckets with rules that count. Of one whose rules can't be read nothing expires."""
        for row in scan_all(self._store, *bucket_range()):
            bucket = decode_bucket(row)
            try:
                rules = rules_from_json(bucket.tail.get("lifecycle", []))
            except InvalidInput:
                expiries.unreadable.append(bucket.name)
                continue
            if enabled := tuple(rule for rule in rules if rule.enabled):
                yield bucket, enabled


def find_due(store: Store, bucket: Bucket, rules: Sequence[LifecycleRule], now_us: int) -> Iterator[Due]:
    """What is due in a bucket, looking only where rules point to."""
    current = [r for r in rules if r.expire_days is not None or r.expire_at_us is not None]
    older = [r for r in rules if r.noncurrent_days is not None or r.drop_lone_markers or r in current]
    aborting = [rule for rule in rules if rule.abort_days is not None]
    for prefix in _prefixes(current):
        start = object_prefix(bucket) + prefix
        for row in scan_all(store, start, prefix_end(start)):
            yield from _due_object(bucket, current, row, now_us)
    for prefix in _prefixes(older) if bucket.versioning else ():
        yield from _due_older(store, bucket, older, prefix, now_us)
    for prefix in _prefixes(aborting):
        for upload in all_uploads(store, bucket, prefix):
            over = lifecycle.abort_expiry(aborting, upload.key, upload.created_us)
            if over is not None and over.at_us <= now_us:
                raw_key = upload.key.encode()
                row_key = upload_row_key(bucket, raw_key, upload.number)
                yield Due(UPLOAD, raw_key, row_key, upload.number, upload.upload_id, over.rule_id, 0)


def _prefixes(rules: Sequence[LifecycleRule]) -> list[bytes]:
    """Where rules point to, none below another."""
    kept: list[bytes] = []
    for prefix in sorted({rule.filter.prefix.encode() for rule in rules}):
        if not kept or not prefix.startswith(kept[-1]):
            kept.append(prefix)
    return kept


def _due_object(bucket: Bucket, rules: Sequence[LifecycleRule], row: Row, now_us: int) -> Iterator[Due]:
    info = ObjectInfo.of_row(bucket.name, row)
    over = lifecycle.expiry(
        rules, info.key, info.size, info.tail.get("tags", {}), modified_us=info.created_us
    )
    if over is not None and over.at_us <= now_us:
        yield Due(OBJECT, row.key[_KEY_AT:], row.key, row.counter, _s3_id(info), over.rule_id, info.size)


def _due_older(
    store: Store, bucket: Bucket, rules: Sequence[LifecycleRule], prefix: bytes, now_us: int
) -> Iterator[Due]:
    """Older listed versions and markers, key by key; what is current comes before them."""
    rows = scan_all(store, *hidden_range(bucket, prefix))
    keys = groupby(rows, key=lambda row: hidden_key_of(row.key))
    while some := [(key, list(group)) for key, group in islice(keys, _KEYS_A_LOOK)]:
        current = store.get_many([object_prefix(bucket) + key for key, _ in some])
        for (key, group), row in zip(some, current, strict=True):
            hidden = [(each, decode_hidden(bucket, each)) for each in group]
            listed = [(each, version) for each, version in hidden if version.is_listed]
            newer = None if row is None else ObjectInfo.of_row(bucket.name, row)
            yield from _due_versions(rules, key, listed, newer, now_us)


def _due_versions(
    rules: Sequence[LifecycleRule],
    key: bytes,
    listed: Sequence[tuple[Row, HiddenVersion]],
    newer: ObjectInfo | None,
    now_us: int,
) -> Iterator[Due]:
    """Of one key: ``listed``, newest first, behind ``newer``, what the key holds."""
    name = key.decode()
    if newer is None and len(listed) == 1 and listed[0][1].is_marker:
        row, marker = listed[0]
        if lifecycle.drops_lone_marker(rules, name, marker.info.created_us, now_us=now_us):
            yield Due(MARKER, key, row.key, row.counter, _s3_id(marker.info), "", 0)
        return
    older = 0
    for row, version in listed:
        info = version.info
        if newer is not None:
            # A version is replaced when the next one is made, whatever was done to its row since.
            over = lifecycle.noncurrent_expiry(
                rules, name, info.size, info.tail.get("tags", {}), replaced_us=newer.created_us, newer=older
            )
            if over is not None and over.at_us <= now_us:
                yield Due(VERSION, key, row.key, row.counter, _s3_id(info), over.rule_id, info.size)
            older += 1
        newer = info


def _s3_id(info: ObjectInfo) -> str:
    return NULL if info.is_null else info.version_id


def _batches(found: Iterator[Due]) -> Iterator[list[Due]]:
    """What one change takes away together.

    Current objects apart: what lies behind one is looked up by a scan, which doesn't see what the
    same change has done to the one in front.
    """
    for _, some in groupby(found, key=lambda due: due.kind == OBJECT):
        while batch := list(islice(some, ROWS_A_TURN)):
            yield batch


def _expiry(bucket: Bucket, batch: Sequence[Due]) -> Change[tuple[list[Due], int]]:
    """Takes away those that are as they were found; them, and how many a lock keeps."""

    def change(rows: Rows) -> tuple[list[Due], int]:
        row = get(rows, bucket_key(bucket.name))
        now = None if row is None else decode_bucket(row)
        # Other rules, another bucket of that name, another versioning: the next round looks anew.
        if now is None or (now.id, now.versioning) != (bucket.id, bucket.versioning):
            return [], 0
        if now.tail.get("lifecycle") != bucket.tail.get("lifecycle"):
            return [], 0
        gone, locked = [], 0
        for due, found in zip(batch, rows.get_many([due.row_key for due in batch]), strict=True):
            if found is None or found.counter != due.counter:
                continue
            try:
                _expire(rows, now, due, found)
            except Refused:
                locked += 1
            else:
                gone.append(due)
        return gone, locked

    return change


def _expire(rows: Rows, bucket: Bucket, due: Due, row: Row) -> None:
    if due.kind == OBJECT:
        delete_key(rows, bucket, due.raw_key, row)
    elif due.kind == UPLOAD:
        remove_upload(rows, bucket, due.raw_key, due.counter)
    else:
        delete_version(rows, bucket, due.raw_key, due.version_id, refuse=lambda _key, _row: None)
