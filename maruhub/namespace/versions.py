"""S3's versions of objects: those that a bucket keeps because it was told to.

Not to be mixed up with the past that every bucket has (``Past``): what is merely hidden is
not listed here, and goes when its time is over.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from maruhub.errors import InvalidInput, NoSuchVersion
from maruhub.namespace.bucket import Bucket, find_bucket
from maruhub.namespace.deleting import (
    NULL,
    Deleted,
    Refuse,
    delete_change,
    delete_version,
    find_listed,
    listed_versions,
)
from maruhub.namespace.hidden import decode_hidden, hidden_key_of, hidden_range
from maruhub.namespace.names import KEY_BYTES_MAX, encode_key, encode_text
from maruhub.namespace.object import ObjectInfo, object_prefix
from maruhub.namespace.tally import counted
from maruhub.store.format.row import Row
from maruhub.store.protocol import Rows, Store, get, prefix_end

_PAGE_ROWS: Final = 256
_PROBE_ROWS: Final = 8
_KEY_AT: Final = 9


class Version(NamedTuple):
    """A version, or a marker that a key was deleted.

    Args:
        info: What it is; of a marker its key, id and time.
        is_latest: Whether the key holds it now, or the marker is why it holds nothing.
        is_marker: Whether it is a marker.
    """

    info: ObjectInfo
    is_latest: bool
    is_marker: bool = False

    @property
    def s3_id(self) -> str:
        """Its id as S3 shows it: 16 hex digits, or ``null``."""
        return NULL if self.info.is_null else self.info.version_id


@dataclass(frozen=True, slots=True)
class VersionPage:
    """A page of versions.

    Args:
        versions: By key, the newest first.
        prefixes: Common prefixes, each once.
        next_key: ``key_marker`` of the next page, empty if this was the last.
        next_version: ``version_marker`` of the next page; empty behind a common prefix.
    """

    versions: list[Version]
    prefixes: list[str]
    next_key: str = ""
    next_version: str = ""


def _allow(_key: bytes, _row: Row | None) -> None:
    """Refuses nothing."""


class Versions:
    """Versions in a hub's buckets. Safe from many threads and processes."""

    def __init__(self, store: Store, actor: str = "") -> None:
        self._store = store
        self._actor = actor

    def head(self, bucket: str, key: str, version_id: str) -> Version:
        """One version; a marker too. Raises NoSuchVersion, NoSuchBucket."""
        raw_key = encode_key(key)

        # Twice: one may have become current again between the two looks of the first time.
        for _ in range(2):
            found = find_bucket(self._store, bucket)
            current = get(self._store, object_prefix(found) + raw_key)
            if current is not None:
                version = Version(ObjectInfo.of_row(bucket, current, key), True)
                if version.s3_id == version_id:
                    return version
            listed = find_listed(self._store, found, raw_key, version_id)
            if listed is not None:
                newest = next(listed_versions(self._store, found, raw_key), listed)
                latest = current is None and newest[0].key == listed[0].key
                return Version(listed[1].info, latest, listed[1].is_marker)
        raise NoSuchVersion(
            f"maru://{bucket}/{key} has no version {version_id:.40}.",
            hint="Only a bucket that keeps versions lists them; `maru history` shows all there was.",
        )

    def marker(self, bucket: str, key: str) -> Version | None:
        """The marker because of which a key holds nothing, if that is why."""
        found = find_bucket(self._store, bucket)
        raw_key = encode_key(key)
        newest = next(listed_versions(self._store, found, raw_key), None)
        if newest is None or not newest[1].is_marker:
            return None
        return (
            None if get(self._store, object_prefix(found) + raw_key) else Version(newest[1].info, True, True)
        )

    def delete_current(self, bucket: str, keys: list[str], *, refuse: Refuse = _allow) -> list[Deleted]:
        """Deletes what keys hold, as the bucket's versioning says; one commit."""
        change = delete_change(bucket, [encode_key(key) for key in keys], refuse)
        return self._store.commit(counted(change), actor=self._actor)

    def delete(
        self,
        bucket: str,
        key: str,
        version_id: str,
        *,
        refuse: Refuse = _allow,
        bypass_governance: bool = False,
    ) -> Deleted:
        """Takes one version out of sight, restorable for the bucket's delay, or a marker away.

        What is newest then is current again, unless it is a marker. No error if there is none.
        Refused for a version that is held or retained; ``bypass_governance`` ends a retention
        of that mode.
        """
        raw_key = encode_key(key)

        def change(rows: Rows) -> Deleted:
            found = find_bucket(rows, bucket)
            return delete_version(rows, found, raw_key, version_id, refuse=refuse, bypass=bypass_governance)

        return self._store.commit(counted(change), actor=self._actor)

    def page(
        self,
        bucket: str,
        *,
        prefix: str = "",
        delimiter: str = "",
        key_marker: str = "",
        version_marker: str = "",
        limit: int = 1000,
    ) -> VersionPage:
        """Versions and markers behind ``key_marker`` (and of that key behind ``version_marker``).

        A key's versions come newest first. Keys that hold ``delimiter`` after the prefix are
        rolled up as in a listing.
        """
        if limit < 0:
            raise InvalidInput(f"a page cannot have {limit} entries.", hint="Use a limit of 0 or more.")
        found = find_bucket(self._store, bucket)
        walk = _Walk(self._store, found, encode_text(prefix, "prefix"), encode_text(delimiter, "delimiter"))
        return walk.page(encode_text(key_marker, "key_marker"), version_marker, limit)


def _behind(versions: list[Version], marker: str) -> list[Version]:
    """Those of a key's versions, newest first, that come after the one called ``marker``.

    That one may be gone: whoever empties a bucket deletes each page before asking for the next. Where it
    was is told by its id; of a ``null`` version that is gone nothing tells, and none is passed over.
    """
    for place, version in enumerate(versions):
        if version.s3_id == marker:
            return versions[place + 1 :]
    if marker == NULL:
        return versions
    # As ids are shown, 16 digits each, texts have the order of numbers.
    return [version for version in versions if version.info.version_id < marker]


class _Cursor:
    """Rows of a range in order, fetched a page at a time, with seeks forward."""

    def __init__(self, store: Store, start: bytes, stop: bytes) -> None:
        self._store = store
        self._start = start
        self._stop = stop
        self._rows: list[Row] = []
        self._count = _PROBE_ROWS

    def peek(self) -> Row | None:
        """The next row; None at the end."""
        if not self._rows and self._start < self._stop:
            rows = self._store.scan(self._start, self._stop, self._count)
            self._start = rows[-1].key + b"\0" if len(rows) == self._count else self._stop
            self._count = min(2 * self._count, _PAGE_ROWS)
            self._rows = rows[::-1]
        return self._rows[-1] if self._rows else None

    def pop(self) -> None:
        """Steps over the row that :meth:`peek` has shown."""
        self._rows.pop()

    def seek(self, start: bytes) -> None:
        """Passes over all rows before ``start``."""
        while self._rows and self._rows[-1].key < start:
            self._rows.pop()
        if not self._rows and start > self._start:
            self._start, self._count = start, _PROBE_ROWS


class _Walk:
    """One page in the making: current objects and listed versions, merged by key."""

    def __init__(self, store: Store, bucket: Bucket, prefix: bytes, delimiter: bytes) -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._delimiter = delimiter
        base = object_prefix(bucket)
        self._current = _Cursor(store, base + prefix, prefix_end(base + prefix))
        self._hidden = _Cursor(store, *hidden_range(bucket, prefix))

    def page(self, key_marker: bytes, version_marker: str, limit: int) -> VersionPage:
        shown = VersionPage([], [])
        begun = self._begin(key_marker[:KEY_BYTES_MAX], version_marker)
        last = ("", "")
        for key, group in self._keys():
            common = self._common(key)
            if begun and key == key_marker:
                group = _behind(group, version_marker)
            for version in group[:1] if common else group:
                if len(shown.versions) + len(shown.prefixes) >= limit:
                    return replace(shown, next_key=last[0], next_version=last[1])
                if common:
                    shown.prefixes.append(common.decode())
                    last = (common.decode(), "")
                    self._seek(prefix_end(common))
                else:
                    shown.versions.append(version)
                    last = (version.info.key, version.s3_id)
        return shown

    def _begin(self, marker: bytes, version_marker: str) -> bool:
        """Goes to where the page begins; whether it begins among the versions of the key ``marker``."""
        if not marker:
            return False
        common = self._common(marker) if marker.startswith(self._prefix) else None
        if common:
            self._seek(prefix_end(common))
            return False
        self._seek(marker if version_marker else marker + b"\0")
        return bool(version_marker)

    def _seek(self, key: bytes) -> None:
        self._current.seek(object_prefix(self._bucket) + key)
        self._hidden.seek(hidden_range(self._bucket, key)[0])

    def _common(self, key: bytes) -> bytes | None:
        if not self._delimiter:
            return None
        at = key.find(self._delimiter, len(self._prefix))
        return None if at < 0 else key[: at + len(self._delimiter)]

    def _keys(self) -> Iterator[tuple[bytes, list[Version]]]:
        """Keys with what S3 lists of each, newest first; a key of which it lists nothing is left out."""
        while True:
            now, old = self._current.peek(), self._hidden.peek()
            keys = ([now.key[_KEY_AT:]] if now else []) + ([hidden_key_of(old.key)] if old else [])
            if not keys:
                return
            key = min(keys)
            versions: list[Version] = []
            if now is not None and now.key[_KEY_AT:] == key:
                versions.append(Version(ObjectInfo.of_row(self._bucket.name, now), True))
                self._current.pop()
            while old is not None and hidden_key_of(old.key) == key:
                hidden = decode_hidden(self._bucket, old)
                if hidden.is_listed:
                    versions.append(Version(hidden.info, not versions, hidden.is_marker))
                self._hidden.pop()
                old = self._hidden.peek()
            if versions:
                yield key, versions
