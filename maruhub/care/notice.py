"""The notice of the one keeper at work: that it is, and how far, for whoever asks for a status.

A lock that the kernel frees says that it lives; what stands in the file is only for people.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from maruhub.errors import Busy, ReadOnly

_EVERY_S: Final = 0.5
_BYTES_MAX: Final = 4096
_TRIES: Final = 20
_TRY_AGAIN_S: Final = 0.005


@dataclass(frozen=True, slots=True)
class Notice:
    """What the keeper at work says.

    ``doing``: the kind of work, a word; ``left_s``: seconds to the end of what it knows of,
    None where it can't tell yet.
    """

    pid: int
    doing: str
    done_bytes: int
    total_bytes: int
    left_s: float | None
    written_s: float


class NoticeBoard:
    """The file of notices of a hub."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = -1
        self._last_s = 0.0

    @contextmanager
    def held(self) -> Iterator[None]:
        """While this process keeps the pool; raises Busy if another does."""
        try:
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        except OSError as error:
            raise ReadOnly(f"{self._path}: {error.strerror}.", hint="Check its permissions.") from error
        if not _take(fd):
            os.close(fd)
            raise Busy("This hub is being taken care of already.", hint="See `maru status`.")
        self._fd = fd
        try:
            yield
        finally:
            self._let_go()

    def _let_go(self) -> None:
        fd, self._fd = self._fd, -1
        if fd < 0:
            return
        with contextlib.suppress(OSError):
            os.ftruncate(fd, 0)
        # A child forked just now shares the descriptor: closing ours would not free it.
        fcntl.flock(fd, fcntl.LOCK_UN)
        os.close(fd)

    def after_fork(self) -> None:
        """In the child: its copy would keep the lock when the parent is killed."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def post(self, doing: str, done_bytes: int, total_bytes: int, left_s: float | None) -> None:
        """Says how far the work is; at most twice a second, and never fails."""
        now = time.monotonic()
        if self._fd < 0 or now - self._last_s < _EVERY_S:
            return
        self._last_s = now
        fields = (os.getpid(), doing, done_bytes, total_bytes, left_s, time.time())
        text = json.dumps(dict(zip(Notice.__slots__, fields, strict=True))).encode()
        with contextlib.suppress(OSError):
            os.pwrite(self._fd, text.ljust(_BYTES_MAX), 0)

    def read(self) -> Notice | None:
        """What the keeper at work says; None if nobody keeps the pool now."""
        try:
            fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _parsed(os.pread(fd, _BYTES_MAX, 0))
        else:
            fcntl.flock(fd, fcntl.LOCK_UN)
            return None
        finally:
            os.close(fd)


def _take(fd: int) -> bool:
    """Locks the file. Whoever reads it holds it for microseconds: that is no keeper, so ask again."""
    for _ in range(_TRIES):
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(_TRY_AGAIN_S)
    return False


def _parsed(text: bytes) -> Notice:
    """A notice; one that says nothing where it is being written just now."""
    try:
        fields: dict[str, Any] = json.loads(text)
        return Notice(**fields)
    except (ValueError, TypeError):
        return Notice(0, "", 0, 0, None, 0.0)
