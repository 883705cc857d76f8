"""One LMDB environment a process and folder, shared by all who open it, left alone after fork.

LMDB forbids a second open of the same files in one process, and a child may neither use nor close
what it inherited. So environments live in a table by real path with a count of users; the last
one who leaves closes. Which process a table belongs to is compared at every use.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections import deque
from typing import NamedTuple

import lmdb

from maruhub.errors import Unavailable
from maruhub.index.lmdb_error import REBUILD_HINT, translated
from maruhub.index.lmdb_file import folder_lock, open_environment, place


class SharedEnvironment(NamedTuple):
    """An open environment and what was found when it was opened.

    Attributes:
        env: The environment.
        pid: The process that opened it, the only one that may use it.
        place: Which file it is: device and inode.
        locked: Readers are registered, so that writers keep their pages.
        writable: The files may be written.
    """

    env: lmdb.Environment
    pid: int
    place: tuple[int, int]
    locked: bool
    writable: bool


class EnvironmentTable:
    """The environments that this process has open."""

    def __init__(self) -> None:
        self._forget()
        self._inherited = False
        # A lock that another thread held at the fork would stay held in the child for ever.
        os.register_at_fork(after_in_child=self._leave_parent)

    def _forget(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._open: dict[tuple[str, tuple[int, int]], tuple[SharedEnvironment, int]] = {}
        self._abandoned: deque[tuple[str, SharedEnvironment]] = deque()

    def _leave_parent(self) -> None:
        """In a child: never use, close or free what the parent has open.

        Freeing closes, and that would end the parent's read transactions and may wait for ever
        (see ``lmdb_file``), even at the interpreter's exit: so a reference is leaked on purpose.
        """
        for shared, _ in self._open.values():
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(shared.env))
        self._inherited = True  # even of an empty table: a thread may have been opening one
        self._forget()

    def acquire(self, path: str, *, create: bool) -> SharedEnvironment:
        """Open, or join those who have opened; ``release`` it as often.

        Args:
            path: The folder's real path.
            create: Make the index if there is none.
        """
        if self._pid != os.getpid():  # forked past Python's hooks
            self._leave_parent()
        with self._lock:
            self._leave_abandoned()
            shared, users = self._open.get((path, _present(path))) or (None, 0)
            if shared is None:
                shared = self._open_new(path, create=create)
            self._open[path, shared.place] = (shared, users + 1)
            return shared

    def _open_new(self, path: str, *, create: bool) -> SharedEnvironment:
        try:
            if create:
                os.makedirs(path, exist_ok=True)
            with folder_lock(path):
                env, locked = open_environment(path, create=create, forked=self._inherited)
                try:
                    return _describe(env, path, locked=locked)
                except BaseException:
                    env.close()
                    raise
        except FileNotFoundError as error:
            raise Unavailable(f"There is no index at {path}.", hint=REBUILD_HINT) from error
        except (OSError, lmdb.Error) as error:
            raise translated(error, path) from error

    def release(self, path: str, shared: SharedEnvironment) -> None:
        """Leave; the last one closes. In a child, what the parent opened is passed over."""
        if shared.pid != os.getpid():
            return
        with self._lock:
            self._leave_abandoned()
            self._leave(path, shared)

    def abandon(self, path: str, shared: SharedEnvironment) -> None:
        """Leave, called by the collector: in any thread, also in one that is just in here."""
        if shared.pid != os.getpid():
            return
        self._abandoned.append((path, shared))
        if self._lock.acquire(blocking=False):
            try:
                self._leave_abandoned()
            finally:
                self._lock.release()

    def _leave_abandoned(self) -> None:
        while self._abandoned:
            self._leave(*self._abandoned.popleft())

    def _leave(self, path: str, shared: SharedEnvironment) -> None:
        users = self._open[path, shared.place][1] - 1
        if users:
            self._open[path, shared.place] = (shared, users)
            return
        del self._open[path, shared.place]
        shared.env.close()


def _present(path: str) -> tuple[int, int]:
    """Which file lies there now: one that took an open one's place is another index."""
    try:
        return place(path)
    except OSError:
        return 0, 0


def _describe(env: lmdb.Environment, path: str, *, locked: bool) -> SharedEnvironment:
    return SharedEnvironment(
        env=env,
        pid=os.getpid(),
        place=place(path),
        locked=locked,
        writable=not env.flags()["readonly"],
    )


ENVIRONMENTS = EnvironmentTable()
"""The process's one table."""
