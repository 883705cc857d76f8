"""The index on a disk that is full, read-only, cut, rotten or swapped."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import lmdb
import pytest

from maruhub.errors import Busy, Corrupt, MaruError, ReadOnly, Unavailable
from maruhub.index import lmdb_file
from maruhub.index.lmdb_error import translated
from maruhub.index.lmdb_index import LmdbIndex
from maruhub.index.protocol import AFTER_ALL

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounts or changes its user")


def run(script: str, *arguments: object) -> str:
    """Run a script in a process of its own; return what it printed."""
    command = [sys.executable, "-c", "from maruhub.index.lmdb_index import LmdbIndex\n" + script]
    done = subprocess.run([*command, *map(str, arguments)], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def make(path: Path) -> None:
    index = LmdbIndex(path)
    with index.write() as txn:
        txn.put_many([(b"k%05d" % number, b"v" * 100) for number in range(2000)])
    index.close()


FILL = """
import sys
from maruhub.errors import NoSpace
index = LmdbIndex(sys.argv[1])
done = 0
try:
    while True:
        with index.write() as txn:
            txn.put_many([(b"%08d" % (done * 100 + at), bytes(1000)) for at in range(100)])
        done += 1
except NoSpace as error:
    assert sys.argv[1] in str(error)
held = len(index.scan(b"", b"~", 10**6))
assert done and held == done * 100, (done, held)
with index.write() as txn:
    txn.remove_many([b"%08d" % at for at in range(100)])
assert len(index.scan(b"", b"~", 10**6)) == held - 100
print("reads and removes go on")
"""


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MiB of its own."""
    folder = tmp_path / "mount"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", folder], capture_output=True)
    if done.returncode:
        pytest.skip("this process may not mount")
    yield folder
    subprocess.run(["umount", folder], check=True)


@needs_root
def test_full_disk_is_no_space(mounted: Path) -> None:
    assert run(FILL, mounted / "index") == "reads and removes go on"


@needs_root
def test_read_only_file_system_is_read(mounted: Path) -> None:
    make(mounted / "index")
    subprocess.run(["mount", "-o", "remount,ro", mounted], check=True)
    index = LmdbIndex(mounted / "index")
    assert len(index.scan(b"", AFTER_ALL, 9999)) == 2000
    with pytest.raises(ReadOnly), index.write():
        pass
    index.close()
    with pytest.raises(ReadOnly):
        LmdbIndex(mounted / "other")


@needs_root
def test_folder_of_another_user_is_read(tmp_path: Path) -> None:
    make(tmp_path / "index")
    ours = [folder for folder in (tmp_path, *tmp_path.parents) if "pytest" in str(folder)]
    for folder in ours:
        folder.chmod(0o755)
    for name in ("data.mdb", "lock.mdb"):
        (tmp_path / "index" / name).chmod(0o644)
    script = """
import os, sys
from maruhub.errors import ReadOnly
import lmdb.verify
os.setuid(65534)
index = LmdbIndex(sys.argv[1])
assert not index._shared.locked
print(len(index.scan(b"", b"~", 9999)))
try:
    with index.write(): pass
except ReadOnly: print("read-only")
"""
    assert run(script, tmp_path / "index").split() == ["2000", "read-only"]


def unlocked(index: LmdbIndex) -> LmdbIndex:
    """The same index read as one that writers do not see."""
    other = LmdbIndex(index._path)
    other._shared = other._shared._replace(locked=False)
    return other


def test_reader_without_locks_never_returns_a_mixed_state(tmp_path: Path) -> None:
    index = LmdbIndex(tmp_path / "index")
    reader = unlocked(index)

    def commit(turn: int) -> None:
        with index.write() as txn:
            txn.put_many([(b"a", str(turn).encode())])

    commit(0)
    turns = iter(range(1, 1000))
    calls = []

    def act(tree):
        calls.append(1)
        value = tree.get_many([b"a"])
        for _ in range(2 if len(calls) < 3 else 1):  # two commits in its way, twice
            commit(next(turns))
        return value

    assert reader._read(act) == [b"4"]
    assert len(calls) == 3

    def always(tree):
        commit(next(turns))
        commit(next(turns))

    with pytest.raises(Busy):
        reader._read(always)
    reader.close()
    index.close()


def is_corrupt(path: Path) -> None:
    with pytest.raises(Corrupt, match="maru check --rebuild-index"):
        LmdbIndex(path)


def test_rubbish_is_corrupt(tmp_path: Path) -> None:
    make(tmp_path / "index")
    (tmp_path / "index" / "data.mdb").write_bytes(os.urandom(100_000))
    is_corrupt(tmp_path / "index")
    lmdb_file.put_aside(str(tmp_path / "index"))
    make(tmp_path / "index")


@pytest.mark.parametrize("kept_bytes", [1, 100, 4096, 8192, 12_288, 20_000, 200_000])
def test_cut_file_is_corrupt_and_kills_nobody(tmp_path: Path, kept_bytes: int) -> None:
    make(tmp_path / "index")
    os.truncate(tmp_path / "index" / "data.mdb", kept_bytes)
    is_corrupt(tmp_path / "index")
    is_corrupt(tmp_path / "index")  # a failed open leaves nothing behind


def test_file_without_its_last_free_pages_is_sound(tmp_path: Path) -> None:
    """A file shorter than its page count is walked, and opened if no page in use is missing."""
    index = LmdbIndex(tmp_path / "index")
    for items in ([(b"large", bytes(1 << 20))], [(b"large", b"")], [(b"small", b"1")], [(b"small", b"2")]):
        with index.write() as txn:
            txn.put_many(items)
    index.close()
    data = tmp_path / "index" / "data.mdb"
    os.truncate(data, data.stat().st_size - 2 * 4096)
    index = LmdbIndex(tmp_path / "index")
    with index.write() as txn:
        txn.put_many([(b"more", bytes(1 << 20))])
    assert index.scan(b"", AFTER_ALL, 9) == [(b"large", b""), (b"more", bytes(1 << 20)), (b"small", b"2")]
    index.close()


def test_empty_folder_and_missing_lock_are_fine(tmp_path: Path) -> None:
    (tmp_path / "index").mkdir()
    make(tmp_path / "index")
    (tmp_path / "index" / "lock.mdb").unlink()
    make(tmp_path / "index")


def test_replaced_file_is_noticed(tmp_path: Path) -> None:
    make(tmp_path / "index")
    shutil.copytree(tmp_path / "index", tmp_path / "copy")
    index = LmdbIndex(tmp_path / "index")
    before = index.identity()
    shutil.rmtree(tmp_path / "index")
    with pytest.raises(Unavailable, match="gone"):
        index.identity()
    with pytest.raises(MaruError), index.write():
        pass
    shutil.copytree(tmp_path / "copy", tmp_path / "index")
    assert index.identity() != before
    with pytest.raises(Unavailable, match="replaced"), index.write():
        pass
    index.close()
    index = LmdbIndex(tmp_path / "index")
    assert len(index.scan(b"", AFTER_ALL, 9999)) == 2000
    index.close()


def test_every_error_of_the_engine_has_a_word_of_ours() -> None:
    kinds = [kind for kind in vars(lmdb).values() if isinstance(kind, type) and issubclass(kind, lmdb.Error)]
    assert len(kinds) > 20
    for kind in kinds:
        said = translated(kind("it happened"), "/pool/index")
        assert isinstance(said, MaruError)
        assert "/pool/index" in str(said)


def test_damaged_head_of_a_long_key_is_corrupt(tmp_path: Path) -> None:
    index = LmdbIndex(tmp_path / "index")
    with index.write() as txn:
        txn.put_many([(b"l" * 600, b"v")])
    with index._shared.env.begin(write=True) as raw:
        ((head, _),) = [item for item in raw.cursor() if len(item[0]) == 511]
        raw.put(head, b"short")
    with pytest.raises(Corrupt):
        index.get_many([b"l" * 600])
    with pytest.raises(Corrupt):
        index.scan(b"", AFTER_ALL, 9)
    index.close()


def test_index_made_anew_in_place_of_an_open_one_is_another(tmp_path: Path) -> None:
    first = LmdbIndex(tmp_path / "index")
    with first.write() as txn:
        txn.put_many([(b"k", b"old")])
    shutil.rmtree(tmp_path / "index")
    second = LmdbIndex(tmp_path / "index")
    assert second.get_many([b"k"]) == [None]
    with second.write() as txn:
        txn.put_many([(b"k", b"new")])
    assert first.get_many([b"k"]) == [b"old"]
    first.close()
    assert second.get_many([b"k"]) == [b"new"]
    second.close()
