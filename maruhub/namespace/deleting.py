"""Changes that take versions out of sight, in buckets that keep S3's versions and in those that don't.

Without versioning what is replaced or deleted is hidden, and restorable for the bucket's
delay. With it, it stays a listed version without end, and a delete adds a marker; a version
deleted by its id is hidden as above. While versioning is suspended, at most one version of a
key is ``null``, and whatever is new takes its place.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from maruhub.namespace.bucket import Bucket, Versioning, find_bucket
from maruhub.namespace.digests import Digest
from maruhub.namespace.fields import LOCK
from maruhub.namespace.hidden import (
    HiddenVersion,
    Why,
    decode_hidden,
    hidden_range,
    hidden_row_key,
    hide,
    mark_deleted,
    unlist,
)
from maruhub.namespace.lock import check_removable
from maruhub.namespace.object import (
    Flag,
    ObjectInfo,
    encode_payload,
    object_prefix,
    pinned,
    with_fields,
    with_flags,
)
from maruhub.store.format.row import Row
from maruhub.store.protocol import Change, Rows, Store, get, scan_all

NULL: Final = "null"
"""What S3 calls the version of a key that was made while its bucket kept no versions."""

_PAGE: Final = 16
_MARKER: Final = encode_payload(
    Digest(hashlib.md5(b"", usedforsecurity=False).digest(), hashlib.sha256(b"").digest()), 0
)

Refuse = Callable[[bytes, Row | None], None]
"""Raises if what a key holds now may not be deleted: (key, its row)."""


class Deleted(NamedTuple):
    """What a delete did to a key.

    Args:
        held: Whether there was something to delete.
        marker_id: Version id of the marker that was made or removed; empty: there is none.
        was_null: Whether that marker, or the version removed, is the ``null`` one.
    """

    held: bool
    marker_id: str = ""
    was_null: bool = False


_NOTHING: Final = Deleted(False)


def supersede(rows: Rows, bucket: Bucket, raw_key: bytes, current: Row | None, why: Why) -> None:
    """Stages that something new comes in front of what a key holds.

    The caller replaces or removes the row K.
    """
    keeps = bucket.versioning
    if current is not None:
        info = ObjectInfo.of_row(bucket.name, current, "")
        listed = keeps is Versioning.ENABLED or (keeps is Versioning.SUSPENDED and not info.is_null)
        hide(rows, bucket, current, why, listed=listed)
    if keeps is Versioning.SUSPENDED:
        for row, version in listed_versions(rows, bucket, raw_key):
            if version.info.is_null:
                _withdraw(rows, bucket, row, version)


def delete_change(bucket_name: str, raw_keys: Sequence[bytes], refuse: Refuse) -> Change[list[Deleted]]:
    """Deletes what keys hold; a key that stands twice is deleted once."""

    def change(rows: Rows) -> list[Deleted]:
        bucket = find_bucket(rows, bucket_name)
        prefix = object_prefix(bucket)
        once = list(dict.fromkeys(raw_keys))
        done: dict[bytes, Deleted] = {}
        for raw_key, row in zip(once, rows.get_many([prefix + raw for raw in once]), strict=True):
            refuse(raw_key, row)
            done[raw_key] = delete_key(rows, bucket, raw_key, row)
        return [done.pop(raw_key, _NOTHING) for raw_key in raw_keys]

    return change


def delete_key(rows: Rows, bucket: Bucket, raw_key: bytes, current: Row | None) -> Deleted:
    """Stages that what a key holds goes out of sight, as its bucket's versioning says."""
    keeps = bucket.versioning
    if current is not None:
        supersede(rows, bucket, raw_key, current, Why.DELETED)
        rows.remove(current.key)
    if keeps is Versioning.OFF:
        return Deleted(current is not None)
    if current is None:
        supersede(rows, bucket, raw_key, None, Why.DELETED)
    versioned = keeps is Versioning.ENABLED
    marker = with_flags(_MARKER, Flag.VERSIONED if versioned else Flag(0))
    return Deleted(current is not None, mark_deleted(rows, bucket, raw_key, marker), was_null=not versioned)


def delete_version(
    rows: Rows, bucket: Bucket, raw_key: bytes, version_id: str, *, refuse: Refuse, bypass: bool = False
) -> Deleted:
    """Stages that one version of a key goes, or a marker; what is newest then becomes current.

    ``refuse`` sees the row of the version, K or V. Raises Refused for one that is locked;
    ``bypass`` ends a GOVERNANCE retention.
    """
    current = get(rows, object_prefix(bucket) + raw_key)
    info = None if current is None else ObjectInfo.of_row(bucket.name, current, raw_key.decode())
    if current is not None and info is not None and is_version(info, version_id):
        refuse(raw_key, current)
        payload = with_fields(info.payload, _unlocked(rows, info, bypass=bypass))
        hide(rows, bucket, current, Why.DELETED, payload=payload)
        rows.remove(current.key)
        _promote(rows, bucket, raw_key, gone=b"")
        return Deleted(True)
    found = find_listed(rows, bucket, raw_key, version_id)
    if found is None:
        return _NOTHING
    row, version = found
    refuse(raw_key, row)
    if version.is_marker:
        rows.remove(row.key)
    else:
        unlist(rows, bucket, row, _unlocked(rows, version.info, bypass=bypass))
    if current is None:
        _promote(rows, bucket, raw_key, gone=row.key)
    if version.is_marker:
        return Deleted(True, version.info.version_id, version.info.is_null)
    return Deleted(True)


def _unlocked(rows: Rows, info: ObjectInfo, *, bypass: bool) -> dict[str, Any]:
    """The named fields of a version that is deleted by its id, whose lock is over; raises Refused."""
    where = f"version {NULL if info.is_null else info.version_id} of maru://{info.bucket}/{info.key}"
    check_removable(info.tail, rows.pool_time_us, where=where, bypass=bypass)
    return {name: value for name, value in info.tail.items() if name not in LOCK}


def find_listed(
    rows: Store | Rows, bucket: Bucket, raw_key: bytes, version_id: str
) -> tuple[Row, HiddenVersion] | None:
    """The listed version or marker of that id that is not current."""
    if version_id == NULL:
        found = (pair for pair in listed_versions(rows, bucket, raw_key) if pair[1].info.is_null)
        return next(found, None)
    try:
        number = int(version_id, 16) if len(version_id) == 16 else 0
        row = get(rows, hidden_row_key(bucket, raw_key, number))
    except (ValueError, OverflowError):
        return None
    version = None if row is None else decode_hidden(bucket, row)
    if row is None or version is None or not version.is_listed or not is_version(version.info, version_id):
        return None
    return row, version


def is_version(info: ObjectInfo, version_id: str) -> bool:
    """Whether S3 calls a version so."""
    return version_id == (NULL if info.is_null else info.version_id)


def listed_versions(
    rows: Store | Rows, bucket: Bucket, raw_key: bytes
) -> Iterator[tuple[Row, HiddenVersion]]:
    """Listed versions and markers of a key that are not current, newest first."""
    start, stop = hidden_range(bucket, raw_key, exactly=True)
    for row in scan_all(rows, start, stop, page=_PAGE):
        version = decode_hidden(bucket, row)
        if version.is_listed:
            yield row, version


def _withdraw(rows: Rows, bucket: Bucket, row: Row, version: HiddenVersion) -> None:
    if version.is_marker:
        rows.remove(row.key)
    else:
        unlist(rows, bucket, row, version.info.tail)


def _promote(rows: Rows, bucket: Bucket, raw_key: bytes, *, gone: bytes) -> None:
    """Stages that the newest version left becomes current, unless it is a marker."""
    left = (pair for pair in listed_versions(rows, bucket, raw_key) if pair[0].key != gone)
    row, newest = next(left, (None, None))
    if row is None or newest is None or newest.is_marker:
        return
    rows.remove(row.key)
    tail = {name: value for name, value in newest.info.tail.items() if name != "hidden"}
    payload = pinned(newest.info, newest.made_by, tail)
    rows.put(object_prefix(bucket) + raw_key, payload, extents=newest.info.extents)
