"""Any sequence of puts, deletes, labels, commits and drops, against plain dicts."""

from __future__ import annotations

import hashlib

import hypothesis.strategies as st
import pyarrow as pa
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from maruhub.catalog import Catalog
from maruhub.catalog import commit as commit_module
from maruhub.catalog.manifests import draft as draft_module
from maruhub.errors import InvalidData
from maruhub.namespace import Namespace, PutItem
from maruhub.testing.memory_store import MemoryStore

KEYS = st.sampled_from([f"d/{name}" for name in "abcdefgh"])
DATA = st.binary(max_size=3)
LABELS = st.dictionaries(KEYS, st.one_of(st.none(), st.integers(0, 9)), min_size=1, max_size=4)


@pytest.fixture(autouse=True)
def small_fragments(monkeypatch):
    """Fragments of three rows, and rows laid out afresh early, so that borders are met."""
    monkeypatch.setattr(draft_module, "FRAGMENT_ROWS", 3)
    monkeypatch.setattr(commit_module, "_REPACK_ROWS", 2)


class CatalogMachine(RuleBasedStateMachine):
    """``bucket``: key → (data, kind); ``labels``: key → value; ``versions``: what each named."""

    @initialize()
    def start(self):
        self.store = MemoryStore()
        self.ns = Namespace(self.store, "machine")
        self.ns.buckets.create("photos")
        self.ds = Catalog(self.ns).dataset("d")
        self.bucket: dict[str, tuple[bytes, str | None]] = {}
        self.labels: dict[str, int | None] = {}
        self.versions: dict[int, dict[str, tuple[bytes, str | None, int | None]]] = {}
        self.labels_of: dict[int, dict[str, int | None]] = {}
        self.latest = 0
        self.dropped: set[int] = set()

    @rule(objects=st.dictionaries(KEYS, DATA, min_size=1, max_size=4), kind=st.sampled_from([None, "x", "y"]))
    def put(self, objects, kind):
        metadata = {"kind": kind} if kind else None
        self.ns.objects.put_many("photos", [PutItem(k, v, metadata=metadata) for k, v in objects.items()])
        self.bucket |= {key: (data, kind) for key, data in objects.items()}

    @rule(key=KEYS)
    def delete(self, key):
        self.ns.objects.delete_many("photos", [key])
        self.bucket.pop(key, None)

    @rule()
    def commit(self):
        # What is committed goes on from the latest version, or where all are dropped from
        # the newest: a sample has the labels that it had there, or earlier if it was away.
        before = self.latest or max(self.versions, default=0)
        if before in self.labels_of:
            self.labels = dict(self.labels_of[before])
        version = self.ds.commit("photos/d/", allow_empty=True)
        expected = {key: (*value, self.labels.get(key)) for key, value in self.bucket.items()}
        if version.is_new:
            self.versions[version.number] = expected
            self.latest = version.number
        self.labels_of[self.latest] = dict(self.labels)
        assert version.number == self.latest
        assert self.versions[self.latest] == expected

    @precondition(lambda self: self.latest)
    @rule(labels=LABELS)
    def label(self, labels):
        there = self.versions[self.latest]
        table = pa.table({"key": list(labels), "n": pa.array(labels.values(), pa.int64())})
        if not set(labels) & set(there):
            with pytest.raises(InvalidData):
                self.ds.label(table)
            return
        report = self.ds.label(table)
        hit = {key: value for key, value in labels.items() if key in there}
        assert report.matched == len(hit)
        assert sorted(report.unmatched) == sorted(set(labels) - set(hit))
        self.labels = self.labels_of[self.latest] | hit
        self.latest = report.version.number
        self.versions[self.latest] = {
            key: (data, kind, hit.get(key, n)) for key, (data, kind, n) in there.items()
        }
        self.labels_of[self.latest] = dict(self.labels)

    @precondition(lambda self: self.latest)
    @rule()
    def drop_and_bring_back(self):
        self.ds.drop(self.latest)
        assert self.latest not in [info.number for info in self.ds.versions()]
        self.ds.undrop(self.latest)

    @precondition(lambda self: self.latest)
    @rule()
    def drop(self):
        self.ds.drop(self.latest)
        self.dropped.add(self.latest)
        self.latest = max(self.versions.keys() - self.dropped, default=0)

    @precondition(lambda self: self.versions)
    @rule()
    def drop_all(self):
        names = self.ds.drop_all()
        assert names == [f"v{number}" for number in sorted(self.versions.keys() - self.dropped)]
        self.dropped, self.latest = set(self.versions), 0

    @precondition(lambda self: self.dropped)
    @rule()
    def bring_all_back(self):
        assert self.ds.undrop_all() == [f"v{number}" for number in sorted(self.dropped)]
        self.dropped, self.latest = set(), max(self.versions)

    @invariant()
    def every_version_names_what_it_named(self):
        for number, expected in getattr(self, "versions", {}).items():
            if number in self.dropped:
                continue
            version = self.ds[number]
            assert len(version) == len(expected)
            self.check(version, expected)
            self.check(version.select(range(len(version) // 2)), expected)

    def check(self, view, expected):
        keys = [name.removeprefix("photos/") for name in view.ids()]
        data = [bytes(blob) for blob in self.store.read_many(view.blobs())]
        columns = view.columns()
        nulls = [None] * len(view)
        kinds, labels = (
            columns.column(c).to_pylist() if c in columns.column_names else nulls for c in ("kind", "n")
        )
        for key, *found in zip(keys, data, kinds, labels, strict=True):
            assert tuple(found) == expected[key]
        assert [bytes(d) for d in view.sha256()] == [hashlib.sha256(d).digest() for d in data]
        assert len(set(keys)) == len(keys)


CatalogMachine.TestCase.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
TestCatalog = CatalogMachine.TestCase
