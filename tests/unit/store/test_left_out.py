"""Bytes that an act has left out are nowhere: their address leads to no other's."""

from __future__ import annotations

from pathlib import Path

import pytest

from maruhub import compose
from maruhub.errors import Corrupt
from maruhub.store.format.extent import Blobs
from maruhub.store.pool import make_pool


@pytest.mark.parametrize("verify", [True, False])
def test_bytes_before_the_first_range_are_nowhere(tmp_path: Path, *, verify: bool):
    make_pool(tmp_path, [tmp_path / str(n) for n in range(4)], segment_bytes=1 << 20)
    pool = compose.open_pool(tmp_path)
    store = pool.store
    store._seals = False
    dead, alive = store.append([b"1" * 9000, b"2" * 9000])
    store.commit(lambda rows: [rows.put(b"K1", b"", extents=dead), rows.put(b"K2", b"", extents=alive)])
    store.commit(lambda rows: rows.remove(b"K1"))
    store.close_logs(0)
    with store.acting() as acts:
        acts.recut(alive[0].segment)
    pool.close()
    pool = compose.open_pool(tmp_path)
    found, there = pool.store.read_many(Blobs.of([dead, alive]), verify=verify)
    assert isinstance(found, Corrupt)
    assert not isinstance(there, Corrupt)
    assert bytes(there) == b"2" * 9000
    pool.close()
