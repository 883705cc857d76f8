"""Files of the file system: read at any place, written whole.

A reader keeps to the version that it was opened on, whatever is written meanwhile. What is
written waits in memory, then in a temporary file, and becomes an object at ``close``, or at the
end of a transaction; a ``with`` block that raises leaves nothing behind.
"""

from __future__ import annotations

import errno
import tempfile
from collections import defaultdict
from types import TracebackType
from typing import Any, Final

from fsspec.spec import AbstractBufferedFile
from fsspec.transaction import Transaction

from maruhub.adapters.filesystem.os_error import speaks_os
from maruhub.errors import NotFound
from maruhub.namespace import PutItem

BLOCK_BYTES: Final = 1 << 20
"""What is read at once: an extent, whose sum is checked as a whole anyway."""
_MEMORY_BYTES: Final = 16 << 20
"""What a written file keeps in memory."""
_TOGETHER_BYTES: Final = 48 << 20
"""Files of one commit at most; a hub elsewhere takes 60 MiB at once."""


class MaruReader(AbstractBufferedFile):
    """An object open for reading; its version does not change under it."""

    def __init__(self, fs: Any, path: str, bucket: Any, item: Any, block_size: int | None = None) -> None:
        self._bucket = bucket
        self._item = item
        super().__init__(fs, path, "rb", block_size or BLOCK_BYTES, size=item.size)

    def _fetch_range(self, start: int, end: int) -> bytes:
        return b"".join(self._bucket.pieces(self._item, offset=start, length=max(end - start, 0)))


class MaruWriter(AbstractBufferedFile):
    """A file being written. ``commit`` makes the object, ``discard`` forgets it."""

    def __init__(self, fs: Any, path: str, bucket: Any, key: str, *, mode: str, autocommit: bool) -> None:
        self.bucket = bucket
        self.key = key
        self.conditions: dict[str, Any] = {"if_none_match": True} if mode == "xb" else {}
        self._spool = tempfile.SpooledTemporaryFile(max_size=_MEMORY_BYTES)  # noqa: SIM115 - closed by commit
        super().__init__(fs, path, mode, BLOCK_BYTES, autocommit=autocommit)
        if mode == "ab":
            self._begin_with_present()
        elif mode == "xb" and key in bucket:
            self.closed = True
            self.discard()
            raise FileExistsError(errno.EEXIST, f"{path} exists.")

    def _begin_with_present(self) -> None:
        """What is there goes before what comes; a change by others meanwhile fails the commit."""
        try:
            item = self.bucket.stat(self.key)
        except NotFound:
            self.conditions = {"if_none_match": True}
            return
        self.conditions = {"if_match": item.etag}
        for piece in self.bucket.pieces(item):
            self._spool.write(piece)
        self.loc = item.size

    @property
    def size_bytes(self) -> int:
        """Bytes written so far and flushed."""
        return self._spool.tell()

    def data(self) -> bytes:
        """All bytes, once it is closed."""
        self._spool.seek(0)
        return self._spool.read()

    def _upload_chunk(self, final: bool = False) -> bool:
        self._spool.write(self.buffer.getbuffer())
        if final and self.autocommit:
            self.commit()
        return True

    @speaks_os
    def commit(self) -> None:
        """Stores the object durably; raises PreconditionFailed as FileExistsError."""
        try:
            self._spool.seek(0)
            self.bucket.put(self.key, self._spool, **self.conditions)
        finally:
            self._spool.close()

    def discard(self) -> None:
        """Forgets what was written."""
        self._spool.close()

    def seekable(self) -> bool:
        """Never: what was written is behind."""
        return False

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            # Half a file under its whole name is worse than none.
            self.closed = True
            self.discard()
        self.close()


class MaruTransaction(Transaction):
    """Files that appear together at the end: what fits in memory in one commit a bucket.

    Those that depend on what is there (appended to, made only if new) and large ones go before
    them, one by one, so that a failed condition leaves the others unwritten.
    """

    @speaks_os
    def complete(self, commit: bool = True) -> None:
        """Commits all files, or discards them."""
        if commit:
            self._commit_together()
        super().complete(commit)

    def _commit_together(self) -> None:
        small: dict[str, list[MaruWriter]] = defaultdict(list)
        alone: list[MaruWriter] = []
        waiting = list(self.files)
        if any(not file.closed for file in waiting):
            self.complete(commit=False)
            raise OSError(errno.EBUSY, "a file of the transaction is still open: nothing was written.")
        room = _TOGETHER_BYTES
        for file in waiting:
            room -= file.size_bytes
            (alone if file.conditions or room < 0 else small[file.bucket.name]).append(file)
        try:
            for file in alone:
                file.commit()
                self.files.remove(file)
            for files in small.values():
                last = {file.key: file for file in files}
                files[0].bucket.put_items([PutItem(key, file.data()) for key, file in last.items()])
                for file in files:
                    file.discard()
                    self.files.remove(file)
        except BaseException:
            self.complete(commit=False)
            raise
