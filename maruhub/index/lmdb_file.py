"""LMDB's two files in a folder: which they are, open them, check them, put them aside.

The data file is ``data.mdb``, the table of readers and locks ``lock.mdb``. Everything here that
opens or removes them holds the folder's kernel lock, so that nobody pairs an old file with a new
one. Nothing here opens ``lock.mdb`` itself: closing any descriptor of it would drop the process's
record locks on it, and with them other processes' knowledge that its readers live.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import struct
from collections.abc import Iterator

import lmdb
from lmdb import _envid

from maruhub.errors import Corrupt, Unavailable
from maruhub.index.lmdb_error import NO_RIGHT, REBUILD_HINT, code_of

MAP_BYTES = 1 << 40
"""Address space for the map, from the start: growing a map needs all readers to pause."""

READERS_MAX = 1024

DATA_NAME = "data.mdb"
LOCK_NAME = "lock.mdb"

_PAGE_BYTES = mmap.PAGESIZE
_ROOM_BYTES_MIN = 256 << 10
_ROOM_BYTES_MAX = 16 << 20

_GET_GENERATION = 0x80087601  # FS_IOC_GETVERSION: changes when an inode number is used again


@contextlib.contextmanager
def folder_lock(path: str) -> Iterator[None]:
    """Hold the folder against another process's opening or removing its files."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        # Explicitly: a child forked meanwhile holds a copy that would keep the lock.
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


def place(path: str) -> tuple[int, int]:
    """Device and inode: enough to see that an open file is no longer the one in the folder."""
    stat = os.stat(os.path.join(path, DATA_NAME))
    return stat.st_dev, stat.st_ino


def identity(path: str) -> str:
    """Device, inode and the inode's generation (0 where the file system keeps none)."""
    data = os.path.join(path, DATA_NAME)
    with open(data, "rb") as file:
        stat = os.fstat(file.fileno())
        try:
            answer = fcntl.ioctl(file.fileno(), _GET_GENERATION, bytes(8))
            (generation,) = struct.unpack_from("I", answer)
        except OSError:
            generation = 0
    return f"{stat.st_dev:x}-{stat.st_ino:x}-{generation:x}"


def keep_room(env: lmdb.Environment, path: str) -> None:
    """Keep some written, unused room behind the last page; call it with the writer's lock held.

    A commit that only overwrites is made durable without the file system's journal: here in
    0.11 ms instead of 0.31 ms. The file's end is behind every page ever written, so zeros from
    there on touch none. No room on the disk is no error yet: the commit may still fit.
    """
    data = os.path.join(path, DATA_NAME)
    size_bytes = os.path.getsize(data)
    used_bytes = (env.info()["last_pgno"] + 1) * _PAGE_BYTES
    if size_bytes - used_bytes >= _ROOM_BYTES_MIN:
        return
    step_bytes = min(max(used_bytes // 8, 4 * _ROOM_BYTES_MIN), _ROOM_BYTES_MAX)
    with contextlib.suppress(OSError):
        descriptor = os.open(data, os.O_WRONLY)
        try:
            os.pwrite(descriptor, bytes(step_bytes), size_bytes)
        finally:
            os.close(descriptor)


def open_environment(path: str, *, create: bool, forked: bool) -> tuple[lmdb.Environment, bool]:
    """Open the files; return the environment and whether it is locked against writers.

    Where the folder cannot be written it is opened for reading; where not even the lock file can
    be, without locks: a writer does not see such readers, who must check what they read.

    Args:
        path: The folder; it exists.
        create: Make the files if they are missing.
        forked: This process is a child that has inherited an environment, see ``_open``.

    Raises:
        Unavailable: There is no index and ``create`` is false.
        Corrupt: The data file ends before its last page.
    """
    data = os.path.join(path, DATA_NAME)
    if not create and not (os.path.exists(data) and os.path.getsize(data)):
        raise Unavailable(f"There is no index at {path}.", hint=REBUILD_HINT)
    for readonly, lock in ((False, True), (True, True), (True, False)):
        try:
            env = _open(path, readonly=readonly, lock=lock, forked=forked)
        except (OSError, lmdb.Error) as error:
            if code_of(error) not in NO_RIGHT or not lock or not os.path.exists(data):
                raise
        else:
            break
    try:
        _keep_from_exec(data)
        _check_length(env, path)
    except BaseException:
        env.close()
        raise
    if lock:
        env.reader_check()
    return env, lock


def _keep_from_exec(data: str) -> None:
    """Let no program that this process becomes, or starts, go on holding the data file.

    LMDB marks one of its two descriptors of it so, and tells the numbers of neither.
    """
    here = os.stat(data)
    for number in map(int, os.listdir("/proc/self/fd")):
        with contextlib.suppress(OSError):
            if os.path.samestat(os.fstat(number), here):
                os.set_inheritable(number, False)


def _open(path: str, *, readonly: bool, lock: bool, forked: bool) -> lmdb.Environment:
    """Open, in a forked child past py-lmdb's guard against opening a file twice.

    The guard's table is inherited by fork, and only closing the inherited environment would clear
    it. That must not happen: it would end the parent's read transactions in the shared lock file,
    and wait for ever for threads that the child does not have. The environment of the parent is
    left alone for good, so opening the files in the child is right, and the guard is told of none.
    """
    with _unguarded() if forked else contextlib.nullcontext():
        return lmdb.open(
            path,
            map_size=MAP_BYTES,
            readonly=readonly,
            lock=lock,
            metasync=False,
            mode=0o666,
            max_readers=READERS_MAX,
            max_spare_txns=1,
            lib_version=0,
        )


@contextlib.contextmanager
def _unguarded() -> Iterator[None]:
    guard = _envid.env_keys
    _envid.env_keys = lambda *_: ()
    try:
        yield
    finally:
        _envid.env_keys = guard


def _check_length(env: lmdb.Environment, path: str) -> None:
    """Refuse a file that was cut: reading past its end through the map would kill the process.

    A sound file may end early too, by pages that were taken and given back in one transaction;
    only then is the whole file walked.
    """
    size_bytes = os.path.getsize(os.path.join(path, DATA_NAME))
    if size_bytes >= (env.info()["last_pgno"] + 1) * env.stat()["psize"]:
        return
    problems = find_damage(path)
    if problems:
        raise Corrupt(f"The index at {path} is damaged: {problems[0]}.", hint=REBUILD_HINT)


def find_damage(path: str) -> list[str]:
    """Walk the data file without LMDB; return what is wrong with it, nothing if it is sound.

    Slow (pure Python, every page); exact only while nobody writes.
    """
    from lmdb.verify import VerifyError, verify

    try:
        return list(verify(path))  # type: ignore[no-untyped-call]
    except VerifyError as error:
        return [str(error)]


def put_aside(path: str) -> None:
    """Remove the files of an index that cannot be opened, so that a new one can be made.

    Processes that still have the old ones open go on with those; what they write is lost, so
    the caller holds off writers first.
    """
    with folder_lock(path):
        for name in (LOCK_NAME, DATA_NAME):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(path, name))
