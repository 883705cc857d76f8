"""A pool made, opened, adopted, rebuilt, and refused where it must be."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from maruhub import compose
from maruhub.compose import OpenPool
from maruhub.errors import (
    AlreadyExists,
    BladeLost,
    Conflict,
    Corrupt,
    InvalidInput,
    NoSuchHub,
    ReadOnly,
    Unavailable,
    UnsupportedFormat,
)
from maruhub.namespace import Namespace
from maruhub.store import making
from maruhub.store.format.identity import FORMAT_VERSION
from tests.filled_pool import fill, held


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "hub"
    compose.create_pool(path, n=4, segment_bytes=1 << 20).close()
    return path


def rows(pool: OpenPool) -> dict[bytes, bytes]:
    """All rows but the index's own state."""
    from maruhub.index.protocol import AFTER_ALL

    return {k: v for k, v in pool._index.scan(b"", AFTER_ALL, 1 << 30) if k != b"\x01C"}


def test_rebuilt_index_equals_the_one_that_grew(hub: Path) -> None:
    pool = compose.open_pool(hub)
    wanted = fill(pool)
    grown = rows(pool)
    report = pool.rebuild_index()
    assert rows(pool) == grown
    assert held(pool) == wanted
    assert report.turns_replayed >= len(wanted)
    assert not report.problems
    pool.close()


def test_rebuild_begins_at_the_newest_complete_checkpoint(hub: Path) -> None:
    pool = compose.open_pool(hub)
    fill(pool)
    whole = pool.rebuild_index().turns_replayed
    made = pool.store.checkpoint()
    assert made.rows
    namespace = Namespace(pool.store, "me")
    namespace.objects.put("photos", "later", b"x")
    wanted, grown = held(pool), rows(pool)
    assert pool.rebuild_index().turns_replayed < whole
    assert rows(pool) == grown
    assert held(pool) == wanted
    pool.close()


def test_lost_index_comes_back_at_opening(hub: Path) -> None:
    pool = compose.open_pool(hub)
    wanted = fill(pool)
    pool.close()
    shutil.rmtree(hub / "index")
    pool = compose.open_pool(hub)
    assert pool.recovered is not None
    assert held(pool) == wanted
    pool.close()


def test_torn_index_is_made_anew(hub: Path) -> None:
    pool = compose.open_pool(hub)
    wanted = fill(pool)
    pool.close()
    data = hub / "index" / "data.mdb"
    data.write_bytes(os.urandom(data.stat().st_size))
    pool = compose.open_pool(hub)
    assert held(pool) == wanted
    pool.close()


def test_older_copy_of_the_index_is_noticed(hub: Path) -> None:
    pool = compose.open_pool(hub)
    fill(pool, 3)
    pool.close()
    older = (hub / "index" / "data.mdb").read_bytes()
    pool = compose.open_pool(hub)
    wanted = fill(pool, 30)
    pool.close()
    with open(hub / "index" / "data.mdb", "r+b") as file:
        file.write(older)
        file.truncate()
    pool = compose.open_pool(hub)
    assert held(pool) == wanted
    pool.close()


def test_a_hub_can_be_made_of_blades_alone(hub: Path, tmp_path: Path) -> None:
    pool = compose.open_pool(hub)
    wanted, pool_id, split_key = fill(pool), pool.store.pool_id, pool.store.split_key
    pool.close()
    blades = [Path(shutil.move(hub / "blades" / str(i), tmp_path / f"drive{i}")) for i in range(4)]
    shutil.rmtree(hub)
    pool = compose.adopt(tmp_path / "new", blades)
    assert (pool.store.pool_id, pool.store.split_key) == (pool_id, split_key)
    assert held(pool) == wanted
    pool.close()


@pytest.mark.parametrize("lost", [(0, 1), (1, 3), (2, 0)])
def test_any_two_of_four_blades_may_be_gone(hub: Path, lost: tuple[int, int]) -> None:
    pool = compose.open_pool(hub)
    wanted = fill(pool)
    pool.close()
    for number in lost:
        shutil.rmtree(hub / "blades" / str(number))
    pool = compose.open_pool(hub)
    assert held(pool) == wanted
    assert pool.status().reduced
    Namespace(pool.store).objects.put("photos", "new", b"data")
    assert bytes(Namespace(pool.store).objects.read("photos", "new")) == b"data"
    pool.rebuild_index()
    assert held(pool) == {**wanted, "new": b"data"}
    pool.close()


def test_adopting_blades_of_two_pools_is_refused(tmp_path: Path) -> None:
    for name in ("a", "b"):
        compose.create_pool(tmp_path / name).close()
    with pytest.raises(Conflict, match="different pools"):
        compose.adopt(tmp_path / "c", [tmp_path / "a/blades/0", tmp_path / "b/blades/0"])
    assert not (tmp_path / "c").exists()


def test_all_blades_gone_is_said(hub: Path) -> None:
    shutil.rmtree(hub / "blades")
    with pytest.raises(BladeLost, match="None of the 4 blades"):
        compose.open_pool(hub)


def test_a_folder_that_is_no_hub(tmp_path: Path) -> None:
    with pytest.raises(NoSuchHub, match="maru init"):
        compose.open_pool(tmp_path)


def test_a_hub_file_that_is_nonsense(hub: Path) -> None:
    (hub / "hub.json").write_text("{]")
    with pytest.raises(Corrupt, match="--adopt"):
        compose.open_pool(hub)


def test_a_newer_format_is_refused(hub: Path) -> None:
    stored = json.loads((hub / "hub.json").read_text())
    stored["format"] = FORMAT_VERSION + 1
    (hub / "hub.json").write_text(json.dumps(stored))
    with pytest.raises(UnsupportedFormat, match="Upgrade"):
        compose.open_pool(hub)


@pytest.mark.parametrize(("rotten", "opens"), [(1, True), (2, True), (3, False), (6, False)])
def test_a_newer_format_on_a_minority_of_blades_is_rot(tmp_path: Path, rotten: int, opens: bool) -> None:
    compose.create_pool(tmp_path / "hub", n=6).close()
    for number in range(rotten):
        path = tmp_path / "hub" / "blades" / str(number) / "blade"
        block = bytearray(path.read_bytes())
        block[9] ^= 0x80
        path.write_bytes(block)
    if opens:
        pool = compose.open_pool(tmp_path / "hub")
        assert len(pool.found.blades.missing) == rotten
        assert all("format version" in why for why in pool.found.blades.problems.values())
        pool.close()
    else:
        with pytest.raises(UnsupportedFormat, match="Upgrade"):
            compose.open_pool(tmp_path / "hub")


def test_a_hub_is_not_made_over_anything(hub: Path, tmp_path: Path) -> None:
    with pytest.raises(AlreadyExists):
        compose.create_pool(hub)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    with pytest.raises(InvalidInput, match="thesis"):
        compose.create_pool(tmp_path / "full")
    pool = compose.open_pool(hub)
    fill(pool)
    pool.close()
    used = [hub / "blades" / str(i) for i in range(4)]
    with pytest.raises(AlreadyExists, match="--adopt"):
        compose.create_pool(tmp_path / "other", blades=used)
    with pytest.raises(InvalidInput, match="twice"):
        compose.create_pool(tmp_path / "other", blades=[tmp_path / "x", tmp_path / "x"])


def test_read_only(hub: Path) -> None:
    pool = compose.open_pool(hub)
    wanted = fill(pool)
    pool.close()
    pool = compose.open_pool(hub, read_only=True)
    assert held(pool) == wanted
    with pytest.raises(ReadOnly):
        Namespace(pool.store).objects.put("photos", "k", b"")
    pool.close()


def test_read_only_refuses_an_index_that_lacks_something(hub: Path) -> None:
    pool = compose.open_pool(hub)
    fill(pool)
    pool.close()
    older = (hub / "index" / "data.mdb").read_bytes()
    pool = compose.open_pool(hub)
    Namespace(pool.store).objects.put("photos", "k", b"v")
    pool.close()
    (hub / "index" / "data.mdb").write_bytes(older)
    with pytest.raises(ReadOnly, match="1 acknowledged"):
        compose.open_pool(hub, read_only=True)


def test_the_hub_folder_can_be_moved(hub: Path, tmp_path: Path) -> None:
    pool = compose.open_pool(hub)
    wanted = fill(pool)
    pool.close()
    hub.rename(tmp_path / "moved")
    pool = compose.open_pool(tmp_path / "moved")
    assert held(pool) == wanted
    pool.close()


def test_records_damaged_in_every_copy_are_said_not_passed_over(hub: Path) -> None:
    pool = compose.open_pool(hub)
    wanted = fill(pool)
    namespace = Namespace(pool.store)
    damaged = namespace.objects.head("photos", "dir/5").extents[0]
    pool.close()
    shutil.rmtree(hub / "index")
    name = f"{damaged.segment:016x}.log"
    for file in (hub / "blades").glob(f"*/segments/{name}"):
        data = bytearray(file.read_bytes())
        # The batch stands right behind its object.
        at = damaged.offset + damaged.length
        data[at : at + 300] = bytes(300)
        file.write_bytes(data)
    with pytest.raises(Corrupt, match="accept-loss"):
        compose.open_pool(hub)
    pool = compose.open_pool(hub, accept_loss=True)
    assert pool.recovered is not None
    assert name[:16] in pool.recovered.problems[0]
    assert held(pool).items() <= wanted.items()
    pool.close()


def test_blades_of_an_empty_hub_are_not_taken_away(tmp_path: Path) -> None:
    blades = [tmp_path / f"m{number}" for number in range(3)]
    pool = compose.create_pool(tmp_path / "e", blades=blades)
    pool_id = pool.store.pool_id
    pool.close()
    for blade in blades:
        shutil.rmtree(blade / "segments")
        (blade / "segments").mkdir()
    with pytest.raises(AlreadyExists, match=r"m2 is a blade of a hub already.*--adopt.*remove .*m2/blade"):
        compose.create_pool(tmp_path / "f", blades=[tmp_path / "m9", blades[2]])
    assert not (tmp_path / "f").exists()
    assert not (tmp_path / "m9").exists()
    pool = compose.open_pool(tmp_path / "e")
    assert pool.store.pool_id == pool_id
    fill(pool)
    pool.close()


def test_a_blade_without_identity_that_holds_data_is_not_taken(hub: Path, tmp_path: Path) -> None:
    pool = compose.open_pool(hub)
    fill(pool)
    pool.close()
    # Which blades have logs is drawn.
    blade = next(each for each in (hub / "blades").iterdir() if any((each / "segments").iterdir()))
    (blade / "blade").unlink()
    with pytest.raises(AlreadyExists, match="holds data"):
        compose.create_pool(tmp_path / "f", blades=[blade])


def test_a_blade_with_foreign_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InvalidInput, match=r"full is not empty \(it holds 'thesis.txt'\)"):
        compose.create_pool(tmp_path / "f", blades=[tmp_path / "m1", tmp_path / "full"])
    with pytest.raises(InvalidInput, match="is a file"):
        compose.create_pool(tmp_path / "f", blades=[tmp_path / "m1", tmp_path / "file"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "full"]
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["thesis.txt"]


def test_a_new_file_system_and_a_hub_beside_its_blade_are_fine(tmp_path: Path) -> None:
    (tmp_path / "drive" / "lost+found").mkdir(parents=True)
    (tmp_path / "drive" / "hub").mkdir()
    compose.create_pool(tmp_path / "drive" / "hub", blades=[tmp_path / "drive"]).close()


def killed_at(path: Path, monkeypatch: pytest.MonkeyPatch, name: str, **options: Any) -> None:
    """Makes a hub and dies when the file ``name`` would be written, without a word, as by kill -9."""
    child = os.fork()
    if not child:
        put = making.write_durably

        def write(target: Path, data: bytes) -> None:
            if target.name == name:
                os._exit(0)
            put(target, data)

        monkeypatch.setattr(making, "write_durably", write)
        try:
            compose.create_pool(path, **options)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0


def test_a_hub_killed_while_made_can_be_made_again_by_its_own_path_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blades = [tmp_path / f"m{number}" for number in range(3)]
    for _ in range(2):  # The second try is killed too: what it left is taken as well.
        killed_at(tmp_path / "e", monkeypatch, "hub.json", blades=blades)
    assert all((blade / "blade").exists() for blade in blades)
    with pytest.raises(AlreadyExists, match="a blade of a hub already"):
        compose.create_pool(tmp_path / "f", blades=blades)
    with pytest.raises(NoSuchHub):
        compose.open_pool(tmp_path / "e")
    pool = compose.create_pool(tmp_path / "e", blades=blades)
    wanted = fill(pool)
    assert held(pool) == wanted
    assert len(pool.found.local_blades) == 3
    pool.close()
    assert not (tmp_path / "e" / "making").exists()


def test_a_file_that_is_called_like_the_mark_of_a_making_stays(tmp_path: Path) -> None:
    (tmp_path / "e").mkdir()
    (tmp_path / "e" / "making").write_text("of documentaries")
    with pytest.raises(InvalidInput, match="holds 'making'"):
        compose.create_pool(tmp_path / "e")
    assert (tmp_path / "e" / "making").read_text() == "of documentaries"


@pytest.mark.parametrize("failing", ["making", "blade", "hub.json"])
def test_a_making_that_fails_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    put, left = making.write_durably, {"making": 0, "blade": 1, "hub.json": 0}[failing]

    def write(target: Path, data: bytes) -> None:
        nonlocal left
        if target.name == failing:
            left -= 1
            if left < 0:
                raise OSError(errno.EIO, "the drive is gone")
        put(target, data)

    monkeypatch.setattr(making, "write_durably", write)
    (tmp_path / "m1").mkdir()
    blades = [tmp_path / "m1", tmp_path / "deep" / "m2"]
    with pytest.raises(Unavailable, match="making a hub"):
        compose.create_pool(tmp_path / "new" / "e", blades=blades)
    assert list(tmp_path.rglob("*")) == [tmp_path / "m1"]
    monkeypatch.undo()
    compose.create_pool(tmp_path / "new" / "e", blades=blades).close()


def test_a_first_read_imports_nothing(hub: Path):
    # Forked while another thread of the parent imports, a child that needs the same module waits for ever.
    pool = compose.open_pool(hub)
    fill(pool)
    pool.close()
    code = """if True:
        import sys
        from pathlib import Path
        from maruhub import compose
        from maruhub.namespace import Namespace
        namespace = Namespace(compose.open_pool(Path(sys.argv[1])).store)
        before = set(sys.modules)
        infos = [info for page in namespace.listing.scan("photos") for info in page]
        assert len(namespace.objects.read_infos(infos)) == len(infos)
        print(*sorted(set(sys.modules) - before))
    """
    done = subprocess.run([sys.executable, "-c", code, str(hub)], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"
