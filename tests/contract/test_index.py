"""The index's engines keep the one contract."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings

from maruhub.index.lmdb_index import LmdbIndex
from maruhub.index.protocol import Index
from maruhub.testing.index_suite import IndexMachine, IndexSuite, PersistentIndexSuite
from maruhub.testing.memory_index import MemoryIndex


class TestMemoryIndex(IndexSuite):
    def make_index(self, folder: Path) -> Index:
        return MemoryIndex()


class TestLmdbIndex(PersistentIndexSuite):
    def make_index(self, folder: Path) -> Index:
        return LmdbIndex(folder)


class LmdbMachine(IndexMachine):
    def make_index(self) -> Index:
        self.folder = tempfile.mkdtemp()
        return LmdbIndex(self.folder)

    def again(self) -> None:
        self.index.close()
        self.index = LmdbIndex(self.folder)

    def teardown(self) -> None:
        with self.index.write() as txn:
            txn.remove_many([key for key, _ in txn.scan(b"", b"\xff" * 5000, 10_000)])
        entries = count_physical(self.index)
        super().teardown()
        shutil.rmtree(self.folder)
        assert entries == 0  # no head outlives its last key


def count_physical(index: Index) -> int:
    with index._shared.env.begin() as txn:  # type: ignore[attr-defined]
        return txn.stat()["entries"]


TestLmdbMachine = LmdbMachine.TestCase
TestLmdbMachine.settings = settings(
    max_examples=60,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
