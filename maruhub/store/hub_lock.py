"""Locks on files of a hub's folder, which the kernel lets go of when their process dies."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from maruhub.errors import Busy, Unavailable
from maruhub.store.blade import OUT_OF_DESCRIPTORS
from maruhub.store.copies import blade_error


class HubLock:
    """A process's share in a hub: held until it is closed, or nobody refers to it any more.

    Where the file can't be written there is none: whoever reads such a medium needs no share.

    Args:
        path: The file, made when it is not there.

    Raises:
        Busy: Another process has the hub alone.
        Unavailable: This process has no descriptors left.
    """

    _fd = -1

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = self._opened()
        try:
            self._take(fcntl.LOCK_SH)
        except Busy:
            self.close()
            raise

    def _opened(self) -> int:
        try:
            return _open(self._path)
        except OSError as error:
            if error.errno in OUT_OF_DESCRIPTORS:
                raise blade_error([error], "opening a hub") from error
            return -1

    def _take(self, kind: int) -> None:
        try:
            if self._fd >= 0:
                fcntl.flock(self._fd, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy(
                f"{self._path.parent} is in use by another process.",
                hint="Stop what uses the hub, then try again.",
            ) from None

    @property
    def is_held(self) -> bool:
        """Whether there is one."""
        return self._fd >= 0

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Without any other process; raises Busy if there is one, Unavailable where nothing can be written."""
        if self._fd < 0:
            raise Unavailable(f"{self._path.parent} cannot be written.", hint="Check its permissions.")
        try:
            self._take(fcntl.LOCK_EX)
            yield
        finally:
            # Also when it was refused: asking for the exclusive lock lost the shared one.
            fcntl.flock(self._fd, fcntl.LOCK_SH)

    def after_fork(self) -> None:
        """In the child: one of its own, since the inherited one is the parent's to change."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = self._opened()
        if self._fd >= 0:
            fcntl.flock(self._fd, fcntl.LOCK_SH)

    def close(self) -> None:
        """Lets go of it. Idempotent."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def __del__(self) -> None:
        self.close()


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds a file against other processes and threads; waits for it."""
    fd = _open(path)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        # Explicitly: a child forked meanwhile holds a copy that would keep the lock.
        fcntl.flock(fd, fcntl.LOCK_UN)
        os.close(fd)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
