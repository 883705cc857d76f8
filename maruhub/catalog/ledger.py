"""The catalog's rows in the store: reading them, and the few changes there are.

Every change is one commit turn with its condition inside, so two commits at once never
lose one: the second finds the head moved, and starts again on top.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from maruhub.catalog import row as rows_of
from maruhub.catalog.draft import Draft
from maruhub.catalog.root import Root
from maruhub.catalog.row import DatasetRow, LabelRow, TagRow, VersionRow, ViewRow
from maruhub.errors import AlreadyExists, NoSuchDataset, NoSuchVersion, Refused
from maruhub.store.format.extent import Blob
from maruhub.store.format.row import Row
from maruhub.store.format.segment_class import SegmentClass
from maruhub.store.protocol import Change, Rows, Store, T, get, prefix_end, read, scan_all

DELAY_S: Final = 86_400.0
"""Eradication delay of a dropped version, unless a longer one is given."""

_VIEW_BYTES: Final = 8


class Ledger:
    """One hub's catalog rows. Safe from many threads and processes."""

    def __init__(self, store: Store, actor: str) -> None:
        self.store = store
        self.actor = actor

    def dataset(self, name: str) -> DatasetRow | None:
        """The dataset's row, None before its first commit."""
        row = get(self.store, rows_of.dataset_key(name))
        return None if row is None else DatasetRow.decode(row)

    def datasets(self) -> list[str]:
        """Names of all datasets, in order."""
        return [row.key[1:].decode() for row in scan_all(self.store, b"D", b"E")]

    def version(self, dataset: str, number: int) -> Row:
        """A version's row, dropped or not; raises NoSuchVersion."""
        row = get(self.store, rows_of.version_key(dataset, number))
        if row is None:
            raise NoSuchVersion(f"{dataset}@v{number} does not exist.", hint="`maru versions` lists them.")
        return row

    def versions(self, dataset: str) -> Iterator[Row]:
        """Rows of all versions, dropped ones too, in order."""
        prefix = rows_of.versions_prefix(dataset)
        return iter(scan_all(self.store, prefix, prefix_end(prefix)))

    def newest_restorable(self, dataset: str) -> Row | None:
        """The highest version that was dropped and is within its delay, None if there is none."""
        now_us = self.store.pool_time_us()
        found = None
        for row in self.versions(dataset):
            payload = VersionRow.decode(row)
            if payload.dropped_us and payload.eradicate_us > now_us:
                found = row
        return found

    def root(self, version: Row) -> Root:
        """A version's root."""
        return Root.decode(read(self.store, version.extents))

    def tags(self, dataset: str) -> dict[str, int]:
        """Tags and the versions that they name."""
        prefix = rows_of.tags_prefix(dataset)
        found = scan_all(self.store, prefix, prefix_end(prefix))
        return {row.key[len(prefix) :].decode(): TagRow.decode(row).version for row in found}

    def label_rows(self, dataset: str) -> Iterator[tuple[str, int, Row]]:
        """Label set, revision and row of every revision, in order."""
        prefix = rows_of.label_sets_prefix(dataset)
        for row in scan_all(self.store, prefix, prefix_end(prefix)):
            yield row.key[len(prefix) : -5].decode(), rows_of.version_of_key(row.key), row

    # -- changes

    def publish(self, draft: Draft, seen: DatasetRow | None) -> Row | None:
        """Makes a draft the latest version; None if the dataset moved since ``seen``."""
        root = draft.root
        encoded = root.encode()
        blob = self.store.append([encoded], SegmentClass.META)[0]
        draft.appended_bytes = len(encoded) + draft.fragment_bytes()
        key = rows_of.dataset_key(root.dataset)
        version = VersionRow(draft.digest, root.rows, root.positions, draft.message, list(draft.sources))

        def change(rows: Rows) -> bool:
            row = get(rows, key)
            now = None if row is None else DatasetRow.decode(row)
            if _place(now) != _place(seen) or not _stays(rows, root.dataset, draft.basis):
                return False
            for fragment in draft.fragments:
                fragment.stage(rows)
            rows.put(rows_of.version_key(root.dataset, root.version), version.encode(), extents=blob)
            base = now or DatasetRow(0, 0)
            rows.put(key, replace(base, head=root.version, latest=root.version).encode())
            if draft.labels is not None:
                name, revision, payload = draft.labels
                rows.put(rows_of.label_key(root.dataset, name, revision), payload.encode())
            return True

        if not self._commit(change):
            return None
        return self.version(root.dataset, root.version)

    def set_tag(self, dataset: str, tag: str, number: int, *, move: bool) -> None:
        """Points a tag to a version that is not dropped; AlreadyExists if it points elsewhere."""
        key = rows_of.tag_key(dataset, tag)

        def change(rows: Rows) -> None:
            _live_version(rows, dataset, number)
            row = get(rows, key)
            old = None if row is None else TagRow.decode(row).version
            if old not in (None, number) and not move:
                raise AlreadyExists(
                    f"tag {tag!r} points to v{old} of {dataset}.", hint="To move it: --move (move=True)."
                )
            rows.put(key, TagRow(number).encode())

        self._commit(change)

    def remove_tag(self, dataset: str, tag: str) -> None:
        """Takes a tag away; NoSuchVersion if there is none."""
        key = rows_of.tag_key(dataset, tag)

        def change(rows: Rows) -> None:
            if get(rows, key) is None:
                raise NoSuchVersion(f"{dataset} has no tag {tag!r}.", hint="`maru versions` shows tags.")
            rows.remove(key)

        self._commit(change)

    def drop(self, dataset: str, number: int, delay_s: float) -> None:
        """Hides a version; it can be restored until the delay is over on the pool's clock."""

        def change(rows: Rows) -> None:
            row, payload = _live_version(rows, dataset, number)
            _hide(rows, row, payload, delay_s)
            _set_latest(rows, dataset, without=number)

        self._commit(change)

    def drop_all(self, dataset: str, delay_s: float) -> list[int]:
        """Hides every version in one change; the numbers of those that were not hidden before."""

        def change(rows: Rows) -> list[int]:
            live = [(row, old) for row, old in _all_versions(rows, dataset) if not old.dropped_us]
            for row, payload in live:
                _hide(rows, row, payload, delay_s)
            _put_latest(rows, dataset, 0)
            return [rows_of.version_of_key(row.key) for row, _ in live]

        return self._commit(change)

    def undrop_all(self, dataset: str) -> list[int]:
        """Brings every dropped version back in one change; their numbers."""

        def change(rows: Rows) -> list[int]:
            known = [(row, payload) for row, payload in _all_versions(rows, dataset)]
            hidden = [(row, payload) for row, payload in known if payload.dropped_us]
            for row, payload in hidden:
                back = replace(payload, dropped_us=0, eradicate_us=0)
                rows.put(row.key, back.encode(), extents=row.extents)
            _put_latest(rows, dataset, rows_of.version_of_key(known[-1][0].key) if known else 0)
            return [rows_of.version_of_key(row.key) for row, _ in hidden]

        return self._commit(change)

    def undrop(self, dataset: str, number: int) -> None:
        """Brings a dropped version back (no error if it was not dropped)."""

        def change(rows: Rows) -> None:
            row = get(rows, rows_of.version_key(dataset, number))
            if row is None:
                raise NoSuchVersion(f"{dataset}@v{number} does not exist.")
            payload = VersionRow.decode(row)
            if payload.dropped_us:
                back = replace(payload, dropped_us=0, eradicate_us=0)
                rows.put(row.key, back.encode(), extents=row.extents)
                _set_latest(rows, dataset, back=number)

        self._commit(change)

    def set_split(self, dataset: str, split: dict[str, Any], *, replace_it: bool) -> dict[str, Any]:
        """Fixes the split's rule; returns what holds: the one before unless ``replace_it``."""
        key = rows_of.dataset_key(dataset)

        def change(rows: Rows) -> dict[str, Any]:
            row = get(rows, key)
            if row is None:
                raise NoSuchDataset(f"there is no dataset {dataset!r}.", hint="Commit it first.")
            now = DatasetRow.decode(row)
            if now.split is not None and not replace_it:
                return now.split
            rows.put(key, replace(now, split=split).encode())
            return split

        return self._commit(change)

    def save_view(self, digest: str, payload: ViewRow, positions: bytes | memoryview) -> None:
        """Keeps a view's positions under its digest (once)."""
        key = rows_of.view_key(digest)
        if not self._opens(get(self.store, key)):
            blob: Blob = self.store.append([positions], SegmentClass.META)[0] if len(positions) else ()
            self._commit(lambda rows: rows.put(key, payload.encode(), extents=blob))

    def _opens(self, row: Row | None) -> bool:
        """Whether a saved view names a version that is there; an equal one may have been dropped."""
        if row is None:
            return False
        saved = ViewRow.decode(row)
        version = get(self.store, rows_of.version_key(saved.dataset, saved.version))
        return version is not None and not VersionRow.decode(version).dropped_us

    def saved_view(self, digest: str) -> tuple[ViewRow, Row] | None:
        """A saved view's row."""
        row = get(self.store, rows_of.view_key(digest))
        return None if row is None else (ViewRow.decode(row), row)

    def _commit(self, change: Change[T]) -> T:
        return self.store.commit(change, actor=self.actor)


def _place(dataset: DatasetRow | None) -> tuple[int, int]:
    return (0, 0) if dataset is None else (dataset.head, dataset.latest)


def _live_version(rows: Rows, dataset: str, number: int) -> tuple[Row, VersionRow]:
    row = get(rows, rows_of.version_key(dataset, number))
    payload = None if row is None else VersionRow.decode(row)
    if row is None or payload is None:
        raise NoSuchVersion(f"{dataset}@v{number} does not exist.", hint="`maru versions` lists them.")
    if payload.dropped_us:
        raise NoSuchVersion(
            f"{dataset}@v{number} was dropped.",
            hint=f"`maru drop {dataset}@v{number} --undo` (undrop) brings it back.",
        )
    return row, payload


def _set_latest(rows: Rows, dataset: str, *, without: int = 0, back: int = 0) -> None:
    """Points the dataset to its highest version that is not dropped."""
    row = get(rows, rows_of.dataset_key(dataset))
    assert row is not None, "a version has a dataset"
    latest = max(DatasetRow.decode(row).latest, back)
    if latest == without:
        latest = _highest_below(rows, dataset, without)
    _put_latest(rows, dataset, latest)


def _put_latest(rows: Rows, dataset: str, latest: int) -> None:
    key = rows_of.dataset_key(dataset)
    row = get(rows, key)
    if row is None:
        raise NoSuchDataset(f"there is no dataset {dataset!r}.", hint="`maru versions` lists them.")
    now = DatasetRow.decode(row)
    if latest != now.latest:
        rows.put(key, replace(now, latest=latest).encode())


def _hide(rows: Rows, row: Row, payload: VersionRow, delay_s: float) -> None:
    """Marks a version as dropped; its row keeps who made it and when."""
    dropped = replace(
        payload,
        by=payload.by if payload.at_us else row.actor,
        at_us=payload.at_us or row.time_us,
        dropped_us=rows.time_us,
        eradicate_us=rows.pool_time_us + int(delay_s * 1e6),
    )
    rows.put(row.key, dropped.encode(), extents=row.extents)


def _all_versions(rows: Rows, dataset: str) -> list[tuple[Row, VersionRow]]:
    prefix = rows_of.versions_prefix(dataset)
    found = scan_all(rows, prefix, prefix_end(prefix))
    return [(row, VersionRow.decode(row)) for row in found]


def _stays(rows: Rows, dataset: str, basis: int) -> bool:
    """Whether the version that a draft shares fragments with is still kept (0: it has none)."""
    if not basis:
        return True
    row = get(rows, rows_of.version_key(dataset, basis))
    payload = None if row is None else VersionRow.decode(row)
    return payload is not None and (not payload.dropped_us or payload.eradicate_us > rows.pool_time_us)


def _highest_below(rows: Rows, dataset: str, number: int) -> int:
    start, stop = rows_of.versions_prefix(dataset), rows_of.version_key(dataset, number)
    while found := rows.scan(start, stop, 100, reverse=True):
        for row in found:
            if not VersionRow.decode(row).dropped_us:
                return rows_of.version_of_key(row.key)
        stop = found[-1].key
    return 0


def check_delay(delay_s: float) -> float:
    """A drop's delay: the default or longer; raises Refused."""
    if not delay_s >= DELAY_S:
        raise Refused(
            f"a dropped version stays restorable for {DELAY_S:.0f} s at least.", hint="Give a longer delay."
        )
    return delay_s


__all__ = ["DELAY_S", "LabelRow", "Ledger", "check_delay"]
