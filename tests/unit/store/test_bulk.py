"""Bulk writes on real drives: what is worth a segment, and that all who read strips read these."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import maruhub
from maruhub import compose
from maruhub.api import Hub
from maruhub.store.format.packing import Load
from maruhub.store.seal.bulk import shares

TOOL = Path(__file__).parents[3] / "tools" / "rescue.py"
MIB = 1 << 20


def lengths(sizes: list[int], *, least_bytes: int, most_bytes: int) -> list[int]:
    load = Load([memoryview(bytes(size)) for size in sizes])
    found = shares(load.pieces, least_bytes=least_bytes, most_bytes=most_bytes)
    assert [piece for share in found for piece in share] == (load.pieces if found else [])
    return [sum(len(piece.data) for piece in share) for share in found]


def test_a_load_is_cut_into_equal_shares_of_a_segment_at_most():
    assert lengths([4096] * 100, least_bytes=1, most_bytes=100 * 4096) == [100 * 4096]
    assert lengths([4096] * 101, least_bytes=1, most_bytes=100 * 4096) == [51 * 4096, 50 * 4096]
    assert lengths([MIB] * 7, least_bytes=2 * MIB, most_bytes=3 * MIB) == [3 * MIB, 2 * MIB, 2 * MIB]
    assert lengths([3 * MIB], least_bytes=1, most_bytes=2 * MIB) == [2 * MIB, MIB]
    assert lengths([0, 10, 4097], least_bytes=1, most_bytes=1 << 20) == [4107]


def test_too_little_is_no_share():
    assert lengths([4096] * 9, least_bytes=10 * 4096, most_bytes=100 * 4096) == []
    assert lengths([4096] * 19, least_bytes=10 * 4096, most_bytes=11 * 4096) == []
    assert lengths([], least_bytes=0, most_bytes=1 << 20) == []


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    folders = [tmp_path / f"b{number}" for number in range(6)]
    compose.create_pool(tmp_path / "hub", blades=folders, segment_bytes=16 * MIB).close()
    return maruhub.connect(tmp_path / "hub")


def test_objects_of_a_bulk_write_are_there_for_all_who_look(hub: Hub, tmp_path: Path):
    chance = random.Random(1)
    objects = {f"{number:03}": chance.randbytes(chance.choice((10, 50_000, 2 * MIB))) for number in range(40)}
    assert sum(map(len, objects.values())) > 16 * MIB
    hub.bucket("pets").put_many(objects)
    born = [layout for layout in hub.store.layouts() if layout.strips]
    assert len(born) > 1
    assert all((len(layout.blades), layout.generation) == (6, 1) for layout in born)
    scrubbed = hub.care.scrub()
    assert (scrubbed.rotten, scrubbed.lost) == (0, [])
    assert scrubbed.read_bytes > 1.5 * sum(map(len, objects.values()))
    hub.bucket("pets").put_many({f"{number:03}": b"new" for number in range(0, 40, 2)})
    expected = objects | {f"{number:03}": b"new" for number in range(0, 40, 2)}
    hub.close()
    shutil.rmtree(tmp_path / "hub" / "index")
    for number in (1, 4):
        shutil.move(tmp_path / f"b{number}", tmp_path / f"away{number}")
    with maruhub.connect(tmp_path / "hub") as other:
        assert {key: bytes(other.bucket("pets")[key]) for key in expected} == expected
    blades = [str(path) for path in tmp_path.glob("b?")]
    subprocess.run([sys.executable, "-I", str(TOOL), *blades, str(tmp_path / "out")], check=True)
    assert {key: (tmp_path / "out" / "pets" / key).read_bytes() for key in expected} == expected
