"""What the file system says and does beyond the suite that fsspec ships."""

from __future__ import annotations

import datetime
import errno
import multiprocessing
import pickle
import threading
from pathlib import Path
from typing import Any

import fsspec
import pytest

import maruhub
from maruhub import errors
from maruhub.adapters.filesystem.os_error import as_os_error
from maruhub.api.hub import Hub
from tests.contract.hubs.server import KEY, SECRET, BatchServer

LARGE = bytes(range(256)) * 10_240  # three extents


def put(hub: Hub) -> None:
    items = {"cats/1": b"one", "cats/2": b"two!", "cats/kittens/3": b"three", "dogs": b"", "large": LARGE}
    hub.bucket("photos").put_many(items)


def test_it_is_found_by_its_scheme(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    put(hub)
    with fsspec.open("maru://photos/cats/1", hub=str(hub.path)) as file:
        assert file.read() == b"one"
    monkeypatch.setenv("MARU_HUB", str(hub.path))
    assert fsspec.filesystem("maru").cat("photos/cats/2") == b"two!"
    monkeypatch.delenv("MARU_HUB")
    monkeypatch.chdir(hub.path)
    assert fsspec.filesystem("maru", skip_instance_cache=True).isfile("photos/dogs")
    with pytest.raises(errors.InvalidInput, match="hub"):
        fsspec.filesystem("maru", hub=3)


def test_levels_and_what_lies_below(hub: Hub, fs: Any) -> None:
    put(hub)
    assert fs.ls("", detail=False) == ["photos"]
    assert fs.ls("maru://photos/", detail=False) == ["photos/cats", "photos/dogs", "photos/large"]
    assert [(e["name"], e["type"], e["size"]) for e in fs.ls("photos/cats")] == [
        ("photos/cats/1", "file", 3),
        ("photos/cats/2", "file", 4),
        ("photos/cats/kittens", "directory", 0),
    ]
    assert fs.ls("photos/dogs", detail=False) == ["photos/dogs"]
    assert fs.find("photos/cats") == ["photos/cats/1", "photos/cats/2", "photos/cats/kittens/3"]
    assert fs.find("photos/cats", maxdepth=1) == ["photos/cats/1", "photos/cats/2"]
    assert list(fs.find("photos/cats", withdirs=True, detail=True)) == [
        "photos/cats",
        "photos/cats/1",
        "photos/cats/2",
        "photos/cats/kittens",
        "photos/cats/kittens/3",
    ]
    assert fs.find("photos/dogs") == ["photos/dogs"]
    assert fs.find("photos/none") == fs.find("none/at/all") == []
    assert fs.glob("photos/**/3") == ["photos/cats/kittens/3"]
    assert fs.du("photos/cats") == 12
    for missing in ("photos/none", "none", "none/a", "photos/cat", "photos/cats/1/2"):
        for ask in (fs.ls, fs.info, fs.cat_file, fs.open):
            with pytest.raises(FileNotFoundError):
                ask(missing)
        assert not fs.exists(missing)
    with pytest.raises(IsADirectoryError):
        fs.open("photos")


def test_a_name_may_be_a_file_and_a_folder(hub: Hub, fs: Any) -> None:
    hub.bucket("photos").put_many({"a": b"file", "a/b": b"below", "c/": b"", "c/d": b"x"})
    assert fs.info("photos/a")["type"] == "file"
    assert fs.ls("photos/a", detail=False) == ["photos/a/b"]
    assert fs.ls("photos/c", detail=False) == ["photos/c/d"], "a marker of a folder is no file in it"
    assert fs.find("photos") == ["photos/a", "photos/a/b", "photos/c/d"]


def test_an_object_says_what_it_is(hub: Hub, fs: Any) -> None:
    put(hub)
    info, stat = fs.info("photos/cats/1"), hub.bucket("photos").stat("cats/1")
    assert info == fs.ls("photos/cats")[0]
    assert (info["etag"], info["sha256"], info["content_type"]) == (
        stat.etag,
        stat.sha256.hex(),
        stat.content_type,
    )
    assert fs.modified("photos/cats/1") == fs.created("photos/cats/1") == info["created"]
    assert abs(info["created"] - datetime.datetime.now(datetime.UTC)) < datetime.timedelta(hours=1)
    before, sum_before = fs.ukey("photos/cats/1"), fs.checksum("photos/cats/1")
    fs.pipe_file("photos/cats/1", b"one")
    assert (fs.ukey("photos/cats/1") == before, fs.checksum("photos/cats/1") == sum_before) == (False, True)
    with pytest.raises(IsADirectoryError):
        fs.modified("photos/cats")


def test_parts_are_read_as_slices(hub: Hub, fs: Any) -> None:
    put(hub)
    bounds = [
        (0, 10),
        (None, 5),
        (-7, None),
        ((1 << 20) - 3, (1 << 20) + 3),
        (5, 2),
        (None, None),
        (len(LARGE), None),
    ]
    for start, end in bounds:
        assert fs.cat_file("photos/large", start, end) == LARGE[start:end]
    starts, ends = [each[0] for each in bounds], [each[1] for each in bounds]
    assert fs.cat_ranges(["photos/large"] * 7, starts, ends) == [LARGE[a:b] for a, b in bounds]
    assert fs.cat_ranges(["photos/cats/1", "photos/cats/2"], 1, 3) == [b"ne", b"wo"]
    found = fs.cat_ranges(["photos/none", "photos/cats/2"], [0, 0], [1, 1])
    assert isinstance(found[0], FileNotFoundError)
    assert found[1] == b"t"
    with pytest.raises(FileNotFoundError):
        fs.cat_ranges(["photos/none"], 0, 1, on_error="raise")


def test_many_are_read_at_once(hub: Hub, fs: Any) -> None:
    put(hub)
    assert fs.cat("photos/cats", recursive=True) == {
        "photos/cats/1": b"one",
        "photos/cats/2": b"two!",
        "photos/cats/kittens/3": b"three",
    }
    asked = ["photos/cats/2", "photos/none", "photos/cats/1"]
    with pytest.raises(FileNotFoundError, match="none"):
        fs.cat(asked)
    assert fs.cat(asked, on_error="omit") == {"photos/cats/2": b"two!", "photos/cats/1": b"one"}
    assert isinstance(fs.cat(asked, on_error="return")["photos/none"], FileNotFoundError)


def test_a_reader_keeps_to_its_version(hub: Hub, fs: Any) -> None:
    put(hub)
    with fs.open("photos/large", block_size=1 << 16) as file:
        assert file.read(10) == LARGE[:10]
        fs.pipe_file("photos/large", b"other")
        file.seek(-5, 2)
        assert file.read() == LARGE[-5:]
        assert file.readinto(bytearray(4)) == 0
    assert fs.cat("photos/large") == b"other"


def test_a_file_appears_whole_or_not_at_all(hub: Hub, fs: Any) -> None:
    def fail_in_the_middle() -> None:
        with fs.open("photos/half", "wb") as file:
            file.write(LARGE)
            raise RuntimeError("no more")

    with pytest.raises(RuntimeError):
        fail_in_the_middle()
    assert not fs.exists("photos/half")
    with fs.open("photos/whole", "wb") as file:
        file.write(LARGE)
        file.flush()
        assert not fs.exists("photos/whole")
        with pytest.raises(OSError, match="Seek"):
            file.seek(0)
    assert fs.cat("photos/whole") == LARGE
    with fs.open("photos/text", "wt", encoding="utf-8") as text:
        text.write("마루\n")
    assert fs.read_text("photos/text", encoding="utf-8") == "마루\n"
    fs.touch("photos/empty")
    assert fs.info("photos/empty")["size"] == 0


def test_appending_goes_on_where_the_file_ends(hub: Hub, fs: Any) -> None:
    for part in (b"first,", b"second"):
        with fs.open("photos/log", "ab") as file:
            assert file.tell() == (0 if part == b"first," else 6)
            file.write(part)
    assert fs.cat("photos/log") == b"first,second"
    file = fs.open("photos/log", "ab")
    file.write(b"lost?")
    fs.pipe_file("photos/log", b"by another")
    with pytest.raises(FileExistsError):
        file.close()
    assert fs.cat("photos/log") == b"by another"


def test_creating_refuses_what_exists(fs: Any) -> None:
    fs.pipe_file("photos/new", b"1", mode="create")
    with pytest.raises(FileExistsError):
        fs.pipe_file("photos/new", b"2", mode="create")
    file = fs.open("photos/late", "xb")
    fs.pipe_file("photos/late", b"first")
    with pytest.raises(FileExistsError):
        file.close()
    assert fs.cat(["photos/new", "photos/late"]) == {"photos/new": b"1", "photos/late": b"first"}


def test_copies_share_bytes_and_moves_leave_nothing(hub: Hub, fs: Any) -> None:
    put(hub)
    fs.cp("photos/large", "photos/again")
    fs.mv("photos/cats", "photos/moved", recursive=True)
    assert fs.find("photos/cats") == []
    assert fs.cat("photos/moved/kittens/3") == b"three"
    assert hub.bucket("photos").stat("again").extents_raw == hub.bucket("photos").stat("large").extents_raw
    with pytest.raises(OSError, match="folder"):
        fs.rm("photos/moved")
    fs.rm("photos", recursive=True)
    assert fs.ls("photos") == []
    assert hub.bucket("photos").undelete("large").size == len(LARGE)


def test_buckets_are_the_folders_that_exist(fs: Any) -> None:
    fs.mkdir("fresh")
    assert fs.ls("", detail=False) == ["fresh", "photos"]
    with pytest.raises(FileExistsError):
        fs.mkdir("fresh")
    fs.makedirs("fresh", exist_ok=True)
    fs.makedirs("fresh/folder")
    assert not fs.exists("fresh/folder"), "a folder is what lies in it"
    fs.pipe_file("fresh/folder/file", b"1")
    with pytest.raises(OSError, match="fresh") as full:
        fs.rmdir("fresh")
    assert full.value.errno == errno.ENOTEMPTY
    fs.rm("fresh/folder/file")
    fs.rmdir("fresh")
    assert not fs.exists("fresh")
    for bad in ("dataset", "Bad_Name"):
        with pytest.raises(OSError, match=bad):
            fs.mkdir(bad)


def test_a_transaction_is_one_commit(hub: Hub, fs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    before = hub.bucket("photos").put("before", b"")
    with fs.transaction:
        fs.pipe({"photos/t1": b"1", "photos/t2": b"2"})
        with fs.open("photos/t3", "wb") as file:
            file.write(LARGE)
        assert fs.find("photos") == ["photos/before"]
    infos = [hub.bucket("photos").stat(key) for key in ("t1", "t2", "t3")]
    assert len({info.time_us for info in infos}) == 1, "one commit"
    assert before.counter
    assert fs.cat("photos/t3") == LARGE

    def fail() -> None:
        with fs.transaction:
            fs.pipe_file("photos/never", b"")
            raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        fail()
    fs.pipe_file("photos/after", b"")
    assert fs.find("photos") == ["photos/after", "photos/before", "photos/t1", "photos/t2", "photos/t3"]


def test_a_failed_condition_leaves_a_transaction_unwritten(fs: Any) -> None:
    fs.pipe_file("photos/there", b"old")

    def lose() -> None:
        with fs.transaction:
            fs.pipe_file("photos/a", b"a")
            with fs.open("photos/there", "ab") as file:
                file.write(b"new")
            fs.hub.bucket("photos").put("there", b"by another")

    with pytest.raises(FileExistsError):
        lose()
    assert fs.find("photos") == ["photos/there"]
    assert fs.cat("photos/there") == b"by another"


def test_a_version_is_read_as_files_and_never_written(hub: Hub, fs: Any) -> None:
    put(hub)
    hub.dataset("cats").commit("photos/cats/")
    fs.pipe_file("photos/cats/1", b"changed")
    assert "dataset" in fs.ls("", detail=False)
    assert fs.ls("dataset", detail=False) == ["dataset/cats"]
    assert fs.ls("dataset/cats", detail=False) == ["dataset/cats/v1"]
    assert fs.ls("dataset/cats/latest/photos/cats", detail=False)[0] == "dataset/cats/latest/photos/cats/1"
    assert len(fs.find("dataset/cats/v1")) == 3
    assert fs.cat("maru://dataset/cats/v1/photos/cats/1") == b"one"
    assert fs.cat_file("dataset/cats/v1/photos/cats/kittens/3", -3) == b"ree"
    assert fs.cat("dataset/cats/v1", recursive=True)["dataset/cats/v1/photos/cats/2"] == b"two!"
    with fs.open("dataset/cats/v1/photos/cats/2") as file:
        assert file.read() == b"two!"
    fs.cp("dataset/cats/v1/photos/cats/1", "photos/back")
    assert fs.cat("photos/back") == b"one"
    for act in (
        lambda: fs.pipe_file("dataset/cats/v1/photos/cats/1", b""),
        lambda: fs.open("dataset/cats/v1/new", "wb"),
        lambda: fs.rm("dataset/cats/v1/photos/cats/1"),
        lambda: fs.mkdir("dataset/dogs"),
    ):
        with pytest.raises(PermissionError):
            act()
    for missing in ("dataset/dogs", "dataset/cats/v9", "dataset/cats/v1/photos/none"):
        assert not fs.exists(missing)
        with pytest.raises(FileNotFoundError):
            fs.ls(missing)


def read_in_child(fs: Any, answers: Any) -> None:
    answers.put(fs.cat("photos/cats/1"))


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_it_goes_to_other_processes_and_threads(hub: Hub, method: str) -> None:
    put(hub)
    fs = fsspec.filesystem("maru", hub=str(hub.path))
    assert pickle.loads(pickle.dumps(fs)).cat("photos/cats/2") == b"two!"
    context = multiprocessing.get_context(method)
    answers = context.Queue()
    child = context.Process(target=read_in_child, args=(fs, answers))
    child.start()
    assert answers.get(timeout=60) == b"one"
    child.join()
    found: list[bytes] = []
    threads = [
        threading.Thread(
            target=lambda: found.append(fsspec.filesystem("maru", hub=str(hub.path)).cat("photos/dogs"))
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [b""] * 4


def test_a_hub_elsewhere_looks_the_same(hub: Hub) -> None:
    put(hub)
    hub.dataset("cats").commit("photos/cats/")
    server = BatchServer(hub)
    fs = fsspec.filesystem(
        "maru", hub=server.url, access_key=KEY, secret_key=SECRET, skip_instance_cache=True
    )
    assert fs.ls("photos", detail=False) == ["photos/cats", "photos/dogs", "photos/large"]
    assert fs.cat_file("photos/large", (1 << 20) - 2, (1 << 20) + 2) == LARGE[(1 << 20) - 2 : (1 << 20) + 2]
    with fs.open("photos/new", "wb") as file:
        file.write(b"over there")
    assert hub.bucket("photos")["new"] == b"over there"
    fs.mv("photos/new", "photos/moved")
    assert fs.find("photos/m") == []
    assert fs.isfile("photos/moved")
    with pytest.raises(PermissionError, match="elsewhere"):
        fs.cat("dataset/cats/v1/photos/cats/1")
    fs.hub.close()
    server.close()


def test_every_kind_of_error_has_its_number() -> None:
    kinds = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.MaruError)
    ]
    assert len(kinds) > 20
    for kind in kinds:
        if kind is not errors.MaruError:
            assert as_os_error(kind("what happened")).errno
    assert isinstance(as_os_error(errors.NoSuchKey("x")), FileNotFoundError)
    assert isinstance(as_os_error(errors.PreconditionFailed("x")), FileExistsError)


def test_the_name_of_the_hub_tells_file_systems_apart(hub: Hub, tmp_path: Path) -> None:
    with maruhub.create(tmp_path / "other", blades=1) as other:
        names = {fsspec.filesystem("maru", hub=str(each.path)).fsid for each in (hub, other)}
    assert len(names) == 2


def test_a_relative_path_is_that_of_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        with maruhub.create("hub", blades=1) as hub:
            hub.bucket("photos")["name"] = name.encode()
        assert fsspec.filesystem("maru", hub="hub").cat("photos/name") == name.encode()
