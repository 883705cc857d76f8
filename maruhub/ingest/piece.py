"""A piece of an open local file, read at its place: safe from many threads."""

from __future__ import annotations

import os

from maruhub.ingest.reason import EntryRefused, Reason


class FilePiece:
    """``size`` bytes at ``offset`` of a file.

    Args:
        fd: The file; it stays open as long as this.
        offset: Where the piece begins.
        size: Its bytes.
        mtime_ns: The time of what lies there.
        owner: Kept alive as long as this: whoever closes the file.
    """

    def __init__(
        self, fd: int, offset: int, size: int, *, mtime_ns: int | None, owner: object = None
    ) -> None:
        self._fd = fd
        self._offset = offset
        self._left = size
        self._owner = owner
        self.mtime_ns = mtime_ns

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes; raises EntryRefused if the file ends before the piece does."""
        want = self._left if size < 0 else min(size, self._left)
        parts = []
        while want:
            try:
                data = os.pread(self._fd, want, self._offset)
            except OSError as error:
                raise EntryRefused(Reason.UNREADABLE, f"it can't be read: {error.strerror}") from error
            if not data:
                raise EntryRefused(Reason.TRUNCATED, "the archive ends inside it")
            parts.append(data)
            want -= len(data)
            self._offset += len(data)
            self._left -= len(data)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def close(self) -> None:
        """Lets go of the file's owner."""
        self._owner = None
