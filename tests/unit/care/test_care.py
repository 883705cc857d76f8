"""Status, check and speed say what is there, no more and no less."""

from __future__ import annotations

import io
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from maruhub import compose
from maruhub.care.naming import RowNames
from maruhub.care.status import BladeStatus, usable_on
from maruhub.compose import OpenPool
from maruhub.errors import NotFound
from maruhub.namespace import Namespace
from maruhub.namespace.bucket import Versioning


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[OpenPool]:
    pool = compose.create_pool(tmp_path / "hub", n=4, segment_bytes=4 << 20)
    yield pool
    pool.close()


def put(pool: OpenPool, count: int, size: int = 6000) -> Namespace:
    namespace = Namespace(pool.store, "me")
    for i in range(count):
        namespace.objects.put("photos", f"{i}.jpg", os.urandom(size), create_bucket=True)
    return namespace


def segment_files(pool: OpenPool) -> list[Path]:
    files = sorted((pool.path / "blades").glob("*/segments/*.log"))
    return [f for f in files if f.stat().st_size > 5000]


def test_status_says_what_fits_and_not_the_sum_of_all_room(pool: OpenPool) -> None:
    status = pool.status()
    free = status.blades[0].free_bytes
    # Four blades of one drive: 2 + 2 strips, so half of what is free on it.
    assert 0.9 * free / 2 < status.usable_bytes <= free / 2


def test_status_counts(pool: OpenPool) -> None:
    namespace = put(pool, 10)
    namespace.objects.delete_many("photos", ["3.jpg"])
    status = pool.status()
    assert status.stages["objects"].rows == 9
    assert status.stages["objects"].size_bytes == 9 * 6000
    assert status.stages["restorable"].size_bytes == status.awaiting_bytes == 6000
    assert status.raw_bytes >= 3 * 10 * 6000
    assert (status.copies, status.survives, status.reduced) == (3, 2, False)
    assert status.shared_drive
    assert json.loads(json.dumps(status.to_json()))["survives"] == 2


def test_status_tells_versions_that_are_kept_from_what_awaits_eradication(pool: OpenPool) -> None:
    namespace = put(pool, 2)
    namespace.buckets.set_versioning("photos", Versioning.ENABLED)
    first = namespace.objects.put("photos", "0.jpg", b"x" * 700)
    namespace.objects.put("photos", "0.jpg", b"y" * 300)
    namespace.versions.delete_current("photos", ["1.jpg"])
    namespace.versions.delete("photos", "0.jpg", first.version_id)
    namespace.uploads.put_part(
        "photos", "z", namespace.uploads.begin("photos", "z").upload_id, 1, io.BytesIO(b"z" * 50)
    )
    stages = pool.status().stages
    assert (stages["objects"].rows, stages["objects"].size_bytes) == (1, 300)
    # Two as they were before, and the marker that one is deleted.
    assert (stages["versions"].rows, stages["versions"].size_bytes) == (3, 12_000)
    assert (stages["restorable"].rows, stages["restorable"].size_bytes) == (1, 700)
    assert (stages["uploads"].rows, stages["uploads"].size_bytes) == (2, 50)
    assert pool.status().awaiting_bytes == 700
    assert pool.status().stored_bytes == 300 + 12_000 + 700 + 50


def test_what_is_hurt_is_named_as_people_know_it(pool: OpenPool) -> None:
    namespace = put(pool, 1)
    namespace.objects.put("photos", "0.jpg", b"x")
    namespace.uploads.begin("photos", "z")
    names = RowNames(pool.store)
    named = [names(row.key) for row in (*pool.store.scan(b"K", b"L", 9), *pool.store.scan(b"U", b"W", 9))]
    address = "maru://photos/0.jpg"
    assert named == [address, "an unfinished upload to maru://photos/z", f"an earlier version of {address}"]


@pytest.mark.parametrize(("blades", "survives"), [(1, 0), (2, 1), (3, 2), (6, 2)])
def test_status_says_what_survives(tmp_path: Path, blades: int, survives: int) -> None:
    pool = compose.create_pool(tmp_path / "other", n=blades)
    put(pool, 1)
    status = pool.status()
    assert status.survives == survives
    assert not status.reduced
    assert ("nothing survives" in status.protection) == (blades == 1)
    pool.close()


def test_status_of_a_hub_that_lost_a_blade(pool: OpenPool) -> None:
    put(pool, 5)
    lost = segment_files(pool)[0].parents[1]
    pool.close()
    shutil.rmtree(lost)
    again = compose.open_pool(pool.path)
    status = again.status()
    assert status.reduced
    assert status.survives == 1
    assert [blade.path for blade in status.blades if not blade.answers] == [str(lost)]
    again.close()


def test_check_of_a_sound_hub(pool: OpenPool) -> None:
    put(pool, 10)
    report = pool.check()
    assert report.ok
    assert report.extents == 10
    assert report.bytes_read == 3 * 10 * 6000


def test_check_finds_a_rotten_copy_and_reads_go_on(pool: OpenPool) -> None:
    namespace = put(pool, 10)
    info = namespace.objects.head("photos", "4.jpg")
    rot(segment_files(pool)[0], info.extents[0].offset)
    report = pool.check()
    assert list(report.bad_copies.values()) == [1]
    assert not report.lost
    assert not report.ok
    assert len(namespace.objects.read("photos", "4.jpg")) == 6000


def test_check_names_what_is_lost(pool: OpenPool) -> None:
    namespace = put(pool, 10)
    info = namespace.objects.head("photos", "4.jpg")
    for file in segment_files(pool):
        rot(file, info.extents[0].offset)
    report = pool.check()
    assert report.lost == ["maru://photos/4.jpg"]
    namespace.objects.delete_many("photos", ["4.jpg"])
    assert pool.check().lost == ["an earlier version of maru://photos/4.jpg"]


def rot(file: Path, offset: int) -> None:
    with open(file, "r+b") as opened:
        opened.seek(offset)
        byte = opened.read(1)[0]
        opened.seek(offset)
        opened.write(bytes([byte ^ 1]))


def test_speed_measures_both_sides_and_leaves_nothing(pool: OpenPool) -> None:
    put(pool, 20)
    before = sorted(os.listdir(pool.path))
    speed = pool.speed()
    assert speed.objects == 20
    assert min(speed.hub_warm, speed.files_warm, speed.hub_cold, speed.files_cold) > 0
    assert speed.to_json()["warm_ratio"] == speed.hub_warm / speed.files_warm
    assert sorted(os.listdir(pool.path)) == before


def test_speed_of_an_empty_hub(pool: OpenPool) -> None:
    with pytest.raises(NotFound, match="Ingest"):
        pool.speed()


def _blade(number: int, free_bytes: int) -> BladeStatus:
    return BladeStatus(str(number), number, "", True, "", 0, free_bytes, device=number)


def test_a_full_blade_does_not_take_the_room_of_the_others():
    assert usable_on([_blade(n, 600) for n in range(3)] + [_blade(3, 0)]) == 600, "three copies"
    assert usable_on([_blade(n, 600) for n in range(5)] + [_blade(5, 0)]) == 1800, "3+2"
    assert usable_on([_blade(0, 600), _blade(1, 600), _blade(2, 0)]) == 0, "less protection is no room"
    assert usable_on([]) == 0
