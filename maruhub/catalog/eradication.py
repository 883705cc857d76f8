"""Dropped versions whose delay is over, and what only they named: parts of a reclaim.

A version goes first, alone with its tags. Its fragments follow once no version that is
left names them. Which do is read from the roots, at leisure; the turn that removes them
accepts the answer only if no dataset has changed since. Rows of label revisions stay: they
hold no bytes, they are the set's history, and their numbers are never given out again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Final

from maruhub.care.reclaim import Finding, Hold, Part
from maruhub.catalog import row as rows_of
from maruhub.catalog.dropping import retained_until
from maruhub.catalog.manifests.root import Root
from maruhub.catalog.name import version_name
from maruhub.catalog.row import DatasetRow, TagRow, VersionRow, ViewRow
from maruhub.errors import MaruError, ReadOnly
from maruhub.store.format.row import Row
from maruhub.store.protocol import Change, Rows, Store, get, prefix_end, read, scan_all

UNREADABLE: Final = (MaruError, ValueError, KeyError, TypeError, json.JSONDecodeError)
"""What decoding may raise on a row that a later release wrote, or that is damaged."""

_LATER: Final = ("hold", "lock")
"""Fields that will mean "do not remove": honoured before they are known."""


def dataset_parts(store: Store) -> list[Part]:
    """What the catalog hides, in the order in which its rows let go of each other."""
    return [DroppedVersions(store), LooseFragments(store), LooseViews(store)]


class DroppedVersions:
    """Rows ``M`` of dropped versions; with one go the tags that still point to it."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def findings(self) -> Iterator[Finding]:
        """See ``Part.findings``."""
        for row in versions_of(self._store):
            dataset_key = rows_of.dataset_key(_dataset_of(row.key))
            found = _hold_of(row, get(self._store, dataset_key), self._store.pool_time_us())
            if found is not None:
                hold, payload, until_us = found
                since_us = payload.dropped_us if payload else 0
                yield Finding(
                    "dataset version",
                    address_of(row.key),
                    row.key,
                    row.extents_raw,
                    since_us,
                    until_us,
                    hold,
                    basis=(dataset_key,),
                )

    def removal(self, found: Sequence[Finding]) -> Change[list[bytes]]:
        """See ``Part.removal``."""

        def change(rows: Rows) -> list[bytes]:
            removed = []
            versions = rows.get_many([finding.key for finding in found])
            datasets = rows.get_many([finding.basis[0] for finding in found])
            for row, dataset in zip(versions, datasets, strict=True):
                held = None if row is None else _hold_of(row, dataset, rows.pool_time_us)
                if row is None or held is None or held[0] is not Hold.NOTHING:
                    continue
                for tag in _tags_of(rows, row.key):
                    rows.remove(tag)
                rows.remove(row.key)
                removed.append(row.key)
            return removed

        return change


class LooseFragments:
    """Rows ``F`` that no version names any more.

    Once none was found, roots are read again only after a version has come or gone.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._clean: tuple[int, int, int] | None = None

    def findings(self) -> Iterator[Finding]:
        """See ``Part.findings``; nothing at all if one root can't be read.

        Fragments of versions whose delay is over count as loose: the turn makes sure that
        those versions are gone by then.
        """
        leaving = {f.key: f for f in DroppedVersions(self._store).findings() if f.hold is Hold.NOTHING}
        seen = (*self._state(), len(leaving))
        if seen == self._clean:
            return
        snapshot = _counter(self._store)
        named: set[str] = set()
        last: dict[str, Finding] = {}
        for row in versions_of(self._store):
            try:
                fragments = Root.decode(read(self._store, row.extents)).fragments()
            except MaruError:
                if row.key not in leaving:
                    why = "its root can't be read, so all fragments stay"
                    yield Finding("fragments", address_of(row.key), row.key, b"", 0, 0, Hold.DOUBT, why)
                    return
                continue
            if row.key in leaving:
                last.update(dict.fromkeys(fragments, leaving[row.key]))
            else:
                named.update(fragments)
        basis = (snapshot.to_bytes(8, "big"), *leaving)
        found = False
        for finding in self._loose(named, last, basis):
            found = True
            yield finding
        self._clean = None if found else seen

    def _state(self) -> tuple[int, int]:
        """What changes with every version that comes (datasets' rows) or goes (how many there are)."""
        newest = max((row.counter for row in scan_all(self._store, b"D", b"E")), default=0)
        return newest, sum(1 for _ in versions_of(self._store))

    def _loose(
        self, named: set[str], last: dict[str, Finding], basis: tuple[bytes, ...]
    ) -> Iterator[Finding]:
        for row in scan_all(self._store, b"F", b"G"):
            name = row.key[1:].hex()
            if name not in named:
                version = last.get(name)
                where = version.where if version else "datasets"
                since_us, until_us = (version.since_us, version.until_us) if version else (0, 0)
                yield Finding(
                    "fragment",
                    where,
                    row.key,
                    row.extents_raw,
                    since_us,
                    until_us,
                    Hold.NOTHING,
                    basis=basis,
                )

    def removal(self, found: Sequence[Finding]) -> Change[list[bytes]]:
        """See ``Part.removal``.

        A commit always writes its dataset's row: while none has changed since the roots were
        read, no version names anything that they don't.
        """
        snapshot = min((int.from_bytes(finding.basis[0], "big") for finding in found), default=0)
        leaving = list(dict.fromkeys(key for finding in found for key in finding.basis[1:]))

        def change(rows: Rows) -> list[bytes]:
            if any(row.counter > snapshot for row in scan_all(rows, b"D", b"E")):
                return []
            if any(row is not None for row in rows.get_many(leaving)):
                return []
            removed = [row.key for row in rows.get_many([f.key for f in found]) if row is not None]
            for key in removed:
                rows.remove(key)
            return removed

        return change


class LooseViews:
    """Rows ``W``: saved views of versions that are gone."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def findings(self) -> Iterator[Finding]:
        """See ``Part.findings``."""
        leaving = {f.key for f in DroppedVersions(self._store).findings() if f.hold is Hold.NOTHING}
        for row in scan_all(self._store, b"W", b"X"):
            version_key = _version_of(row)
            if version_key is None:
                continue
            if version_key in leaving or _is_gone(self._store, version_key):
                where = address_of(version_key)
                yield Finding("view", where, row.key, row.extents_raw, row.time_us, 0, Hold.NOTHING)

    def removal(self, found: Sequence[Finding]) -> Change[list[bytes]]:
        """See ``Part.removal``."""

        def change(rows: Rows) -> list[bytes]:
            removed = []
            for row in rows.get_many([finding.key for finding in found]):
                version_key = None if row is None else _version_of(row)
                if row is not None and version_key is not None and _is_gone(rows, version_key):
                    rows.remove(row.key)
                    removed.append(row.key)
            return removed

        return change


def _hold_of(row: Row, dataset: Row | None, now_us: int) -> tuple[Hold, VersionRow | None, int] | None:
    """Why a dropped version stays, its payload, and until when; None if it isn't dropped."""
    try:
        payload = VersionRow.decode(row)
        if not payload.dropped_us:
            return None
        if dataset is None:
            return Hold.DOUBT, payload, 0
        line = DatasetRow.decode(dataset)
        ends = [payload.eradicate_us, retained_until(payload), retained_until(line)]
        until_us = max(ends)
    except UNREADABLE:
        return Hold.DOUBT, None, 0
    later = any(name in each.more for name in _LATER for each in (payload, line))
    if later or not payload.eradicate_us or line.latest == rows_of.version_of_key(row.key):
        return Hold.DOUBT, payload, 0
    if until_us <= now_us:
        return Hold.NOTHING, payload, until_us
    return (Hold.RETENTION if max(ends[1:]) > now_us else Hold.DELAY), payload, until_us


def versions_of(store: Store) -> Iterator[Row]:
    """Rows of all versions of all datasets, dropped ones too."""
    yield from scan_all(store, b"M", b"N")


def _dataset_of(version_key: bytes) -> str:
    return version_key[1:-5].decode()


def address_of(version_key: bytes) -> str:
    """``cats@v3``, from the row key of a version."""
    return f"{_dataset_of(version_key)}@{version_name(rows_of.version_of_key(version_key))}"


def _tags_of(rows: Rows, version_key: bytes) -> list[bytes]:
    prefix = rows_of.tags_prefix(_dataset_of(version_key))
    number = rows_of.version_of_key(version_key)
    return [tag.key for tag in scan_all(rows, prefix, prefix_end(prefix)) if _points_to(tag, number)]


def _points_to(tag: Row, number: int) -> bool:
    try:
        return TagRow.decode(tag).version == number
    except UNREADABLE:
        return False


def _version_of(view: Row) -> bytes | None:
    """The row key of the version of a saved view; None if that can't be read."""
    try:
        saved = ViewRow.decode(view)
        return rows_of.version_key(saved.dataset, saved.version)
    except (*UNREADABLE, OverflowError):
        return None


def _is_gone(reader: Store | Rows, version_key: bytes) -> bool:
    """Whether there was such a version and is none any more; numbers are never used again."""
    dataset, version = reader.get_many([rows_of.dataset_key(_dataset_of(version_key)), version_key])
    if dataset is None or version is not None:
        return False
    try:
        return rows_of.version_of_key(version_key) <= DatasetRow.decode(dataset).head
    except UNREADABLE:
        return False


def _counter(store: Store) -> int:
    """A counter higher than that of everything committed; 0 where nothing can be committed."""
    try:
        return store.commit(lambda rows: rows.counter)
    except ReadOnly:
        return 0
