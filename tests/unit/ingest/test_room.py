"""Room: a nearly full hub takes what fits, asks before it writes, and wastes nothing."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from maruhub import compose
from maruhub.compose import OpenPool
from maruhub.errors import NoSpace
from maruhub.ingest import IngestOptions, ingest
from maruhub.ingest.room import Room
from maruhub.namespace import Namespace
from maruhub.store.local_blade import LocalBlade
from maruhub.testing.memory_store import MemoryStore

MIB = 1 << 20


class Drive:
    """One drive below all blades, with a stated size."""

    def __init__(self, pool: OpenPool, free_bytes: int) -> None:
        self.roots = [blade.root for blade in pool.found.local_blades]
        self.free_bytes = free_bytes
        self.before = self.used

    @property
    def used(self) -> int:
        return sum(path.stat().st_size for root in self.roots for path in root.rglob("*.log"))

    def free(self) -> int:
        return max(0, self.free_bytes - (self.used - self.before))


def full_pool(path: Path, monkeypatch: pytest.MonkeyPatch, free_bytes: int) -> tuple[OpenPool, Drive]:
    pool = compose.create_pool(path, n=3)
    drive = Drive(pool, free_bytes)
    monkeypatch.setattr(LocalBlade, "free_bytes", lambda _: drive.free())
    return pool, drive


def _files(folder: Path, count: int, size: int) -> Path:
    folder.mkdir()
    for i in range(count):
        (folder / f"{i:03}").write_bytes(bytes([i % 251]) * size)
    return folder


def test_batches_that_do_not_fit_land_in_part_and_the_rest_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = _files(tmp_path / "source", 300, 50_000)
    pool, drive = full_pool(tmp_path / "hub", monkeypatch, 30 * MIB)
    with_room = Namespace(pool.store, "tester")
    with pytest.raises(NoSpace, match=r"objects are stored and stay") as full:
        ingest(with_room, source, "photos", options=IngestOptions(workers=4))
    landed = pool.status().stages["objects"].rows
    # 30 MiB hold three copies of some 170 objects; nothing of it may be lost to dead bytes.
    assert landed > 150
    assert f"{landed} objects" in str(full.value)
    assert drive.used <= drive.before + 30 * MIB
    drive.free_bytes = 1 << 40
    report = ingest(with_room, source, "photos", options=IngestOptions(workers=4))
    assert (report.stored, report.unchanged) == (300 - landed, landed)
    pool.close()


@pytest.mark.parametrize("size", [2 * MIB, 9 * MIB])
def test_what_surely_does_not_fit_is_not_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    source = _files(tmp_path / "source", 1, size)
    pool, drive = full_pool(tmp_path / "hub", monkeypatch, 5 * MIB)
    with pytest.raises(NoSpace, match=r"0 objects are stored"):
        ingest(Namespace(pool.store, "tester"), source, "photos")
    assert drive.used - drive.before < MIB
    pool.close()


def test_a_store_without_blades_has_room() -> None:
    with Room(MemoryStore()).taken([1 << 50, 5]) as count:
        assert count == 2


def test_near_the_end_batches_wait_for_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pool, drive = full_pool(tmp_path / "hub", monkeypatch, 3 * 10 * MIB)
    room = Room(pool.store)
    counts: list[int] = []
    waiting = threading.Event()

    def second() -> None:
        waiting.set()
        with room.taken([MIB] * 6) as count:
            counts.append(count)

    with room.taken([MIB] * 6) as count:
        assert count == 6
        other = threading.Thread(target=second)
        other.start()
        waiting.wait()
        other.join(0.05)
        assert counts == []
        drive.free_bytes -= 3 * 6 * MIB
    other.join()
    assert counts == [2]
    pool.close()


def test_a_full_blade_does_not_stop_what_the_others_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = compose.create_pool(tmp_path / "hub", n=3)
    free = dict(zip([blade.root for blade in pool.found.local_blades], (0, 900 * MIB, 6 * MIB), strict=True))
    monkeypatch.setattr(LocalBlade, "free_bytes", lambda blade: free[blade.root])
    monkeypatch.setattr("maruhub.ingest.room._drive", lambda blade: blade.blade_id)
    room = Room(pool.store)
    with room.taken([MIB] * 16) as count:
        assert count == 4, "as many as surely fit on both that have room"
    with room.taken([20 * MIB] * 2) as count:
        assert count == 1, "the roomiest takes it"
    with pytest.raises(NoSpace, match="943,718,400"), room.taken([900 * MIB]):
        pass
    free.update(dict.fromkeys(free, 0))
    with pytest.raises(NoSpace), room.taken([1]):
        pass
    pool.close()
