"""The past of objects: hidden versions, bringing them back, who did what when."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from maruhub.errors import NoSuchVersion
from maruhub.namespace.bucket import Bucket, find_bucket
from maruhub.namespace.hidden import (
    HiddenVersion,
    Why,
    decode_hidden,
    hidden_key_of,
    hidden_range,
    hidden_row_key,
)
from maruhub.namespace.names import encode_key, encode_text
from maruhub.namespace.object import ObjectInfo, Origin, derive_payload, object_prefix
from maruhub.namespace.put import NewVersion, place
from maruhub.namespace.tally import counted
from maruhub.store.format.row import Row
from maruhub.store.protocol import Rows, Store, get, scan_all

_PAGE: Final = 64
_MADE: Final = {
    Origin.PUT: "put",
    Origin.COPY: "copy",
    Origin.METADATA: "metadata",
    Origin.RESTORED: "restored",
}
_HIDDEN: Final = {Why.OVERWRITTEN: "overwritten", Why.DELETED: "deleted"}


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a key.

    Args:
        time_us: Wall time, microseconds since 1970.
        actor: Who did it.
        what: put, copy, metadata, restored: a version came to be; overwritten, deleted: it
            was hidden.
        version_id: Which version, 16 hex digits.
        size: Its bytes.
        counter: Orders events: that of the change.
    """

    time_us: int
    actor: str
    what: str
    version_id: str
    size: int
    counter: int


class Past:
    """What is not current any more."""

    def __init__(self, store: Store, actor: str = "") -> None:
        self._store = store
        self._actor = actor

    def versions(self, bucket: str, prefix: str = "") -> Iterator[HiddenVersion]:
        """Restorable hidden versions below a prefix, by key, newest first.

        A version that was restored is left out while its bytes have a newer version.
        """
        found = find_bucket(self._store, bucket)
        start, stop = hidden_range(found, encode_text(prefix, "prefix"))
        return self._restorable(found, scan_all(self._store, start, stop))

    def _restorable(self, bucket: Bucket, rows: Iterable[Row]) -> Iterator[HiddenVersion]:
        base = object_prefix(bucket)
        for key, group in groupby(rows, key=lambda row: hidden_key_of(row.key)):
            yield from _unrestored(bucket, get(self._store, base + key), group)

    def undelete(self, bucket: str, key: str, version_id: str | None = None) -> ObjectInfo:
        """Brings a hidden version back as the current one; what is current becomes hidden.

        Args:
            bucket: Its bucket.
            key: Its key.
            version_id: Which; None: the one hidden last that was not brought back since.

        Returns:
            The new version: same bytes and fields under a new version id.

        Raises:
            NoSuchVersion: there is none (any more).
        """
        raw_key = encode_key(key)
        number = None if version_id is None else _parse_version(bucket, key, version_id)

        def change(rows: Rows) -> ObjectInfo:
            found = find_bucket(rows, bucket)
            row_key = object_prefix(found) + raw_key
            current = get(rows, row_key)
            info = _pick(rows, found, raw_key, current, number).info
            payload = derive_payload(info, Origin.RESTORED)
            new = NewVersion(key, raw_key, payload, info.extents)
            return place(rows, found, new, row_key, current)

        return self._store.commit(counted(change), actor=self._actor)

    def history(self, bucket: str, key: str) -> list[Event]:
        """What happened to a key, oldest first, as far back as rows are kept."""
        found = find_bucket(self._store, bucket)
        raw_key = encode_key(key)
        events: list[Event] = []
        start, stop = hidden_range(found, raw_key, exactly=True)
        for row in scan_all(self._store, start, stop):
            hidden = decode_hidden(found, row)
            if hidden.is_marker:
                continue
            events.append(_made(hidden.info, hidden.made_by))
            events.append(_hidden(hidden))
        current = get(self._store, object_prefix(found) + raw_key)
        if current is not None:
            events.append(_made(ObjectInfo.of_row(bucket, current, key), current.actor))
        # Within one change the old version went before the new one came.
        return sorted(events, key=lambda event: (event.counter, event.what in _MADE.values()))


def _made(info: ObjectInfo, actor: str) -> Event:
    what = _MADE[Origin(info.head.origin)]
    return Event(info.time_us, actor, what, info.version_id, info.size, info.counter)


def _hidden(hidden: HiddenVersion) -> Event:
    info, what = hidden.info, _HIDDEN[hidden.why]
    return Event(hidden.hidden_us, hidden.hidden_by, what, info.version_id, info.size, hidden.hidden_counter)


def _parse_version(bucket: str, key: str, version_id: str) -> int:
    try:
        return int(version_id, 16) if len(version_id) == 16 else -1
    except ValueError:
        raise _no_version(bucket, key, version_id) from None


def _no_version(bucket: str, key: str, version_id: str | None = None) -> NoSuchVersion:
    which = f"version {version_id}" if version_id else "hidden version"
    return NoSuchVersion(
        f"maru://{bucket}/{key} has no {which} to restore.", hint="`maru history` lists what there was."
    )


def _pick(
    rows: Rows, bucket: Bucket, raw_key: bytes, current: Row | None, number: int | None
) -> HiddenVersion:
    """The hidden version to restore; raises NoSuchVersion."""
    key = raw_key.decode()
    if number is not None:
        row = get(rows, hidden_row_key(bucket, raw_key, number)) if number >= 0 else None
        hidden = None if row is None else decode_hidden(bucket, row)
        if hidden is None or hidden.is_marker:
            raise _no_version(bucket.name, key, f"{number & (2**64 - 1):016x}")
        return hidden
    start, stop = hidden_range(bucket, raw_key, exactly=True)
    for hidden in _unrestored(bucket, current, scan_all(rows, start, stop, page=_PAGE)):
        return hidden
    raise _no_version(bucket.name, key)


def _unrestored(bucket: Bucket, current: Row | None, rows: Iterable[Row]) -> Iterator[HiddenVersion]:
    """Of one key's hidden rows, newest first, those that no newer version was restored from."""
    sources = set() if current is None else _source(ObjectInfo.of_row(bucket.name, current))
    for row in rows:
        hidden = decode_hidden(bucket, row)
        if hidden.info.version_number not in sources and not hidden.is_marker:
            yield hidden
        sources |= _source(hidden.info)


def _source(info: ObjectInfo) -> set[int]:
    head = info.head
    return {head.from_version} if head.origin == Origin.RESTORED else set()
