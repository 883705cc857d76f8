"""Bytes of a local file, whole and of one moment, or a refusal that says why not.

A file that changes while it is read (its size or time before and after differ) is read
once more, then refused: a mixture of two states is never stored.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import Final

from maruhub.ingest.entry import Content
from maruhub.ingest.reason import EntryRefused, Reason

# NONBLOCK: a pipe put in the file's place must not hang the open.
_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_VANISHED: Final = (errno.ENOENT, errno.ENOTDIR, errno.ESTALE)


def refused_by_system(error: OSError) -> EntryRefused:
    """The operating system's answer about a file, as a refusal."""
    if error.errno in _VANISHED:
        return EntryRefused(Reason.VANISHED, "it is gone since it was listed")
    if error.errno == errno.ELOOP:
        return EntryRefused(Reason.CHANGED, "it became a link since it was listed")
    return EntryRefused(Reason.UNREADABLE, f"it can't be read: {error.strerror or error}")


def read_file(path: str, size_max: int) -> Content:
    """A file of at most ``size_max`` bytes. Raises EntryRefused."""
    try:
        content = _read_once(path, size_max) or _read_once(path, size_max)
    except OSError as error:
        raise refused_by_system(error) from error
    if content is None:
        raise EntryRefused(Reason.CHANGED, "it changed while it was read, twice; run again when it rests")
    return content


def _read_once(path: str, size_max: int) -> Content | None:
    fd = os.open(path, _FLAGS)
    try:
        before = os.fstat(fd)
        if not stat.S_ISREG(before.st_mode):
            raise EntryRefused(Reason.SPECIAL, "it is no regular file any more")
        if before.st_size > size_max:
            return None
        data = _read_all(fd, before.st_size)
        after = os.fstat(fd)
    finally:
        os.close(fd)
    if len(data) != before.st_size or before.st_mtime_ns != after.st_mtime_ns:
        return None
    return Content(data, before.st_mtime_ns)


def _read_all(fd: int, size: int) -> bytes:
    # One byte more than it has: a short answer is then the end, without another call.
    data = os.read(fd, size + 1)
    if len(data) >= size:
        return data
    parts = [data]
    while data and sum(map(len, parts)) <= size:
        data = os.read(fd, size + 1)
        parts.append(data)
    return b"".join(parts)


class FileStream:
    """A large file in pieces; its end is only shown if the file stayed as it was."""

    def __init__(self, path: str) -> None:
        try:
            self._fd = os.open(path, _FLAGS)
        except OSError as error:
            raise refused_by_system(error) from error
        before = os.fstat(self._fd)
        if not stat.S_ISREG(before.st_mode):
            os.close(self._fd)
            raise EntryRefused(Reason.SPECIAL, "it is no regular file any more")
        self.mtime_ns: int | None = before.st_mtime_ns
        self._size = before.st_size
        self._done = 0

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes; raises EntryRefused at the end if the file changed meanwhile."""
        want = self._size - self._done if size < 0 else size
        try:
            data = os.read(self._fd, max(want, 1)) if want else b""
        except OSError as error:
            raise refused_by_system(error) from error
        self._done += len(data)
        if (not data and want) or self._done >= self._size:
            self._check()
        return data

    def _check(self) -> None:
        after = os.fstat(self._fd)
        if self._done != self._size or (after.st_size, after.st_mtime_ns) != (self._size, self.mtime_ns):
            raise EntryRefused(Reason.CHANGED, "it changed while it was read; run again when it rests")

    def close(self) -> None:
        """Closes the file."""
        os.close(self._fd)
