"""A process that reads on while acts move what it reads: right bytes, and no room kept for nothing."""

from __future__ import annotations

import os

from maruhub import compose
from maruhub.store.format.extent import Blobs
from maruhub.store.protocol import read


def _recut(pool: compose.OpenPool) -> None:
    pool.store.close_logs(0)
    with pool.store.acting() as acts:
        for layout in list(pool.store.layouts()):
            acts.recut(layout.segment)


def _unlinked() -> list[str]:
    """Files that this process has open though they have no name any more."""
    names = []
    for number in os.listdir("/proc/self/fd"):
        try:
            names.append(os.readlink(f"/proc/self/fd/{number}"))
        except OSError:
            continue
    return [name for name in names if "/segments/" in name and name.endswith("(deleted)")]


def test_replaced_files_are_let_go_of_while_views_live_on(pool: compose.OpenPool):
    data = os.urandom(60_000)
    (blob,) = pool.store.append([data])
    pool.store.commit(lambda rows: rows.put(b"K", b"", extents=blob))
    view = read(pool.store, blob)
    _recut(pool)
    pool.store._reader._tidy_at = 0.0
    assert read(pool.store, blob) == data
    assert view == data
    assert pool.store.read_counts.degraded == 0
    del view
    assert _unlinked() == []


def test_batch_across_lost_and_healthy_strips(pool: compose.OpenPool):
    datas = [os.urandom(20_000 + n) for n in range(60)]
    blobs = pool.store.append(datas)
    pool.store.commit(
        lambda rows: [rows.put(b"K%d" % n, b"", extents=blob) for n, blob in enumerate(blobs)] and None
    )
    _recut(pool)
    for number in (0, 1):
        os.rename(pool.path / "blades" / str(number), pool.path / f"gone{number}")
    fresh = compose.open_pool(pool.path)
    assert [bytes(found) for found in fresh.store.read_many(Blobs.of(blobs))] == datas
    counts = fresh.store.read_counts
    assert 0 < counts.degraded < len(datas)
    assert counts.lost == 0
    fresh.close()


def test_healthy_read_touches_one_blade(pool: compose.OpenPool):
    datas = [os.urandom(size) for size in (10, 5000, 60_000, 150_000)]
    blobs = pool.store.append(datas)
    pool.store.commit(
        lambda rows: [rows.put(b"K%d" % n, b"", extents=blob) for n, blob in enumerate(blobs)] and None
    )
    _recut(pool)
    for blob, data in zip(blobs, datas, strict=True):
        reader = compose.open_pool(pool.path)
        assert read(reader.store, blob) == data
        assert len({key.blade_id for key in reader.store._reader._files._files}) == 1
        reader.close()
