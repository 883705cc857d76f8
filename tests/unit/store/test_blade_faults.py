"""What becomes of a hub that is open while its blades go, come back, fill up, or fail."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from maruhub import compose
from maruhub.errors import NoSpace, ReadOnly, Unavailable
from maruhub.store import blades as blades_module
from maruhub.store import lookout, rooms
from maruhub.store.capacity import Room
from maruhub.store.format.extent import Blobs
from maruhub.store.local_blade import LocalBlade
from maruhub.store.store import PoolStore
from maruhub.testing.calls import Calls, Fault
from maruhub.testing.machine import Machine

NAME = "00000000000000aa.log"


@pytest.fixture
def pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[compose.OpenPool]:
    """Four blades a, b, c, d, looked at whenever somebody needs to know."""
    monkeypatch.setattr(lookout, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(blades_module, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(rooms, "_ASK_SECONDS", 0.0)
    folders = [tmp_path / name for name in "abcd"]
    opened = compose.create_pool(tmp_path / "hub", blades=folders, segment_bytes=1 << 20)
    yield opened
    opened.close()


def put(store: PoolStore, key: bytes, data: bytes) -> None:
    (blob,) = store.append([data])
    store.commit(lambda rows: rows.put(key, b"", extents=blob))


def all_read(store: PoolStore) -> list[bytes]:
    rows = store.scan(b"K", b"L", 99)
    return [bytes(data) for data in store.read_many(Blobs.of([row.extents for row in rows]))]  # type: ignore[arg-type]


def used(store: PoolStore) -> LocalBlade:
    """A blade that holds a copy."""
    layout = next(iter(store.layouts()))
    blade = store.blades.get(layout.blades[0])
    assert isinstance(blade, LocalBlade)
    return blade


def test_a_blade_whose_folder_is_removed_is_replaced_by_the_next_write(pool: compose.OpenPool) -> None:
    """Its open files took writes for ever, and gave them up with the last descriptor."""
    put(pool.store, b"K1", b"one")
    gone = used(pool.store)
    shutil.rmtree(gone.root)
    put(pool.store, b"K2", b"two")
    assert gone.blade_id not in pool.store.blades.answering
    assert "no blade there" in pool.store.blades.problems[gone.blade_id]
    for layout in pool.store.layouts():
        assert gone.blade_id not in layout.blades
        assert len(layout.blades) == 3, "the fourth blade took its place"
    assert all_read(pool.store) == [b"one", b"two"]


def test_a_blade_that_is_moved_away_and_returns_is_used_again(pool: compose.OpenPool) -> None:
    put(pool.store, b"K1", b"one")
    away = used(pool.store)
    away.root.rename(away.root.with_name("unplugged"))
    assert away.blade_id not in pool.store.blades.answering
    assert all_read(pool.store) == [b"one"]
    names = {copy.blade.blade_id for copy in pool.store.blades.create_files(NAME, 4)[0]}
    assert away.blade_id not in names
    assert len(names) == 3
    away.root.with_name("unplugged").rename(away.root)
    assert away.blade_id in pool.store.blades.answering
    assert pool.store.blades.missing == ()
    copies, _ = pool.store.blades.create_files(f"1{NAME[1:]}", 4)
    assert away.blade_id in {copy.blade.blade_id for copy in copies}


def test_a_blade_that_returns_stale_gives_no_old_bytes(pool: compose.OpenPool, tmp_path: Path) -> None:
    put(pool.store, b"K1", b"one")
    stale = used(pool.store)
    shutil.copytree(stale.root, tmp_path / "old")
    shutil.rmtree(stale.root)
    put(pool.store, b"K1", b"two")
    put(pool.store, b"K2", b"three")
    (tmp_path / "old").rename(stale.root)
    assert stale.blade_id in pool.store.blades.answering
    put(pool.store, b"K3", b"four")
    assert all_read(pool.store) == [b"two", b"three", b"four"]
    pool.close()
    again = compose.open_pool(tmp_path / "hub")
    assert all_read(again.store) == [b"two", b"three", b"four"]
    assert again.rebuild_index().problems == []
    assert all_read(again.store) == [b"two", b"three", b"four"]
    again.close()


def test_another_pools_blade_in_its_place_is_refused_and_named(
    pool: compose.OpenPool, tmp_path: Path
) -> None:
    put(pool.store, b"K1", b"one")
    away = used(pool.store)
    away.root.rename(tmp_path / "unplugged")
    compose.create_pool(tmp_path / "other", blades=[away.root]).close()
    before = sorted(path.name for path in away.root.rglob("*"))
    put(pool.store, b"K2", b"two")
    assert away.blade_id not in pool.store.blades.answering
    assert "another pool" in pool.store.blades.problems[away.blade_id]
    assert [text for blade in pool.status().blades if (text := blade.problem)] == [
        "is a blade of another pool."
    ]
    assert all_read(pool.store) == [b"one", b"two"]
    assert sorted(path.name for path in away.root.rglob("*")) == before, "nothing is written there"


def test_another_blade_of_the_pool_in_its_place_is_refused(pool: compose.OpenPool, tmp_path: Path) -> None:
    (tmp_path / "b").rename(tmp_path / "unplugged")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    pool.store.blades.look()
    assert list(pool.store.blades.problems.values()) == [f"{tmp_path / 'b'} is another blade of this pool."]


def test_a_full_blade_is_passed_over_and_only_essential_files_use_its_reserve(
    pool: compose.OpenPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = LocalBlade.room
    full = {"a"}

    def small(blade: LocalBlade) -> Room:
        return Room(1 << 20, 100 << 20) if blade.root.name in full else room(blade)

    monkeypatch.setattr(LocalBlade, "room", small)
    blades = pool.store.blades
    copies, errors = blades.create_files(NAME, 4)
    assert sorted(copy.blade.root.name for copy in copies) == ["b", "c", "d"]  # type: ignore[attr-defined]
    assert [error.errno for error in errors] == [errno.ENOSPC]
    assert blades.have_room(copies)
    full |= {"b", "c", "d"}
    with pytest.raises(NoSpace):
        blades.have_room(copies)
    assert blades.have_room(copies, essential=True)
    full.remove("a")
    assert not blades.have_room(copies), "there is room elsewhere"
    full.add("a")
    assert blades.rooms() == {}
    none, errors = blades.create_files(f"1{NAME[1:]}", 3)
    with pytest.raises(NoSpace, match="only the reserve is left"):
        blades.require_any(none, errors, "opening a new segment")
    assert len(blades.create_files(f"2{NAME[1:]}", 3, essential=True)[0]) == 3
    assert set(blades.rooms(essential=True).values()) == {1 << 20}


def test_a_read_only_blade_is_passed_over(pool: compose.OpenPool, monkeypatch: pytest.MonkeyPatch) -> None:
    room = LocalBlade.room
    read_only = {"a", "b"}
    monkeypatch.setattr(
        LocalBlade, "room", lambda blade: room(blade)._replace(read_only=blade.root.name in read_only)
    )
    put(pool.store, b"K1", b"one")
    names = {blade.root.name: blade.blade_id for blade in pool.found.local_blades}
    for layout in pool.store.layouts():
        assert set(layout.blades) == {names["c"], names["d"]}
    assert pool.store.blades.wanted_copies == 2
    assert len(pool.store.blades.answering) == 4, "it is read"
    read_only |= {"c", "d"}
    copies, errors = pool.store.blades.create_files(NAME, 3)
    with pytest.raises(ReadOnly):
        pool.store.blades.require_any(copies, errors, "opening a new segment")


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_a_real_drive_that_fills_up_turns_read_only_and_goes(pool: compose.OpenPool, tmp_path: Path) -> None:
    drive = tmp_path / "a"
    identity = (drive / "blade").read_bytes()
    try:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", drive], check=True)
    except subprocess.CalledProcessError:
        pytest.skip("nothing can be mounted here")
    try:
        blade_id = next(blade.blade_id for blade in pool.found.local_blades if blade.root == drive)
        blades = pool.store.blades
        assert blade_id not in blades.answering, "an empty drive is mounted over it"
        (drive / "blade").write_bytes(identity)
        (drive / "segments").mkdir()
        assert blade_id in blades.rooms()
        free = os.statvfs(drive).f_bavail * 4096
        (drive / "ballast").write_bytes(bytes(free - (1 << 20)))
        assert blade_id not in blades.rooms(), "a tenth of a small drive is its reserve"
        assert 0 < blades.rooms(essential=True)[blade_id] <= 1 << 20
        (drive / "ballast").unlink()
        assert blade_id in blades.rooms()
        subprocess.run(["mount", "-o", "remount,ro", drive], check=True)
        assert blade_id not in blades.rooms(essential=True)
        assert blade_id in blades.answering
    finally:
        subprocess.run(["umount", "-l", drive], check=True)
    assert blade_id in blades.rooms(), "what was there before is there again"


def test_a_blade_with_unreadable_ranges_stays_and_others_are_read(tmp_path: Path) -> None:
    machine = Machine(3, home=tmp_path)
    healthy = machine.start()
    put(healthy.store, b"K1", b"one")
    put(healthy.store, b"K2", b"two")
    healthy.close()
    for number in range(3):
        process = machine.start(Calls(faults=[Fault("read", 1, errno.EIO, times=0, blade=number)]))
        assert all_read(process.store) == [b"one", b"two"]
        assert len(process.store.blades.answering) == 3
        process.close()


def test_a_blade_that_is_drained_gets_nothing_new_and_is_better_than_none(pool: compose.OpenPool) -> None:
    from maruhub.store.format.blade_row import BladeState, encode_blade_state
    from maruhub.store.format.keys import blade_key

    names = {blade.root.name: blade.blade_id for blade in pool.found.local_blades}
    rows = {blade_key(names[name]): encode_blade_state(BladeState.DRAINING) for name in "ab"}
    pool.store.restate(lambda txn, counter: rows)
    blades = pool.store.blades
    assert set(blades.rooms()) == {names["c"], names["d"]}
    assert blades.wanted_copies == 2
    assert blades.draining == {names["a"], names["b"]}
    assert len(blades.answering) == 4
    copies, _ = blades.create_files(NAME, 4, essential=True)
    assert {copy.blade.blade_id for copy in copies} == {names["c"], names["d"]}
    assert blades.have_room(copies)
    (on_drained,) = blades.open_copies(NAME, [names["c"]])
    for name in "cd":
        shutil.rmtree(next(blade.root for blade in pool.found.local_blades if blade.root.name == name))
    assert set(blades.rooms()) == {names["a"], names["b"]}
    assert not blades.have_room([on_drained])


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5, 6])
def test_nothing_is_put_on_fewer_blades_for_want_of_descriptors(
    pool: compose.OpenPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    real, made = LocalBlade.open, []

    def starving(self: LocalBlade, name: str, *, create: bool = False, write: bool = False):  # type: ignore[no-untyped-def]
        made.append(name)
        if create and len(made) >= number:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), name)
        return real(self, name, create=create, write=write)

    def starving_too(self: LocalBlade) -> None:
        made.append(self.root.name)
        if len(made) >= number:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), str(self.root))

    with monkeypatch.context() as starved:
        starved.setattr(LocalBlade, "open", starving)
        starved.setattr(LocalBlade, "sync_names", starving_too)
        with pytest.raises(Unavailable, match="Too many open files"):
            put(pool.store, b"Ka", b"a")
    assert list(tmp_path.glob("*/segments/*")) == []
    put(pool.store, b"Kb", b"b")
    assert [len(layout.blades) for layout in pool.store.layouts()] == [3]
