"""The namespace against a plain dict with versions: any sequence of operations."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule, run_state_machine_as_test

from maruhub.errors import NoSuchKey, NoSuchVersion, PreconditionFailed
from maruhub.namespace import Namespace, PutItem, quotas
from maruhub.store.protocol import Store
from tests.property.counted import Counted

KEYS = st.sampled_from(["a", "a/", "a//", "a/1", "a/2", "a/b/1", "a\0", "ab", "b", "b/x", "..", "é/é", "/"])
NAMES = st.one_of(KEYS, st.sampled_from(["", "a/b", "c", "a/b/", "\U0001f600"]))
DATA = st.binary(max_size=8)


@dataclass
class Version:
    data: bytes
    meta: dict[str, str]
    source: str | None = None


@dataclass
class Cell:
    """A key's versions by id, oldest first; the current one's id, None if it is deleted."""

    versions: dict[str, Version] = field(default_factory=dict)
    current: str | None = None

    def restorable(self) -> list[str]:
        taken = {version.source for version in self.versions.values()}
        return [id_ for id_ in reversed(self.versions) if id_ != self.current and id_ not in taken]


class Machine(Counted):
    @initialize()
    def begin(self) -> None:
        self.bucket = "b" + secrets.token_hex(8)
        self.ns = Namespace(self.store, actor="ann")
        self.ns.buckets.create(self.bucket)
        self.cells: dict[str, Cell] = {}

    def cell(self, key: str) -> Cell:
        return self.cells.setdefault(key, Cell())

    def now(self, key: str) -> Version | None:
        cell = self.cell(key)
        return None if cell.current is None else cell.versions[cell.current]

    def came(self, key: str, version_id: str, version: Version) -> None:
        cell = self.cell(key)
        assert version_id not in cell.versions
        assert all(version_id > old for old in cell.versions)
        cell.versions[version_id] = version
        cell.current = version_id

    def live(self) -> list[str]:
        return sorted((k for k, cell in self.cells.items() if cell.current), key=str.encode)

    @rule(items=st.dictionaries(KEYS, DATA, min_size=1, max_size=4), meta=st.sampled_from([{}, {"l": "1"}]))
    def put_many(self, items: dict[str, bytes], meta: dict[str, str]) -> None:
        batch = [PutItem(key, data, metadata=meta) for key, data in items.items()]
        for info in self.ns.objects.put_many(self.bucket, batch):
            self.came(info.key, info.version_id, Version(items[info.key], meta))

    @rule(key=KEYS, data=DATA)
    def put_if_none(self, key: str, data: bytes) -> None:
        try:
            info = self.ns.objects.put(self.bucket, key, data, if_none_match=True)
        except PreconditionFailed:
            assert self.now(key) is not None
        else:
            assert self.now(key) is None
            self.came(key, info.version_id, Version(data, {}))

    @rule(keys=st.lists(KEYS, max_size=4))
    def delete_many(self, keys: list[str]) -> None:
        expected = []
        for key in keys:
            expected.append(self.now(key) is not None)
            self.cell(key).current = None
        assert self.ns.objects.delete_many(self.bucket, keys) == expected

    @rule(source=KEYS, onto=KEYS)
    def copy(self, source: str, onto: str) -> None:
        version = self.now(source)
        try:
            info = self.ns.objects.copy(self.bucket, source, self.bucket, onto)
        except NoSuchKey:
            assert version is None
        else:
            assert version is not None
            self.came(onto, info.version_id, Version(version.data, version.meta))

    @rule(key=KEYS, meta=st.sampled_from([{"l": "2"}, {"l": "3"}]))
    def relabel(self, key: str, meta: dict[str, str]) -> None:
        version = self.now(key)
        if version is None or version.meta == meta:
            return
        info = self.ns.objects.update_metadata(self.bucket, key, metadata=meta)
        self.came(key, info.version_id, Version(version.data, meta))

    @rule(key=KEYS, pick=st.none() | st.integers(0, 5))
    def undelete(self, key: str, pick: int | None) -> None:
        cell = self.cell(key)
        hidden = [id_ for id_ in cell.versions if id_ != cell.current]
        chosen = None if pick is None or not hidden else hidden[pick % len(hidden)]
        source = chosen or next(iter(cell.restorable()), None)
        try:
            info = self.ns.past.undelete(self.bucket, key, chosen)
        except NoSuchVersion:
            assert source is None
        else:
            assert source is not None
            version = cell.versions[source]
            self.came(key, info.version_id, Version(version.data, version.meta, source))

    @rule()
    def bucket_there_and_back(self) -> None:
        if not self.live():
            self.ns.buckets.delete(self.bucket)
            self.ns.buckets.undelete(self.bucket)

    @rule()
    def restart(self) -> None:
        """What the namespace remembers beside the store must not matter."""
        self.ns = Namespace(self.store, actor="ann")

    @rule(
        prefix=NAMES, delimiter=st.sampled_from([None, "/", "a", "//"]), after=NAMES, limit=st.integers(1, 6)
    )
    def page(self, prefix: str, delimiter: str | None, after: str, limit: int) -> None:
        expected: dict[str, bool] = {}
        for key in self.live():
            if key.startswith(prefix):
                at = key.find(delimiter, len(prefix)) if delimiter else -1
                name = key if at < 0 else key[: at + len(delimiter or "")]
                if name.encode() > after.encode():
                    expected[name] = at < 0
        shown = list(expected)[:limit]
        page = self.ns.listing.page(
            self.bucket, prefix=prefix, delimiter=delimiter, start_after=after, limit=limit
        )
        assert [info.key for info in page.objects] == [name for name in shown if expected[name]]
        assert page.prefixes == [name for name in shown if not expected[name]]
        assert page.next_start_after == (shown[-1] if len(expected) > limit else None)

    @rule(key=KEYS)
    def past(self, key: str) -> None:
        hidden = [h for h in self.ns.past.versions(self.bucket) if h.info.key == key]
        assert [h.info.version_id for h in hidden] == self.cell(key).restorable()
        events = self.ns.past.history(self.bucket, key)
        came = [e.version_id for e in events if e.what not in ("overwritten", "deleted")]
        assert came == list(self.cell(key).versions)
        went = {e.version_id for e in events if e.what in ("overwritten", "deleted")}
        assert went == set(came) - {self.cell(key).current}

    @invariant()
    def everything_reads_back(self) -> None:
        if not hasattr(self, "cells"):
            return
        keys = self.live()
        pages = list(self.ns.listing.scan(self.bucket))
        assert [info.key for page in pages for info in page] == keys
        blobs = self.ns.objects.read_many(self.bucket, keys)
        infos = self.ns.objects.head_many(self.bucket, keys)
        for key, blob, info in zip(keys, blobs, infos, strict=True):
            version = self.now(key)
            assert version is not None
            assert info is not None
            assert (blob, info.metadata) == (version.data, version.meta)
            assert info.version_id == self.cell(key).current


def test_namespace_equals_a_dict_with_versions(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quotas, "_PAGE", 2)

    class Bound(Machine):
        pass

    Bound.store = store
    run_state_machine_as_test(
        Bound, settings=settings(max_examples=60, stateful_step_count=40, deadline=None)
    )
