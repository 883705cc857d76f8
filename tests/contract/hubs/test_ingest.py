"""Ingest from where one is, into a hub wherever it is: the same suite over a local and a remote one."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path
from typing import Any

import pytest

from maruhub import errors
from maruhub.ingest import Reports


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    for number in range(40):
        file = root / ("cat" if number % 2 else "dog") / f"{number:02}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(f"picture {number} ".encode() * number)
    (root / "large.bin").write_bytes(os.urandom(9 << 20))
    return root


def test_a_folder_arrives_once(hub: Any, served: Any, folder: Path) -> None:
    told: list[Any] = []
    report = hub.ingest(folder, "photos/raw", labels="folder", progress=told.append)
    assert (report.complete, report.stored, report.unchanged) == (True, 41, 0)
    assert told[-1].items_done == 41
    photos = served.local.bucket("photos")
    for file in (file for file in folder.rglob("*") if file.is_file()):
        key = f"raw/{file.relative_to(folder)}"
        assert photos[key] == file.read_bytes()
        assert photos.stat(key).mtime_ns == file.stat().st_mtime_ns, key
    assert photos.stat("raw/cat/01.jpg").metadata == {"label": "cat"}
    assert photos.stat("raw/cat/01.jpg").content_type == "image/jpeg"
    kept = Reports(served.local.namespace).last(str(folder), "photos", "raw")
    assert kept is not None
    assert kept.stored == 41

    again = hub.ingest(folder, "photos/raw", labels="folder")
    assert (again.stored, again.unchanged, again.bytes_read) == (0, 41, 0)


def test_what_changed_is_sent_and_a_new_time_is_not_new_bytes(hub: Any, served: Any, folder: Path) -> None:
    hub.ingest(folder, "photos")
    (folder / "cat/01.jpg").write_bytes(b"another picture")
    os.utime(folder / "dog/02.jpg", ns=(1, 1))
    os.utime(folder / "large.bin", ns=(2, 2))
    report = hub.ingest(folder, "photos")
    assert (report.stored, report.metadata_updated, report.unchanged) == (1, 2, 38)
    photos = served.local.bucket("photos")
    assert photos["cat/01.jpg"] == b"another picture"
    assert [photos.stat(key).mtime_ns for key in ("dog/02.jpg", "large.bin")] == [1, 2]


def test_an_archive_is_unpacked_here(hub: Any, served: Any, folder: Path, tmp_path: Path) -> None:
    archive = tmp_path / "data.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(folder / "cat", "cat")
    report = hub.ingest(archive, "photos")
    assert (report.stored, len(served.local.bucket("photos"))) == (20, 20)


def test_what_cannot_be_stored_is_in_the_report(hub: Any, folder: Path) -> None:
    os.symlink("/etc/passwd", folder / "link.jpg")
    os.mkfifo(folder / "pipe.jpg")
    report = hub.ingest(folder, "photos")
    assert (report.stored, report.refused_total) == (41, 2)
    assert {each.name for each in report.refused} == {"link.jpg", "pipe.jpg"}


def test_an_empty_folder_makes_the_bucket_and_wrong_calls_nothing(
    hub: Any, served: Any, tmp_path: Path
) -> None:
    for source, into in ((tmp_path / "gone", "photos"), (tmp_path, "No Bucket"), (tmp_path, "")):
        with pytest.raises(errors.MaruError):
            hub.ingest(source, into)
    with pytest.raises(errors.InvalidInput):
        hub.ingest(tmp_path, "photos", workers="many")
    assert served.local.buckets() == []
    (tmp_path / "empty").mkdir()
    report = hub.ingest(tmp_path / "empty", "photos")
    assert (report.stored, report.complete) == (0, True)
    assert [bucket.name for bucket in served.local.buckets()] == ["photos"]
