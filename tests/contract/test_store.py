"""Every store keeps the one contract; pools of any number of blades do."""

from __future__ import annotations

from pathlib import Path

import pytest

from maruhub import compose
from maruhub.store.format.extent import Blob
from maruhub.store.protocol import Store
from maruhub.store.store import PoolStore
from maruhub.testing.memory_store import MemoryStore
from maruhub.testing.store_suite import StoreSuite


class TestMemoryStore(StoreSuite):
    def make_store(self, folder: Path) -> Store:
        return MemoryStore()

    def rot(self, store: Store, blob: Blob) -> None:
        assert isinstance(store, MemoryStore)
        store.rot(blob)


class PoolSuite(StoreSuite):
    blades: int
    segment_bytes = 2 << 20

    def make_store(self, folder: Path) -> Store:
        pool = compose.create_pool(folder / "hub", n=self.blades, segment_bytes=self.segment_bytes)
        self.pool = pool  # keeps the hub's lock as long as its store
        return pool.store

    def rot(self, store: Store, blob: Blob) -> None:
        assert isinstance(store, PoolStore)
        files = list((self.pool.path / "blades").glob(f"*/segments/{blob[0].segment:016x}.log"))
        assert len(files) == min(3, self.blades)
        for file in files:
            with file.open("r+b") as raw:
                raw.seek(blob[0].offset)
                (byte,) = raw.read(1)
                raw.seek(blob[0].offset)
                raw.write(bytes([byte ^ 1]))

    @pytest.fixture(autouse=True)
    def _no_pool_is_left_open(self):
        yield
        self.pool.close()


class TestOneBlade(PoolSuite):
    blades = 1


class TestTwoBlades(PoolSuite):
    blades = 2


class TestThreeBlades(PoolSuite):
    blades = 3


class TestSixBlades(PoolSuite):
    blades = 6
    # Every few objects roll over to another segment.
    segment_bytes = 64 << 10
