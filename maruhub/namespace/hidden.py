"""A hidden version, and its row V: what was overwritten or deleted, with a way back.

Pure. The row's own envelope says who hid it and when; its payload keeps who made it and
when, and the whole payload it had as row K. Only of a listed one the named fields may change.
"""

from __future__ import annotations

import struct
from enum import IntEnum, IntFlag
from typing import Final, NamedTuple

from maruhub.errors import UnsupportedFormat
from maruhub.namespace.bucket import Bucket
from maruhub.namespace.fields import Fields
from maruhub.namespace.object import ObjectInfo, decode_head, with_fields
from maruhub.store.format.row import Row
from maruhub.store.protocol import Rows, prefix_end, scan_all

_HEAD: Final = struct.Struct("<BBBBIQqqq")
_VERSION: Final = 1
_KEY_AT: Final = 9
_ID_MAX: Final = 2**64 - 1

# Every byte of UTF-8 plus one: 0 becomes free as the terminator, order is kept, nothing grows.
KEY_UP: Final = bytes((i + 1) % 256 for i in range(256))
KEY_DOWN: Final = bytes((i - 1) % 256 for i in range(256))


class Why(IntEnum):
    """Why a version is hidden."""

    OVERWRITTEN = 1
    DELETED = 2
    MARKER = 3
    """It is no version of bytes, but S3's marker that its key was deleted."""


class HiddenFlag(IntFlag):
    """What else a row V says."""

    LISTED = 1
    """A version that its bucket keeps: listed among versions, never eradicated for its age."""

    EDITED = 2
    """Its row was written again since: who hid it, and when, stands in the named field ``hidden``."""


class HiddenVersion(NamedTuple):
    """A version that is not listed any more.

    Args:
        info: The version as it was.
        why: What hid it.
        made_by: Who made it.
        request: The request that made it.
        hidden_counter: Counter of the change that hid it.
        hidden_us: Wall time when it was hidden.
        hidden_by: Who hid it.
        hidden_pool_us: The same moment on the pool clock.
        eradicate_at_us: Pool time until which it is restorable at least.
        flags: See there.
    """

    info: ObjectInfo
    why: Why
    made_by: str
    request: bytes
    hidden_counter: int
    hidden_us: int
    hidden_by: str
    hidden_pool_us: int
    eradicate_at_us: int
    flags: HiddenFlag = HiddenFlag(0)

    @property
    def is_listed(self) -> bool:
        """Whether S3 lists it among the versions of its key."""
        return bool(self.flags & HiddenFlag.LISTED)

    @property
    def is_marker(self) -> bool:
        """Whether it only marks that its key was deleted."""
        return self.why is Why.MARKER


def hide(
    rows: Rows, bucket: Bucket, row: Row, why: Why, *, listed: bool = False, payload: bytes | None = None
) -> None:
    """Stages the row V of a current row K; the caller replaces or removes the row K.

    ``payload`` None: the row's own.
    """
    payload = row.payload if payload is None else payload
    who, request = row.actor.encode(), row.request
    version = decode_head(payload).version_number or row.counter
    now = rows.pool_time_us
    flags = HiddenFlag.LISTED if listed else HiddenFlag(0)
    head = _HEAD.pack(
        _VERSION, why, len(who), len(request), flags, row.counter, row.time_us, now, now + bucket.delay_us
    )
    key = hidden_row_key(bucket, row.key[_KEY_AT:], version)
    rows.put(key, head + who + request + payload, extents=row.extents)


def unlist(rows: Rows, bucket: Bucket, row: Row, tail: Fields) -> None:
    """Stages that a listed row V is deleted: restorable for the bucket's delay from now on.

    ``tail`` are its named fields.
    """
    now = rows.pool_time_us
    version, _, who, request, _, counter, time_us, _, _ = _HEAD.unpack_from(row.payload)
    head = _HEAD.pack(version, Why.DELETED, who, request, 0, counter, time_us, now, now + bucket.delay_us)
    payload_at = _HEAD.size + who + request
    tail = {name: value for name, value in tail.items() if name != "hidden"}
    payload = row.payload[_HEAD.size : payload_at] + with_fields(row.payload[payload_at:], tail)
    rows.put(row.key, head + payload, extents=row.extents)


def rewrite(rows: Rows, row: Row, hidden: HiddenVersion, tail: Fields) -> bytes:
    """Stages a row V with other named fields, else as it was; the version's payload."""
    version, why, _, request, flags, *times = _HEAD.unpack_from(row.payload)
    made_by = hidden.made_by.encode()
    head = _HEAD.pack(version, why, len(made_by), request, flags | HiddenFlag.EDITED, *times)
    by = [hidden.hidden_counter, hidden.hidden_us, hidden.hidden_by]
    payload = with_fields(hidden.info.payload, {**tail, "hidden": by})
    rows.put(row.key, head + made_by + hidden.request + payload, extents=row.extents)
    return payload


def mark_deleted(rows: Rows, bucket: Bucket, raw_key: bytes, payload: bytes) -> str:
    """Stages S3's marker that a key is deleted, as a version without bytes; its version id."""
    now = rows.pool_time_us
    head = _HEAD.pack(
        _VERSION, Why.MARKER, 0, 0, HiddenFlag.LISTED, rows.counter, rows.time_us, now, now + bucket.delay_us
    )
    rows.put(hidden_row_key(bucket, raw_key, rows.counter), head + payload)
    return f"{rows.counter:016x}"


def decode_hidden(bucket: Bucket, row: Row) -> HiddenVersion:
    """The hidden version of a row V; what the bucket promised since is counted in."""
    payload = row.payload
    if len(payload) < _HEAD.size or payload[0] != _VERSION:
        raise UnsupportedFormat(f"hidden row {row.key!r} has an unknown version.", hint="Upgrade MaruHub.")
    _, why, who, request, flags, counter, time_us, hidden_pool_us, eradicate_at_us = _HEAD.unpack_from(
        payload
    )
    request_at = _HEAD.size + who
    payload_at = request_at + request
    info = ObjectInfo(
        bucket.name,
        hidden_key_of(row.key).decode(),
        counter=counter,
        time_us=time_us,
        extents_raw=row.extents_raw,
        payload=payload[payload_at:],
    )
    hidden = row.counter, row.time_us, row.actor
    if flags & HiddenFlag.EDITED:
        hidden = tuple(info.tail["hidden"])
    return HiddenVersion(
        info,
        Why(why),
        payload[_HEAD.size : request_at].decode() or row.actor,
        payload[request_at:payload_at],
        *hidden,
        hidden_pool_us,
        bucket.kept_until_us(hidden_pool_us, eradicate_at_us),
        HiddenFlag(flags),
    )


def is_listed(row: Row) -> bool:
    """Whether S3 lists what a row V holds, told by its flags alone; of an unknown version: no."""
    if len(row.payload) < _HEAD.size or row.payload[0] != _VERSION:
        return False
    return bool(_HEAD.unpack_from(row.payload)[4] & HiddenFlag.LISTED)


def holds_versions(rows: Rows, bucket: Bucket) -> bool:
    """Whether a bucket has listed versions or markers; looks at all that is hidden, if it must."""
    rows_v = scan_all(rows, *hidden_range(bucket, b""))
    return any(decode_hidden(bucket, row).is_listed for row in rows_v)


def hidden_prefix(bucket: Bucket, key: bytes) -> bytes:
    """In front of all hidden versions of one key."""
    return b"V" + bucket.id_bytes + key.translate(KEY_UP) + b"\0"


def hidden_range(bucket: Bucket, prefix: bytes, *, exactly: bool = False) -> tuple[bytes, bytes]:
    """Start and stop of the hidden versions of all keys with ``prefix``, or of ``exactly`` that key."""
    start = hidden_prefix(bucket, prefix)[: None if exactly else -1]
    return start, prefix_end(start)


def hidden_key_of(row_key: bytes) -> bytes:
    """The object's key in a row key V."""
    return row_key[_KEY_AT:-9].translate(KEY_DOWN)


def hidden_row_key(bucket: Bucket, key: bytes, version_number: int) -> bytes:
    """The row key of one hidden version."""
    return hidden_prefix(bucket, key) + (_ID_MAX - version_number).to_bytes(8, "big")
