"""Changes that make versions out of versions: no byte moves, extents are shared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from maruhub.errors import PreconditionFailed
from maruhub.namespace.bucket import find_bucket, find_or_stage_bucket
from maruhub.namespace.editing import find_version
from maruhub.namespace.fields import OWN, inherited, pack_tail, with_user_fields
from maruhub.namespace.names import encode_key, encode_text
from maruhub.namespace.object import (
    ObjectInfo,
    Origin,
    derive_payload,
    object_prefix,
)
from maruhub.namespace.put import (
    UNCONDITIONAL,
    Condition,
    NewVersion,
    check_condition,
    check_request,
    place,
)
from maruhub.namespace.reads import no_such_key
from maruhub.namespace.tally import counted
from maruhub.store.format.row import Row
from maruhub.store.protocol import Change, Rows, Store, get, prefix_end, scan_all

_PAGE: Final = 1000
_KEY_AT: Final = 9

Retail = Callable[[dict[str, Any]], dict[str, Any]]
"""From the source's named fields to those of its copy."""

Place = tuple[str, str]
"""A bucket and a key, or a prefix of keys."""

Check = Callable[[str, str], None]
"""Raises if one key may not be copied to another."""


def _any_copy(_key: str, _to: str) -> None:
    """Refuses nothing."""


def copy_change(
    source: Place,
    target: Place,
    *,
    content_type: str | None = None,
    metadata: Mapping[str, str] | None = None,
    mtime_ns: int | None = None,
    if_match: str | None = None,
    if_none_match: bool = False,
    request: bytes = b"",
    create_bucket: bool = False,
    source_version: str | None = None,
    retail: Retail | None = None,
    expect_etag: str | None = None,
) -> Change[ObjectInfo]:
    """Copies one object; see ``Objects.copy``."""
    check_request(request)
    encode_key(source[1])
    raw_target = encode_key(target[1])
    condition = Condition(if_match, if_none_match)
    with_user_fields({}, content_type, metadata)

    def change(rows: Rows) -> ObjectInfo:
        info = find_version(rows, *source, source_version).info
        if expect_etag not in (None, "*", info.etag, f'"{info.etag}"'):
            raise PreconditionFailed(
                f"maru://{source[0]}/{source[1]} has the ETag {info.etag!r}, not {expect_etag!r:.80}."
            )
        tail = with_user_fields(_of(info, retail), content_type, metadata)
        payload = derive_payload(info, Origin.COPY, tail=pack_tail(tail), mtime_ns=mtime_ns)
        new = NewVersion(target[1], raw_target, payload, info.extents, condition)
        bucket = find_or_stage_bucket(rows, target[0], create=create_bucket)
        row_key = object_prefix(bucket) + raw_target
        return place(rows, bucket, new, row_key, get(rows, row_key), request=request)

    return change


def _of(info: ObjectInfo, retail: Retail | None = None) -> dict[str, Any]:
    """The named fields of a copy, and where it comes from."""
    tail = inherited(info.tail, "acl")
    if retail is not None:
        parts = {"parts": tail["parts"]} if "parts" in tail else {}
        asked = retail({name: value for name, value in tail.items() if name not in OWN})
        tail = {name: value for name, value in asked.items() if name not in OWN} | parts
    return tail | {"from": {"bucket": info.bucket, "key": info.key}}


def metadata_change(
    bucket_name: str,
    key: str,
    *,
    content_type: str | None = None,
    metadata: Mapping[str, str | None] | None = None,
    mtime_ns: int | None = None,
    merge: bool = False,
    if_match: str | None = None,
    request: bytes = b"",
) -> Change[ObjectInfo]:
    """Other user fields for the bytes that a key holds."""
    check_request(request)
    raw_key = encode_key(key)
    condition = UNCONDITIONAL if if_match is None else Condition(if_match)

    def change(rows: Rows) -> ObjectInfo:
        bucket = find_bucket(rows, bucket_name)
        row = get(rows, object_prefix(bucket) + raw_key)
        if row is None:
            raise no_such_key(bucket_name, key)
        info = ObjectInfo.of_row(bucket_name, row, key)
        fields = metadata if metadata is None else _merged(info.metadata if merge else {}, metadata)
        tail = inherited(info.tail, "from")
        tail = with_user_fields(tail, content_type, fields)
        if (tail.get("type"), tail.get("meta")) == (info.tail.get("type"), info.tail.get("meta")) and (
            mtime_ns in (None, info.mtime_ns)
        ):
            check_condition(condition, row, where=f"maru://{bucket_name}/{key}")
            return info
        payload = derive_payload(info, Origin.METADATA, tail=pack_tail(tail), mtime_ns=mtime_ns)
        new = NewVersion(key, raw_key, payload, info.extents, condition)
        return place(rows, bucket, new, row.key, row, request=request)

    return change


def _merged(old: Mapping[str, str], new: Mapping[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in (dict(old) | dict(new)).items() if value is not None}


def copy_prefix(
    store: Store,
    source: Place,
    target: Place,
    *,
    actor: str,
    create_bucket: bool = False,
    check: Check = _any_copy,
) -> int:
    """Copies what lies below a prefix; see ``Objects.copy_prefix``."""
    raw_source = encode_text(source[1], "prefix")
    encode_text(target[1], "prefix")
    bucket = find_bucket(store, source[0])
    start = object_prefix(bucket) + raw_source

    def copied(keys: Sequence[bytes]) -> int:
        _check_rows(source, target, keys, check)
        return store.commit(counted(_copy_rows(source, target, keys, create=create_bucket)), actor=actor)

    same = source[0] == target[0]
    if same and (source[1].startswith(target[1]) or target[1].startswith(source[1])):
        return copied([row.key for row in scan_all(store, start, prefix_end(start), page=_PAGE)])
    if check is not _any_copy:
        # All of them before the first is copied; what comes meanwhile is looked at with its page.
        found = scan_all(store, start, prefix_end(start), page=_PAGE)
        _check_rows(source, target, (row.key for row in found), check)
    total, stop = 0, prefix_end(start)
    while page := store.scan(start, stop, _PAGE):
        total += copied([row.key for row in page])
        start = page[-1].key + b"\0"
    return total


def _check_rows(source: Place, target: Place, row_keys: Iterable[bytes], check: Check) -> None:
    if check is not _any_copy:
        for row_key in row_keys:
            key = row_key[_KEY_AT:].decode()
            check(key, target[1] + key[len(source[1]) :])


def _copy_rows(source: Place, target: Place, row_keys: Sequence[bytes], *, create: bool) -> Change[int]:
    """Copies those of the rows that still exist: all read first, then all placed."""
    cut = len(source[1].encode())
    names = [target[1] + key[_KEY_AT + cut :].decode() for key in row_keys]
    raws = [encode_key(name) for name in names]

    def change(rows: Rows) -> int:
        found = rows.get_many(row_keys)
        bucket = find_or_stage_bucket(rows, target[0], create=create)
        prefix = object_prefix(bucket)
        currents = rows.get_many([prefix + raw for raw in raws])
        copied = 0
        for name, raw, row, current in zip(names, raws, found, currents, strict=True):
            if row is not None:
                place(rows, bucket, _copy_of(source[0], row, name, raw), prefix + raw, current)
                copied += 1
        return copied

    return change


def _copy_of(bucket: str, row: Row, name: str, raw: bytes) -> NewVersion:
    info = ObjectInfo.of_row(bucket, row)
    payload = derive_payload(info, Origin.COPY, tail=pack_tail(_of(info)))
    return NewVersion(name, raw, payload, info.extents)
