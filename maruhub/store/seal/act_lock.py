"""One act at a time on a segment, over all processes; a dead one's lock is nobody's."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from maruhub.store.copies import blade_error

_LOOK_SECONDS: Final = 0.01


class ActLocks:
    """Locks in one folder, which is made with the first of them; a file each, gone with its act."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextlib.contextmanager
    def held(self, segment: int) -> Iterator[bool]:
        """Holds the segment, or yields False if another act does; never waits."""
        path = self._folder / f"{segment:016x}"
        try:
            self._folder.mkdir(exist_ok=True)
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        except OSError as error:
            raise blade_error([error], "locking a segment") from error
        try:
            mine = _take(fd)
            yield mine
            if mine:
                with contextlib.suppress(OSError):
                    path.unlink()
        finally:
            if mine:
                # A child forked meanwhile shares the descriptor: closing ours would not free it.
                fcntl.flock(fd, fcntl.LOCK_UN)
            os.close(fd)

    def await_free(self, segment: int, seconds: float) -> bool:
        """Waits until no act is at the segment, so long at most; whether none is."""
        end = time.monotonic() + seconds
        while True:
            with self.held(segment) as free:
                pass
            if free or time.monotonic() >= end:
                return free
            time.sleep(_LOOK_SECONDS)


def _take(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    # Whoever held it before has unlinked it: another may hold a new file of this name by now.
    return os.fstat(fd).st_nlink > 0
