"""Folder trees: names, links, files that can't be had."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

import pytest

from maruhub.errors import InvalidInput, NotFound
from maruhub.ingest import local_file


def test_content_lands_below_the_prefix(land, tree) -> None:
    tree.write({"a.jpg": b"a", "cats/b.jpg": b"bb", "cats/deep/c.jpg": b"", "cäts/ü.jpg": b"u"})
    report = land(tree.path, "p/q")
    assert land.objects() == {
        "p/q/a.jpg": b"a",
        "p/q/cats/b.jpg": b"bb",
        "p/q/cats/deep/c.jpg": b"",
        "p/q/cäts/ü.jpg": b"u",
    }
    assert (report.stored, report.refused_total, report.bytes_stored, report.complete) == (4, 0, 4, True)


def test_a_single_file(land, tree) -> None:
    tree.write({"a.jpg": b"abc"})
    land(tree.path / "a.jpg", "one/")
    assert land.objects() == {"one/a.jpg": b"abc"}


def test_times_and_types_are_kept(land, ns, tree) -> None:
    tree.write({"a.JPG": b"a", "b": b"b", "c.tar.gz": b"c"})
    land(tree.path)
    info = ns.objects.head("photos", "a.JPG")
    assert (info.content_type, info.mtime_ns) == ("image/jpeg", 1_700_000_000_123_456_789)
    assert ns.objects.head("photos", "b").content_type == "application/octet-stream"


def test_globs(land, tree) -> None:
    tree.write({"x/a.jpg": b"a", "x/b.png": b"b", "x/y/c.jpg": b"c", "d.jpg": b"d"})
    land(f"{tree.path}/**/*.jpg", "all")
    land(f"{tree.path}/x/*.jpg", "one")
    land(f"{tree.path}/*/*.jpg", "two")
    assert sorted(land.objects()) == ["all/d.jpg", "all/x/a.jpg", "all/x/y/c.jpg", "one/a.jpg", "two/x/a.jpg"]


def test_a_glob_that_matches_nothing_makes_no_bucket(land, ns, tree) -> None:
    tree.write({"x/a.jpg": b"a"})
    with pytest.raises(NotFound, match="matches") as told:
        land(f"{tree.path}/*.nomatch")
    assert "goes on from there" not in told.value.hint
    assert ns.buckets.all() == []


def test_a_file_whose_name_looks_like_a_glob(land, tree) -> None:
    tree.write({"[1].jpg": b"a", "1.jpg": b"b"})
    land(tree.path / "[1].jpg")
    assert land.objects() == {"[1].jpg": b"a"}


def test_include_and_exclude(land, tree) -> None:
    tree.write({"x/a.jpg": b"a", "x/b.png": b"b", ".git/c.jpg": b"c"})
    land(tree.path, include=("*.jpg",), exclude=(".git",))
    assert sorted(land.objects()) == ["x/a.jpg"]


def test_label_by_folder(land, tree) -> None:
    tree.write({"cat/1.jpg": b"1", "dog/x/2.jpg": b"2", "3.jpg": b"3"})
    land(tree.path, "p", labels="folder")
    assert land.metadata("p/cat/1.jpg") == {"label": "cat"}
    assert land.metadata("p/dog/x/2.jpg") == {"label": "dog"}
    assert land.metadata("p/3.jpg") == {}


def test_a_source_that_is_not_there_changes_nothing(land, ns, tmp_path) -> None:
    with pytest.raises(NotFound, match="no file or folder"):
        land(tmp_path / "nothing")
    with pytest.raises(NotFound, match="no folder"):
        land(f"{tmp_path}/nothing/*.jpg")
    with pytest.raises(InvalidInput):
        land("")
    assert ns.buckets.all() == []


def test_an_unreadable_file_spares_the_rest(land, tree, reasons, monkeypatch) -> None:
    tree.write({"a": b"a", "b": b"b", "c": b"c"})
    _deny(monkeypatch, tree.path / "b")
    report = land(tree.path)
    assert land.objects() == {"a": b"a", "c": b"c"}
    assert reasons(report) == {"b": "unreadable"}
    assert "Permission denied" in report.refused[0].message


def test_an_unreadable_large_file(land, tree, reasons, monkeypatch) -> None:
    tree.write({"a": b"a" * 10, "b": b"b" * 10})
    _deny(monkeypatch, tree.path / "b")
    assert reasons(land(tree.path, large_bytes=5)) == {"b": "unreadable"}
    assert sorted(land.objects()) == ["a"]


def _deny(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    """As a mode of 000 does for anyone but root."""
    real = os.open

    def opened(name: str, *args: int) -> int:
        if name == str(path):
            raise PermissionError(errno.EACCES, "Permission denied", name)
        return real(name, *args)

    monkeypatch.setattr(local_file.os, "open", opened)


def test_an_unreadable_folder_spares_the_rest(land, tree, reasons, monkeypatch) -> None:
    tree.write({"a": b"a", "shut/b": b"b"})
    real = os.scandir

    def scandir(path: str):
        if path.endswith("shut"):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert reasons(land(tree.path)) == {"shut/": "unreadable"}
    assert land.objects() == {"a": b"a"}


def test_a_name_that_is_not_utf8(land, tree, reasons) -> None:
    tree.write({"a": b"a"})
    Path(os.fsdecode(os.fsencode(tree.path) + b"/caf\xe9.jpg")).write_bytes(b"x")
    report = land(tree.path)
    assert reasons(report) == {"caf\\xe9.jpg": "not-utf8"}
    assert land.objects() == {"a": b"a"}
    report.to_json().encode()


def test_a_name_too_long_for_a_key(land, tree, reasons) -> None:
    tree.write({"a": b"a"})
    report = land(tree.path, "p" * 1022)
    assert (report.stored, report.refused_total) == (1, 0)
    report = land(tree.path, "q" * 1024)
    assert reasons(report) == {"a": "bad-name"}


def test_pipes_and_sockets_are_refused(land, tree, reasons) -> None:
    tree.write({"a": b"a"})
    os.mkfifo(tree.path / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.getcwd()
        os.chdir(tree.path)
        try:
            listener.bind("socket")
        finally:
            os.chdir(here)
        assert reasons(land(tree.path)) == {"pipe": "special", "socket": "special"}
    assert land.objects() == {"a": b"a"}


def test_a_pipe_alone(land, tree, reasons) -> None:
    os.mkfifo(tree.path / "pipe")
    assert reasons(land(tree.path / "pipe")) == {"pipe": "special"}


def test_links_inside_are_followed(land, tree) -> None:
    tree.write({"all/1.jpg": b"1", "all/2.jpg": b"2"})
    (tree.path / "train").mkdir()
    (tree.path / "train/one.jpg").symlink_to("../all/1.jpg")
    (tree.path / "same").symlink_to("all")
    report = land(tree.path)
    assert report.refused_total == 0
    assert land.objects()["train/one.jpg"] == b"1"
    assert land.objects()["same/2.jpg"] == b"2"


def test_links_that_lead_out_are_refused_unless_asked_for(land, tree, reasons, tmp_path) -> None:
    tree.write({"a": b"a"})
    (tmp_path / "secret").write_bytes(b"s")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/b").write_bytes(b"b")
    (tree.path / "file").symlink_to(tmp_path / "secret")
    (tree.path / "folder").symlink_to("../elsewhere")
    assert reasons(land(tree.path)) == {"file": "link-outside", "folder": "link-outside"}
    assert sorted(land.objects()) == ["a"]
    assert land(tree.path, follow_symlinks=True).refused_total == 0
    assert land.objects() == {"a": b"a", "file": b"s", "folder/b": b"b"}


def test_symlink_loops_end(land, tree, reasons) -> None:
    tree.write({"x/a": b"a"})
    (tree.path / "x/up").symlink_to("..")
    (tree.path / "x/self").symlink_to("self")
    (tree.path / "x/ping").symlink_to("pong")
    (tree.path / "x/pong").symlink_to("ping")
    (tree.path / "x/nowhere").symlink_to("missing")
    refused = reasons(land(tree.path, follow_symlinks=True))
    assert refused == {
        "x/up": "link-loop",
        "x/self": "link-loop",
        "x/ping": "link-loop",
        "x/pong": "link-loop",
        "x/nowhere": "link-broken",
    }
    assert land.objects() == {"x/a": b"a"}


def test_a_maze_of_links_does_not_blow_up(land, tree) -> None:
    tree.write({f"{i}/file": b"x" for i in range(30)})
    for i in range(29):
        for side in ("left", "right"):
            (tree.path / str(i) / side).symlink_to(f"../{i + 1}")
    report = land(tree.path)
    # 2^30 paths lead through it; each folder is entered by its name and by one link.
    assert report.stored <= 30 * 30
    assert report.refused_count == {"link-loop": report.refused_total}


def test_a_folder_left_out(land, tree) -> None:
    tree.write({"a": b"a", "hub/segment": b"s"})
    land(tree.path, leave_out=(tree.path / "hub",))
    assert sorted(land.objects()) == ["a"]


def test_a_file_replaced_by_a_link_is_not_followed(tree, tmp_path) -> None:
    tree.write({"a": b"a"})
    (tmp_path / "secret").write_bytes(b"s")
    (tree.path / "b").symlink_to(tmp_path / "secret")
    with pytest.raises(local_file.EntryRefused, match="became a link"):
        local_file.read_file(str(tree.path / "b"), 100)


def _changing(monkeypatch: pytest.MonkeyPatch, path: Path, times: int) -> None:
    """Lets a file grow after each of its first ``times`` reads."""
    real, left = os.read, [times]

    def read(fd: int, size: int) -> bytes:
        data = real(fd, size)
        if left[0] and data and os.readlink(f"/proc/self/fd/{fd}") == str(path):
            left[0] -= 1
            with path.open("ab") as file:
                file.write(b"+")
        return data

    monkeypatch.setattr(local_file.os, "read", read)


@pytest.mark.parametrize("large_bytes", [0, 1000])
def test_a_file_that_changes_while_read_is_read_once_more(land, tree, monkeypatch, large_bytes) -> None:
    tree.write({"a": b"a" * 100})
    _changing(monkeypatch, tree.path / "a", 1)
    report = land(tree.path, large_bytes=large_bytes)
    assert (report.stored, report.refused_total) == (1, 0)
    assert land.objects() == {"a": b"a" * 100 + b"+"}


@pytest.mark.parametrize("large_bytes", [0, 1000])
def test_a_file_that_never_rests_is_refused(land, tree, reasons, monkeypatch, large_bytes) -> None:
    tree.write({"a": b"a" * 100, "b": b"b"})
    _changing(monkeypatch, tree.path / "a", 99)
    assert reasons(land(tree.path, large_bytes=large_bytes)) == {"a": "changed"}
    assert sorted(land.objects()) == ["b"]


@pytest.mark.parametrize("large_bytes", [0, 1000])
def test_a_file_that_vanishes_after_listing(land, tree, reasons, monkeypatch, large_bytes) -> None:
    tree.write({"a": b"a", "b": b"b"})
    real = os.open

    def opened(name: str, *args: int) -> int:
        if name == str(tree.path / "a"):
            (tree.path / "a").unlink(missing_ok=True)
        return real(name, *args)

    monkeypatch.setattr(local_file.os, "open", opened)
    assert reasons(land(tree.path, large_bytes=large_bytes)) == {"a": "vanished"}
    assert sorted(land.objects()) == ["b"]
