"""A pool made, opened, adopted, rebuilt, and refused where it must be."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

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
    UnsupportedFormat,
)
from maruhub.namespace import Namespace
from maruhub.store.identity import FORMAT_VERSION


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "hub"
    compose.create_pool(path, n=4, segment_bytes=1 << 20).close()
    return path


def fill(pool: OpenPool, count: int = 20) -> dict[str, bytes]:
    """Puts, overwrites and deletes some; returns what must be there."""
    objects = {f"dir/{i}": os.urandom(i * 997) for i in range(count)}
    namespace = Namespace(pool.store, "me")
    for key, data in objects.items():
        namespace.objects.put("photos", key, data, create_bucket=True)
    namespace.objects.put("photos", "dir/1", b"again")
    namespace.objects.delete_many("photos", ["dir/0"])
    del objects["dir/0"]
    return {**objects, "dir/1": b"again"}


def held(pool: OpenPool) -> dict[str, bytes]:
    namespace = Namespace(pool.store)
    pages = list(namespace.listing.scan("photos"))
    return {o.key: bytes(namespace.objects.read("photos", o.key)) for page in pages for o in page}


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
