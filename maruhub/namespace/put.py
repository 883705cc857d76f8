"""The change that puts versions: conditions, retries, hiding what was there.

Pure decisions over ``Rows``; every way in which an object comes to be (put, copy, other
metadata, restored) ends in :func:`place`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from maruhub.errors import InvalidInput, PreconditionFailed
from maruhub.namespace.bucket import Bucket, Versioning, find_or_stage_bucket
from maruhub.namespace.deleting import supersede
from maruhub.namespace.digests import Digest
from maruhub.namespace.fields import Fields
from maruhub.namespace.hidden import Why, decode_hidden, hidden_range
from maruhub.namespace.lock import stamped
from maruhub.namespace.object import Flag, ObjectInfo, decode_head, object_prefix, pack_extents, with_flags
from maruhub.store.format.extent import Blob, Extent
from maruhub.store.format.row import Row
from maruhub.store.protocol import Buffer, Change, Rows

REQUEST_BYTES_MAX: Final = 255
_RETRY_DEPTH: Final = 8
"""How many later versions of a key may have hidden a put whose answer was lost."""


@dataclass(frozen=True, slots=True)
class PutItem:
    """One object of a batch.

    Args:
        key: 1 to 1,024 bytes of UTF-8.
        data: Its bytes; not to be changed while the call runs.
        content_type: Media type.
        metadata: The user's own fields.
        mtime_ns: Time of change of the file it came from, nanoseconds since 1970.
        if_none_match: Only if the key holds nothing.
        fields: Further named fields of its row.
        digest: The sums of ``data``, where the caller has made them already: they are believed.
    """

    key: str
    data: Buffer
    content_type: str | None = None
    metadata: Mapping[str, str] | None = None
    mtime_ns: int | None = None
    if_none_match: bool = False
    fields: Fields | None = None
    digest: Digest | None = None


class Condition(NamedTuple):
    """What must hold for a write: the current ETag (``*``: any), or that there is none."""

    if_match: str | None = None
    if_none_match: bool = False


UNCONDITIONAL: Final = Condition()


class NewVersion(NamedTuple):
    """A version about to be placed; ``raw_key`` is the key's UTF-8."""

    key: str
    raw_key: bytes
    payload: bytes
    blob: Blob
    condition: Condition = UNCONDITIONAL


def check_condition(condition: Condition, current: Row | None, *, where: str) -> None:
    """Raises PreconditionFailed unless ``condition`` holds for the current row."""
    if condition.if_match is not None and condition.if_none_match:
        raise InvalidInput("if_match and if_none_match exclude each other.", hint="Give one of them.")
    if condition.if_none_match and current is not None:
        raise PreconditionFailed(f"{where} exists already.", hint="Leave out if_none_match to overwrite it.")
    if condition.if_match is None:
        return
    if current is None:
        raise PreconditionFailed(f"{where} does not exist, so no ETag matches.")
    etag = ObjectInfo.of_row("", current, "").etag
    if condition.if_match not in ("*", etag, f'"{etag}"'):
        raise PreconditionFailed(
            f"{where} has the ETag {etag}, not {condition.if_match}.", hint="Read it again."
        )


def check_request(request: bytes) -> None:
    """Raises InvalidInput for a request id too long for a row."""
    if len(request) > REQUEST_BYTES_MAX:
        raise InvalidInput(f"a request id has at most {REQUEST_BYTES_MAX} bytes, not {len(request)}.")


def put_change(
    bucket_name: str, items: Sequence[NewVersion], *, request: bytes = b"", create_bucket: bool = False
) -> Change[list[ObjectInfo]]:
    """One change that places all ``items`` (keys differ), or none."""

    def change(rows: Rows) -> list[ObjectInfo]:
        bucket = find_or_stage_bucket(rows, bucket_name, create=create_bucket)
        prefix = object_prefix(bucket)
        keys = [prefix + item.raw_key for item in items]
        found = zip(items, keys, rows.get_many(keys), strict=True)
        return [place(rows, bucket, item, key, current, request=request) for item, key, current in found]

    return change


def place(
    rows: Rows, bucket: Bucket, new: NewVersion, row_key: bytes, current: Row | None, *, request: bytes = b""
) -> ObjectInfo:
    """Stages a new current version; what was current becomes hidden.

    A retry of a write whose answer was lost (same request id, same content) finds the
    version it wrote, even if its condition fails by now just because of that version.
    """
    done = _written_before(rows, bucket, new, current, request) if request else None
    if done is not None:
        return done
    if new.condition is not UNCONDITIONAL:
        check_condition(new.condition, current, where=f"maru://{bucket.name}/{new.key}")
    payload = stamped(rows, bucket, new.payload)
    supersede(rows, bucket, new.raw_key, current, Why.OVERWRITTEN)
    if bucket.versioning is Versioning.ENABLED:
        payload = with_flags(payload, Flag.VERSIONED)
    rows.put(row_key, payload, extents=new.blob)
    return ObjectInfo(
        bucket.name,
        new.key,
        counter=rows.counter,
        time_us=rows.time_us,
        extents_raw=pack_extents(new.blob),
        payload=payload,
    )


def _written_before(
    rows: Rows, bucket: Bucket, new: NewVersion, current: Row | None, request: bytes
) -> ObjectInfo | None:
    """The version that an earlier try of the same request made of this key, if any."""
    if current is not None and current.request == request and _same(current.payload, new.payload):
        return ObjectInfo.of_row(bucket.name, current, new.key)
    start, stop = hidden_range(bucket, new.raw_key, exactly=True)
    for row in rows.scan(start, stop, _RETRY_DEPTH):
        hidden = decode_hidden(bucket, row)
        if hidden.request == request and _same(hidden.info.payload, new.payload):
            return hidden.info
    return None


def _same(old: bytes, new: bytes) -> bool:
    a, b = decode_head(old), decode_head(new)
    return (a.sha256, a.size, a.origin) == (b.sha256, b.size, b.origin)


def unneeded(blobs: Iterable[Blob], infos: Iterable[ObjectInfo]) -> Iterator[Extent]:
    """What retries have written once more: each found the version of its first try, and names nothing."""
    for blob, info in zip(blobs, infos, strict=True):
        if info.extents_raw != pack_extents(blob):
            yield from blob
