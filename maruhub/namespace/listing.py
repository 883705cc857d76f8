"""Listing: pages of what a bucket holds, in UTF-8 byte order, as S3's ListObjectsV2.

A page costs what it shows: with a delimiter, everything below a common prefix is skipped
by one seek, so neither the bucket's size nor a folder's counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from maruhub.errors import InvalidInput
from maruhub.namespace.bucket import Bucket, find_bucket
from maruhub.namespace.names import KEY_BYTES_MAX, encode_text
from maruhub.namespace.object import ObjectInfo, object_prefix
from maruhub.store.protocol import Store, prefix_end

_SCAN_ROWS: Final = 1000
# A whole page, and the row behind it that says whether there is another.
_PAGE_ROWS: Final = _SCAN_ROWS + 1
_PROBE_ROWS: Final = 8
_KEY_AT: Final = 9


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a listing.

    Args:
        objects: Objects, by key.
        prefixes: Common prefixes, each once, each ending in the delimiter.
        next_start_after: ``start_after`` of the next page: the last name of this one,
            key or common prefix. None: this was the last.
    """

    objects: list[ObjectInfo]
    prefixes: list[str]
    next_start_after: str | None


class Listing:
    """Listings of a hub's buckets; each page is one moment, pages may differ in time."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def page(
        self,
        bucket: str,
        *,
        prefix: str = "",
        delimiter: str | None = None,
        start_after: str = "",
        limit: int = 1000,
    ) -> Page:
        """Objects and common prefixes whose names follow ``start_after``.

        Args:
            bucket: Where; NoSuchBucket.
            prefix: Only keys that begin with it.
            delimiter: Rolls keys up that hold it after the prefix, to the end of its first
                occurrence.
            start_after: Only names greater than it, in byte order. A common prefix counts
                by its own name: inside of one, the rest of it is passed over.
            limit: Most objects and prefixes together.
        """
        if limit < 0:
            raise InvalidInput(f"a page cannot have {limit} entries.", hint="Use a limit of 0 or more.")
        found = find_bucket(self._store, bucket)
        walk = _Walk(
            self._store, found, encode_text(prefix, "prefix"), encode_text(delimiter or "", "delimiter")
        )
        return walk.page(encode_text(start_after, "start_after"), limit)

    def scan(self, bucket: str, prefix: str = "") -> Iterator[list[ObjectInfo]]:
        """Everything below a prefix, in pages of up to 1,000; each page is one moment."""
        found = find_bucket(self._store, bucket)
        start = object_prefix(found) + encode_text(prefix, "prefix")
        return self._scan(found, start, prefix_end(start))

    def _scan(self, bucket: Bucket, start: bytes, stop: bytes) -> Iterator[list[ObjectInfo]]:
        of_row, name = ObjectInfo.of_row, bucket.name
        while rows := self._store.scan(start, stop, _SCAN_ROWS):
            yield [of_row(name, row) for row in rows]
            if len(rows) < _SCAN_ROWS:
                return
            start = rows[-1].key + b"\0"


class _Walk:
    """One page in the making: which rows to fetch, which to skip."""

    def __init__(self, store: Store, bucket: Bucket, prefix: bytes, delimiter: bytes) -> None:
        self._store = store
        self._bucket = bucket.name
        self._base = object_prefix(bucket)
        self._prefix = prefix
        self._delimiter = delimiter
        self._stop = prefix_end(self._base + prefix)
        self._names: list[bytes] = []
        self._objects: list[ObjectInfo] = []
        self._prefixes: list[bytes] = []

    def page(self, start_after: bytes, limit: int) -> Page:
        if limit == 0 or len(self._prefix) > KEY_BYTES_MAX:
            return Page([], [], None)
        cursor: bytes | None = self._first(start_after)
        rows = _PROBE_ROWS if self._delimiter else _PAGE_ROWS
        while cursor is not None and len(self._names) <= limit:
            cursor, wasteful = self._fetch(cursor, min(rows, limit + 1 - len(self._names)))
            rows = _PROBE_ROWS if wasteful else min(rows * 2, _PAGE_ROWS)
        more = len(self._names) > limit
        if more:
            (
                self._prefixes
                if self._prefixes and self._prefixes[-1] == self._names[limit]
                else self._objects
            ).pop()
        return Page(
            self._objects,
            [name.decode() for name in self._prefixes],
            self._names[limit - 1].decode() if more else None,
        )

    def _first(self, start_after: bytes) -> bytes:
        """Where rows begin that may be shown."""
        # No key is longer, so what follows a longer name follows its first bytes.
        after = start_after[:KEY_BYTES_MAX]
        if start_after < self._prefix:
            return self._base + self._prefix
        common = self._common(start_after) if start_after.startswith(self._prefix) else None
        return prefix_end(self._base + common) if common else self._base + after + b"\0"

    def _common(self, key: bytes) -> bytes | None:
        """The common prefix that stands for ``key``, None if it stands for itself."""
        if not self._delimiter:
            return None
        at = key.find(self._delimiter, len(self._prefix))
        return None if at < 0 else key[: at + len(self._delimiter)]

    def _fetch(self, cursor: bytes, count: int) -> tuple[bytes | None, bool]:
        """Takes in up to ``count`` rows; where to go on (None: nowhere), and whether most showed nothing."""
        rows = self._store.scan(cursor, self._stop, count) if cursor < self._stop else []
        common: bytes | None = None
        names_before = len(self._names)
        for row in rows:
            key = row.key[_KEY_AT:]
            if common is not None and key.startswith(common):
                continue
            common = self._common(key)
            if common is None:
                self._objects.append(ObjectInfo.of_row(self._bucket, row))
            else:
                self._prefixes.append(common)
            self._names.append(common or key)
        if len(rows) < count:
            return None, False
        cursor = rows[-1].key + b"\0" if common is None else prefix_end(self._base + common)
        return cursor, 2 * (len(self._names) - names_before) < len(rows)
