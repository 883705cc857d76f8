"""The catalog's rows in the store: reading them, and the few changes there are.

Every change is one commit turn with its condition inside, so two commits at once never
lose one: the second finds the head moved, and starts again on top.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

from maruhub.catalog import dropping
from maruhub.catalog import row as rows_of
from maruhub.catalog.manifests.draft import Draft
from maruhub.catalog.manifests.recheck import later_snapshot
from maruhub.catalog.manifests.root import Root
from maruhub.catalog.row import DatasetRow, TagRow, VersionRow, ViewRow
from maruhub.errors import AlreadyExists, Conflict, MaruError, NoSuchDataset, NoSuchVersion
from maruhub.namespace.retention import Term
from maruhub.namespace.stream import NOT_A_REFUSAL
from maruhub.store.format.extent import Blob
from maruhub.store.format.row import Row
from maruhub.store.format.segment_class import SegmentClass
from maruhub.store.protocol import Change, Rows, Store, T, get, prefix_end, read, scan_all

_RECHECKS = 10
"""How often a draft is looked over because acts overtook it, before it is made anew."""


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
        """Makes a draft the latest version.

        None if the dataset moved since ``seen``, or something that the draft names is gone:
        then it has to be made again.
        """
        root = draft.root
        encoded = root.encode()
        draft.appended_bytes = len(encoded) + draft.fragment_bytes()
        blob: Blob = ()
        row = None
        try:
            blob = self.store.append([encoded], SegmentClass.META)[0]
            row = self.version(root.dataset, root.version) if self._put(draft, seen, blob) else None
        except NOT_A_REFUSAL:
            raise
        except MaruError:
            self._let_go(draft, blob)
            raise
        self._let_go(draft, () if row is not None else blob)
        return row

    def _put(self, draft: Draft, seen: DatasetRow | None, blob: Blob) -> bool:
        for _ in range(_RECHECKS):
            try:
                return self._commit(lambda rows: _publish(rows, draft, seen, blob))
            except Conflict:
                snapshot = later_snapshot(self.store, draft.fragments, draft.snapshot)
                if snapshot is None:
                    return False
                draft.snapshot = snapshot
        return False

    def _let_go(self, draft: Draft, root: Blob) -> None:
        draft.disclaim(self.store)
        with suppress(MaruError):
            self.store.disclaim(root)

    def set_tag(self, dataset: str, tag: str, number: int, *, move: bool) -> None:
        """Points a tag to a version that is not dropped; AlreadyExists if it points elsewhere."""
        key = rows_of.tag_key(dataset, tag)

        def change(rows: Rows) -> None:
            dropping.live_version(rows, dataset, number)
            row = get(rows, key)
            old = None if row is None else TagRow.decode(row).version
            if old not in (None, number) and not move:
                raise AlreadyExists(
                    f"tag {tag!r} points to v{old} of {dataset}.",
                    hint="--move moves it.",
                    python_hint="move=True moves it.",
                )
            rows.put(key, TagRow(number).encode())

        self._commit(change)

    def remove_tag(self, dataset: str, tag: str) -> None:
        """Takes a tag away; NoSuchVersion if there is none."""
        key = rows_of.tag_key(dataset, tag)

        def change(rows: Rows) -> None:
            if get(rows, key) is None:
                raise NoSuchVersion(
                    f"{dataset} has no tag {tag!r}.",
                    hint=f"`maru versions {dataset}` shows tags.",
                    python_hint="dataset.versions() shows tags.",
                )
            rows.remove(key)

        self._commit(change)

    def drop(self, dataset: str, number: int, delay_s: float) -> None:
        """Hides a version; it can be restored until the delay is over on the pool's clock."""
        self._commit(lambda rows: dropping.drop(rows, dataset, number, delay_s))

    def drop_all(self, dataset: str, delay_s: float) -> list[int]:
        """Hides every version in one change; the numbers of those that were not hidden before."""
        return self._commit(lambda rows: dropping.drop_all(rows, dataset, delay_s))

    def undrop(self, dataset: str, number: int) -> None:
        """Brings a dropped version back (no error if it was not dropped)."""
        self._commit(lambda rows: dropping.undrop(rows, dataset, number))

    def undrop_all(self, dataset: str) -> list[int]:
        """Brings every dropped version back in one change; their numbers."""
        return self._commit(lambda rows: dropping.undrop_all(rows, dataset))

    def retain(self, dataset: str, number: int | None, term: Term) -> int:
        """Retains a version, or (None) a dataset; pool time until which it holds."""
        return self._commit(lambda rows: dropping.retain(rows, dataset, number, term))

    def set_split(self, dataset: str, split: dict[str, Any], *, replace_it: bool) -> dict[str, Any]:
        """Fixes the split's rule; returns what holds: the one before unless ``replace_it``."""
        key = rows_of.dataset_key(dataset)

        def change(rows: Rows) -> dict[str, Any]:
            row = get(rows, key)
            if row is None:
                raise NoSuchDataset(
                    f"there is no dataset {dataset!r}.", hint="`maru commit` (dataset.commit) makes it."
                )
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


def _publish(rows: Rows, draft: Draft, seen: DatasetRow | None, blob: Blob) -> bool:
    """Inside the change: stages a draft's rows; False if it doesn't fit any more."""
    root = draft.root
    key = rows_of.dataset_key(root.dataset)
    row = get(rows, key)
    now = None if row is None else DatasetRow.decode(row)
    if _place(now) != _place(seen) or not dropping.stays(rows, root.dataset, draft.basis):
        return False
    for fragment in draft.fragments:
        fragment.stage(rows, draft.snapshot)
    # One that was there when the draft was made may have been removed with its last version.
    if None in rows.get_many([rows_of.fragment_key(name) for name in root.fragments()]):
        return False
    version = VersionRow(draft.digest, root.rows, root.positions, draft.message, list(draft.sources))
    rows.put(rows_of.version_key(root.dataset, root.version), version.encode(), extents=blob)
    # Always, with every new version: whoever removes fragments asks whether this row changed.
    rows.put(key, replace(now or DatasetRow(0, 0), head=root.version, latest=root.version).encode())
    if draft.labels is not None:
        name, revision, payload = draft.labels
        rows.put(rows_of.label_key(root.dataset, name, revision), payload.encode())
    return True


def _place(dataset: DatasetRow | None) -> tuple[int, int]:
    return (0, 0) if dataset is None else (dataset.head, dataset.latest)
