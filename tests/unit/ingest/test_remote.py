"""fsspec sources, with its own in-memory and archive file systems."""

from __future__ import annotations

import gzip
import uuid
import zipfile
from collections.abc import Iterator

import fsspec
import pytest

from maruhub.errors import InvalidInput, NotFound
from tests.unit.ingest.test_archives import WEBDATASET, make_tar, member, tar_of, zip_of


@pytest.fixture
def remote() -> Iterator[Remote]:
    made = Remote()
    yield made
    made.fs.rm(made.root, recursive=True)


class Remote:
    """A folder of fsspec's ``memory://``."""

    def __init__(self) -> None:
        self.root = f"/{uuid.uuid4().hex}"
        self.fs = fsspec.filesystem("memory")
        self.fs.mkdir(self.root)
        self.url = f"memory:/{self.root}"

    def write(self, files: dict[str, bytes]) -> Remote:
        for name, data in files.items():
            self.fs.pipe_file(f"{self.root}/{name}", data)
        return self


FILES = {"a.jpg": b"a" * 2000, "x/b.jpg": b"b", "x/y/c.png": b"c"}


@pytest.mark.parametrize("large_bytes", [1000, 1 << 20])
def test_a_tree(land, remote, large_bytes: int) -> None:
    remote.write(FILES)
    report = land(remote.url, "p", large_bytes=large_bytes)
    assert (report.stored, report.refused) == (3, ())
    assert land.objects() == {f"p/{name}": data for name, data in FILES.items()}
    again = land(remote.url, "p", large_bytes=large_bytes)
    assert (again.unchanged, again.bytes_read) == (3, 0)


def test_one_object_and_a_glob(land, remote) -> None:
    remote.write(FILES)
    land(f"{remote.url}/x/b.jpg", "one")
    land(f"{remote.url}/*/*.jpg", "glob")
    assert sorted(land.objects()) == ["glob/x/b.jpg", "one/b.jpg"]


def test_a_glob_that_matches_nothing_makes_no_bucket(land, ns, remote) -> None:
    remote.write(FILES)
    for pattern in ("*.nomatch", "x/*/*.jpg", "nowhere/*.jpg"):
        with pytest.raises(NotFound):
            land(f"{remote.url}/{pattern}")
    assert ns.buckets.all() == []


def test_labels(land, remote) -> None:
    remote.write({"cat/a.jpg": b"a", "cat/a.json": b'{"n": 1}'})
    land(remote.url, labels="sidecar")
    assert land.metadata("cat/a.jpg") == {"n": "1"}
    land(remote.url, labels="folder", include=("*.jpg",))
    assert land.metadata("cat/a.jpg") == {"n": "1", "label": "cat"}


def test_archives(land, remote) -> None:
    remote.write(
        {
            "s.tar.gz": gzip.compress(tar_of(WEBDATASET)),
            "s.tar": tar_of(WEBDATASET),
            "s.zip": zip_of(WEBDATASET),
        }
    )
    for name in ("s.tar.gz", "s.tar", "s.zip"):
        land(f"{remote.url}/{name}", name, labels="sidecar", large_bytes=500)
        assert land.metadata(f"{name}/000.jpg") == {"label": "3", "caption": "three", "width": "64"}
    assert len(land.objects()) == 12


def test_a_chained_zip_with_a_bomb_and_a_name_that_leads_out(land, remote, reasons) -> None:
    packed = zip_of({"good": b"g", "../up": b"u", "bomb": bytes(5 << 20)}, zipfile.ZIP_BZIP2)
    remote.write({"s.zip": packed})
    report = land(f"zip://::{remote.url}/s.zip")
    assert set(reasons(report).values()) <= {"bomb", "outside"}
    assert report.refused_count["bomb"] == 1
    assert land.objects() == {"good": b"g"}


def test_what_is_not_there(land, ns, remote) -> None:
    with pytest.raises(NotFound):
        land(f"{remote.url}/nothing")
    with pytest.raises(InvalidInput, match="can't be opened"):
        land("nosuchprotocol://x/y")
    assert ns.buckets.all() == []


def test_an_object_that_fails_spares_the_rest(land, remote, reasons, monkeypatch) -> None:
    remote.write(FILES | {"gone": b"g", "short": b"12345"})
    real = type(remote.fs).cat_file

    def cat_file(fs, path, *args, **how):
        if path.endswith("a.jpg"):
            raise OSError("connection reset")
        if path.endswith("gone"):
            raise FileNotFoundError(path)
        return real(fs, path, *args, **how)[: 3 if path.endswith("short") else None]

    monkeypatch.setattr(type(remote.fs), "cat_file", cat_file)
    assert reasons(land(remote.url)) == {"a.jpg": "unreadable", "gone": "vanished", "short": "changed"}
    assert sorted(land.objects()) == ["x/b.jpg", "x/y/c.png"]


def test_a_folder_that_cannot_be_listed_spares_the_rest(land, remote, reasons, monkeypatch) -> None:
    remote.write(FILES)
    real = type(remote.fs).ls

    def ls(fs, path, *args, **how):
        if path.endswith("/y"):
            raise PermissionError("denied")
        return real(fs, path, *args, **how)

    monkeypatch.setattr(type(remote.fs), "ls", ls)
    assert list(reasons(land(remote.url)).values()) == ["unreadable"]
    assert sorted(land.objects()) == ["a.jpg", "x/b.jpg"]


def test_a_file_url_is_a_local_folder(land, tree) -> None:
    tree.write({"a": b"a"})
    land(f"file://{tree.path}")
    assert land.objects() == {"a": b"a"}


def test_objects_of_unknown_size_and_time(land, remote, monkeypatch) -> None:
    remote.write(FILES)
    for method in ("ls", "info"):
        monkeypatch.setattr(type(remote.fs), method, _without(getattr(type(remote.fs), method)))
    assert land(remote.url).stored == 3
    assert land.objects() == FILES
    again = land(remote.url)
    assert (again.stored, again.unchanged, again.bytes_read) == (0, 3, 2002)


def _without(real):
    def listed(fs, path, **how):
        found = real(fs, path, **how)
        for info in found if isinstance(found, list) else [found]:
            if isinstance(info, dict) and info["type"] == "file":
                info |= {"size": None, "created": None}
        return found

    return listed


def test_a_tar_member_cut_by_the_network_is_refused(land, remote) -> None:
    data = make_tar(member("a", b"a" * 100), member("b", b"b" * 100_000))
    remote.write({"s.tar": data[:50_000]})
    report = land(f"{remote.url}/s.tar")
    assert report.refused_count == {"truncated": 1}
    assert land.objects() == {"a": b"a" * 100}
