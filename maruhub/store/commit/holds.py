"""Which segments hold bytes that a living process has appended and not named yet.

A hold is a file beside the index that its process keeps locked: the kernel lets go of it
when the process dies. While one stands, nothing may be left out of that segment. Only who
has a segment's log open makes one, so once the log is closed holds can only disappear.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from pathlib import Path


class Holds:
    """The holds in one folder, which is made with the first of them; this process's own among them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._own: dict[int, tuple[Path, int]] = {}

    def add(self, segment: int) -> None:
        """Before the first append to a segment; raises OSError if it can't be."""
        self._folder.mkdir(exist_ok=True)
        while segment not in self._own:
            path = self._folder / f"{segment:016x}.{secrets.token_hex(8)}"
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
            fcntl.flock(fd, fcntl.LOCK_EX)
            if os.fstat(fd).st_nlink:
                self._own[segment] = (path, fd)
            else:
                # Somebody looked before it was locked, and took it for a dead one's.
                os.close(fd)

    def remove(self, segment: int) -> None:
        """Once all bytes of this process in the segment are named, or never will be."""
        path, fd = self._own.pop(segment, (None, -1))
        if path is not None:
            with contextlib.suppress(OSError):
                path.unlink()
            os.close(fd)

    def disown(self) -> None:
        """Closes them: in a forked child, where the parent's are the parent's, or if nobody refers to them."""
        for _, fd in self._own.values():
            os.close(fd)
        self._own = {}

    def __del__(self) -> None:
        self.disown()

    def is_held(self, segment: int) -> bool:
        """Whether any living process, this one included, holds the segment."""
        return any(_is_locked(path) for path in self._folder.glob(f"{segment:016x}.*"))


def _is_locked(path: Path) -> bool:
    """Whether its process lives; the file of a dead one is removed."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        path.unlink(missing_ok=True)
        return False
    finally:
        os.close(fd)
