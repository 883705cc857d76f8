"""Keys chosen to hurt cost no more than others do."""

from __future__ import annotations

import time
from pathlib import Path

from maruhub.index.lmdb_index import LmdbIndex
from maruhub.index.protocol import AFTER_ALL


def seconds_for(index: LmdbIndex, keys: list[bytes]) -> float:
    begun = time.process_time()
    with index.write() as txn:
        txn.put_many([(key, b"v") for key in keys])
    assert index.get_many(keys) == [b"v"] * len(keys)
    assert len(index.scan(b"", AFTER_ALL, len(keys) + 1)) == len(keys)
    with index.write() as txn:
        txn.remove_many(keys)
    assert index.scan(b"", AFTER_ALL, 1) == []
    return time.process_time() - begun


def test_a_shared_long_prefix_costs_each_key_the_same(tmp_path: Path) -> None:
    """Ten times the keys in about ten times the time; quadratic would be a hundred."""
    index = LmdbIndex(tmp_path / "index")
    prefix = b"p" * 4080
    few = min(seconds_for(index, [prefix + b"%08d" % number for number in range(1000)]) for _ in range(3))
    many = seconds_for(index, [prefix + b"%08d" % number for number in range(10_000)])
    assert many < 40 * few
    index.close()


def test_long_keys_that_share_nothing_leave_nothing(tmp_path: Path) -> None:
    index = LmdbIndex(tmp_path / "index")
    seconds_for(index, [b"%08d" % number + b"\xff" * 4080 for number in range(1000)])
    with index._shared.env.begin() as raw:
        assert raw.stat()["entries"] == 0
    index.close()


def test_removing_long_keys_that_are_not_there_changes_nothing(tmp_path: Path) -> None:
    index = LmdbIndex(tmp_path / "index")
    with index.write() as txn:
        txn.put_many([(b"p" * 1000, b"v")])
        txn.remove_many([b"p" * 999, b"p" * 1001, b"p" * 509 + b"q" * 100, b"q" * 4096])
        assert txn.get_many([b"p" * 1000]) == [b"v"]
    index.close()


def test_many_writes_do_not_grow_the_file_for_ever(tmp_path: Path) -> None:
    index = LmdbIndex(tmp_path / "index")
    sizes = []
    for turn in range(60):
        with index.write() as txn:
            txn.put_many([(b"%04d" % number + b"l" * 1000, bytes(turn)) for number in range(100)])
        index.get_many([b"0001" + b"l" * 1000])
        sizes.append((tmp_path / "index" / "data.mdb").stat().st_size)
    assert sizes[-1] == sizes[20]
    index.close()
