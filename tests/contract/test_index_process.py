"""The index over processes: forked, spawned, killed, stopped."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import lmdb
import pytest

from maruhub.errors import Busy, MaruError, ReadOnly, Unavailable
from maruhub.index import lmdb_file
from maruhub.index.lmdb_index import LmdbIndex
from maruhub.index.protocol import AFTER_ALL

# Python 3.12 and later warn of what is tested here.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")


def in_child(act: Callable[[], bytes]) -> bytes:
    """Fork; return what ``act`` gave in the child, or its error's text."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            answer = act()
        except BaseException as error:  # a child must never return into pytest
            answer = f"{type(error).__name__}: {error}".encode()
        os.write(writing, answer)
        os._exit(0)
    os.close(writing)
    deadline = threading.Timer(15, os.kill, (pid, signal.SIGKILL))
    deadline.start()
    try:
        with os.fdopen(reading, "rb") as pipe:
            answer = pipe.read()
    finally:
        os.waitpid(pid, 0)
        deadline.cancel()
    return answer


def put(index: LmdbIndex, key: bytes, value: bytes) -> None:
    with index.write() as txn:
        txn.put_many([(key, value)])


def get(index: LmdbIndex, key: bytes) -> bytes:
    (value,) = index.get_many([key])
    return value or b"none"


@pytest.fixture
def index(tmp_path: Path):
    made = LmdbIndex(tmp_path / "index")
    put(made, b"a", b"1")
    yield made
    made.close()


def child_of_process(path: str, answers: Connection) -> None:
    index = LmdbIndex(path)
    put(index, b"child", b"was here")
    answers.send(get(index, b"a"))
    index.close()


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_child_opens_its_own(index: LmdbIndex, tmp_path: Path, method: str) -> None:
    context = multiprocessing.get_context(method)
    mine, theirs = context.Pipe()
    process = context.Process(target=child_of_process, args=(str(tmp_path / "index"), theirs))
    process.start()
    assert mine.poll(20)
    assert mine.recv() == b"1"
    process.join()
    mine.close()
    theirs.close()
    assert process.exitcode == 0
    assert get(index, b"child") == b"was here"


def test_object_goes_on_in_forked_child_and_grandchild(index: LmdbIndex) -> None:
    def grandchild() -> bytes:
        put(index, b"grandchild", b"3")
        return get(index, b"a") + get(index, b"child")

    def child() -> bytes:
        put(index, b"child", b"2")
        answer = in_child(grandchild)
        index.close()
        again = LmdbIndex(index._path)
        return answer + get(again, b"grandchild")

    assert in_child(child) == b"123"
    assert get(index, b"grandchild") == b"3"
    put(index, b"a", b"parent goes on")


def test_child_that_only_drops_its_copy_harms_nobody(index: LmdbIndex) -> None:
    script = (
        "import os, sys; from maruhub.index.lmdb_index import LmdbIndex\n"
        "index = LmdbIndex(sys.argv[1])\n"
        "with index.write() as txn: txn.put_many([(b'k', b'v')])\n"
        "pid = os.fork()\n"
        "if not pid: del index; sys.exit(7)\n"  # a whole interpreter exit in the child
        "assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7\n"
        "assert index.get_many([b'k']) == [b'v']\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", script, index._path], timeout=20)
    assert done.returncode == 0


def test_fork_while_threads_read_and_write(index: LmdbIndex) -> None:
    keys = [b"k%06d" % number for number in range(5000)]
    with index.write() as txn:
        txn.put_many([(key, b"0") for key in keys])
    stop, failures = threading.Event(), []

    def read() -> None:
        while not stop.is_set():
            if len(set(index.get_many(keys))) != 1 or len(index.scan(b"k", b"l", 9999)) != len(keys):
                failures.append("torn")

    def write() -> None:
        turn = 0
        while not stop.is_set():
            turn += 1
            with index.write() as txn:
                txn.put_many([(key, str(turn).encode()) for key in keys])

    threads = [threading.Thread(target=target) for target in (read, read, write)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(12):
            assert in_child(lambda: str(len(set(index.get_many(keys)))).encode()) == b"1"
        assert in_child(lambda: put(index, b"c", b"1") or get(index, b"c")) == b"1"
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert failures == []


def test_transaction_begun_before_fork_is_refused_in_the_child(index: LmdbIndex) -> None:
    def child_in_write() -> bytes:
        for act in (lambda: txn.put_many([(b"a", b"2")]), lambda: txn.get_many([b"a"])):
            with pytest.raises(Unavailable):
                act()
        return get(index, b"a")

    with index.write() as txn:
        txn.put_many([(b"a", b"new")])
        assert in_child(child_in_write) == b"1"
    assert get(index, b"a") == b"new"


def test_leaving_a_with_block_in_the_child_commits_nothing(index: LmdbIndex) -> None:
    reading, writing = os.pipe()
    parent = os.getpid()
    try:
        with index.write() as txn:
            txn.put_many([(b"a", b"from the wrong process")])
            child = os.fork()
            if child:
                os.waitpid(child, 0)
                raise KeyError
    except (KeyError, MaruError) as error:
        if os.getpid() != parent:
            os.write(writing, type(error).__name__.encode())
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        assert pipe.read() == b"Unavailable"
    assert get(index, b"a") == b"1"


WRITER = """
import sys, time
from maruhub.index.lmdb_index import LmdbIndex
index = LmdbIndex(sys.argv[1])
with index.write() as txn:
    txn.put_many([(b"a", b"half"), (b"l" * 3000, b"half")])
    print("in", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def writer(index: LmdbIndex):
    with subprocess.Popen([sys.executable, "-c", WRITER, index._path], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"in\n"
        yield process
        process.kill()


def test_killed_writer_leaves_the_last_commit_and_frees_the_lock(
    index: LmdbIndex, writer: subprocess.Popen[bytes]
) -> None:
    writer.kill()
    writer.wait()
    begun = time.monotonic()
    put(index, b"b", b"2")
    assert time.monotonic() - begun < 1
    assert index.scan(b"", AFTER_ALL, 9) == [(b"a", b"1"), (b"b", b"2")]


def test_stopped_writer_stops_no_reader_old_or_new(index: LmdbIndex, writer: subprocess.Popen[bytes]) -> None:
    writer.send_signal(signal.SIGSTOP)
    assert get(index, b"a") == b"1"
    script = "import sys; from maruhub.index.lmdb_index import LmdbIndex as L; print(L(sys.argv[1]).get_many([b'a']))"
    done = subprocess.run([sys.executable, "-c", script, index._path], capture_output=True, timeout=10)
    assert done.stdout == b"[b'1']\n"


def test_waiting_for_another_process_writer_stops_no_thread(
    index: LmdbIndex, writer: subprocess.Popen[bytes]
) -> None:
    waiter = threading.Thread(target=put, args=(index, b"c", b"3"))
    waiter.start()
    time.sleep(0.05)
    assert get(index, b"a") == b"1"
    assert waiter.is_alive()
    writer.kill()
    waiter.join(5)
    assert get(index, b"c") == b"3"


def test_slots_of_killed_readers_are_freed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lmdb_file, "READERS_MAX", 2)
    index = LmdbIndex(tmp_path / "index")
    read_then_wait = (
        "import sys, time; from maruhub.index.lmdb_index import LmdbIndex as L; i = L(sys.argv[1])\n"
        "i.get_many([b'a']); print(flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", read_then_wait, index._path]
    with contextlib.ExitStack() as stack:
        for _ in range(2):
            process = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE))
            stack.callback(process.kill)
            assert process.stdout.readline() == b"\n"
        with pytest.raises(Busy):
            index.get_many([b"a"])
    assert index.get_many([b"a"]) == [None]
    index.close()


def test_read_only_handle_writes_nothing(index: LmdbIndex, tmp_path: Path) -> None:
    reader = LmdbIndex(tmp_path / "index", read_only=True)
    assert get(reader, b"a") == b"1"
    with pytest.raises(ReadOnly):
        put(reader, b"a", b"2")
    with pytest.raises(ReadOnly):
        reader.clear()
    reader.close()
    with pytest.raises(Unavailable, match="no index"):
        LmdbIndex(tmp_path / "missing", read_only=True)
    assert not (tmp_path / "missing").exists()


def test_closing_under_readers_tells_them(tmp_path: Path) -> None:
    index = LmdbIndex(tmp_path / "index")
    keys = [b"k%06d" % number for number in range(2000)]
    with index.write() as txn:
        txn.put_many([(key, b"v") for key in keys])
    ends: list[object] = []

    def read() -> None:
        try:
            while True:
                assert index.get_many(keys) == [b"v"] * len(keys)
                assert len(index.scan(b"", AFTER_ALL, 9999)) == len(keys)
        except BaseException as error:
            ends.append(error)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    time.sleep(0.1)
    index.close()
    for thread in threads:
        thread.join(10)
    assert [type(end) for end in ends] == [Unavailable] * 3


def test_kill_at_any_moment_leaves_one_whole_commit(index: LmdbIndex) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    keys = [b"k%04d" % number + b"l" * (number % 3 * 600) for number in range(300)]

    def commit(turn: int) -> None:
        with index.write() as txn:
            txn.remove_many(keys)
            txn.put_many([(key, str(turn).encode()) for key in keys])

    def commit_for_ever() -> bytes:
        turn = 0
        while True:
            commit(turn := turn + 1)

    commit(0)
    for _ in range(40):
        pid = os.fork()
        if pid == 0:
            commit_for_ever()
        time.sleep(chance.uniform(0.005, 0.03))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        held = index.scan(b"k", b"l", 999)
        assert [key for key, _ in held] == sorted(keys)
        assert len({value for _, value in held}) == 1
        begun = time.monotonic()
        commit(0)
        assert time.monotonic() - begun < 1
    assert lmdb_file.find_damage(index._path) == []


def test_leaked_handle_is_joined_not_opened_twice(tmp_path: Path) -> None:
    first = LmdbIndex(tmp_path / "index")
    (tmp_path / "link").symlink_to(tmp_path / "index")
    second = LmdbIndex(tmp_path / "link")
    assert first._shared is second._shared
    first.close()
    put(second, b"a", b"1")
    second.close()
    with lmdb.open(str(tmp_path / "index")) as env:  # everything is closed
        assert env.stat()["entries"] == 1
