"""The change that gives one version other named fields where it stands: tags, a lock, an ACL.

Nothing that names a version sees it move: its id, its time and its maker stay, and of one that
is listed behind another also who hid it, and when.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from maruhub.errors import InvalidInput, NoSuchVersion
from maruhub.namespace.bucket import Bucket, find_bucket
from maruhub.namespace.deleting import find_listed, is_version
from maruhub.namespace.fields import changed
from maruhub.namespace.hidden import HiddenVersion, rewrite
from maruhub.namespace.lock import edited
from maruhub.namespace.names import encode_key
from maruhub.namespace.object import ObjectInfo, object_prefix, pinned
from maruhub.namespace.reads import no_such_key
from maruhub.store.format.row import Row
from maruhub.store.protocol import Change, Rows, get

Edit = Callable[[ObjectInfo], dict[str, Any]]
"""From a version to its fields to be changed; None removes one."""


class Found(NamedTuple):
    """A version with its row: K without ``hidden``, else V."""

    bucket: Bucket
    row: Row
    info: ObjectInfo
    hidden: HiddenVersion | None = None


def find_version(rows: Rows, bucket_name: str, key: str, version_id: str | None) -> Found:
    """Inside a change: a current or listed version by its id as S3 shows it; None: the current one.

    Raises NoSuchKey, NoSuchVersion, NoSuchBucket; InvalidInput for a marker.
    """
    bucket = find_bucket(rows, bucket_name)
    raw_key = encode_key(key)
    row = get(rows, object_prefix(bucket) + raw_key)
    if row is not None:
        info = ObjectInfo.of_row(bucket_name, row, key)
        if version_id is None or is_version(info, version_id):
            return Found(bucket, row, info)
    elif version_id is None:
        raise no_such_key(bucket_name, key)
    listed = find_listed(rows, bucket, raw_key, version_id)
    if listed is None:
        raise NoSuchVersion(f"maru://{bucket_name}/{key} has no version {version_id:.40}.")
    row, hidden = listed
    if hidden.is_marker:
        raise InvalidInput(
            f"version {version_id:.40} of maru://{bucket_name}/{key} is a marker that it was deleted.",
            hint="It has no bytes and no fields.",
        )
    return Found(bucket, row, hidden.info, hidden)


def edit_change(
    bucket_name: str, key: str, edit: Edit, version_id: str | None, *, bypass: bool
) -> Change[ObjectInfo]:
    """Other named fields for one version; see ``Objects.edit``."""
    encode_key(key)

    def change(rows: Rows) -> ObjectInfo:
        bucket, row, info, hidden = find_version(rows, bucket_name, key, version_id)
        where = f"maru://{bucket_name}/{key}"
        new = edited(rows, bucket, info.tail, changed(info.tail, edit(info)), where=where, bypass=bypass)
        if new == info.tail:
            return info
        if hidden is None:
            payload = pinned(info, row.actor, new)
            rows.put(row.key, payload, extents=row.extents)
        else:
            payload = rewrite(rows, row, hidden, new)
        return ObjectInfo(
            bucket_name,
            key,
            counter=rows.counter if hidden is None else info.counter,
            time_us=rows.time_us if hidden is None else info.time_us,
            extents_raw=row.extents_raw,
            payload=payload,
        )

    return change
