"""A blade in memory that does what real drives do at their worst; deterministic, without root.

A :class:`FaultyBlade` is one process's door to a platter; every call goes through that
process's :class:`Calls`, which may refuse it, stall it or end the process there. There is
no map: readers read.
"""

from __future__ import annotations

import errno
import mmap
import os
from collections.abc import Sequence

from maruhub.store.blade import Buffer
from maruhub.testing.calls import MISDIRECTED, Calls, Silent
from maruhub.testing.platter import Inode, Platter

BLOCK = 4096


class FaultyFile:
    """``BladeFile`` on a platter."""

    def __init__(self, blade: FaultyBlade, inode: Inode) -> None:
        self._blade = blade
        self._inode = inode
        self._open = True
        self._visit = blade.platter.visits

    def _enter(self, kind: str) -> bool:
        assert self._open, "a closed file is used"
        dies = self._blade.calls.enter(kind, self._blade.platter.number)
        if self._visit != self._blade.platter.visits:
            raise OSError(errno.EIO, os.strerror(errno.EIO), repr(self._blade))
        return dies

    def write(self, offset: int, buffers: Sequence[Buffer]) -> None:
        try:
            dies = self._enter("write")
        except Silent as fault:
            self._write_wrongly(fault.kind, offset, b"".join(buffers))
            return
        platter = self._blade.platter
        if platter.read_only:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        data = b"".join(buffers)
        lacking = platter.lacking(offset + len(data) - len(self._inode.data))
        if lacking:
            self._inode.write(offset, data[: max(0, len(data) - lacking)])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._inode.write(offset, data[: len(data) // 2] if dies else data)
        self._blade.calls.die_if(dies)

    def _write_wrongly(self, kind: int, offset: int, data: bytes) -> None:
        """The drive says that it has written."""
        target = (offset // BLOCK + 1) * BLOCK if kind == MISDIRECTED else offset
        if kind == MISDIRECTED:
            self._inode.write(target, data)
        elif offset + len(data) > len(self._inode.data):
            # Forgotten by the medium, not by the file system: the size is there.
            self._inode.write(offset + len(data) - 1, b"\0")

    def read_into(self, offset: int, buffer: memoryview) -> int:
        try:
            self._blade.calls.die_if(self._enter("read"))
        except Silent:
            buffer = buffer[: len(buffer) // 2]
        data = self._inode.data[offset : offset + len(buffer)]
        buffer[: len(data)] = data
        return len(data)

    def size(self) -> int:
        self._blade.calls.die_if(self._enter("size"))
        return len(self._inode.data)

    def sync(self) -> None:
        self._blade.calls.die_if(self._enter("sync"))
        self._inode.sync()

    def lock(self) -> bool:
        assert self._open
        if self._inode.owner not in (None, self):
            return False
        self._inode.owner = self
        if self._visit != self._blade.platter.visits:
            return False
        return any(inode is self._inode for inode in self._blade.platter.files.values())

    def map(self) -> mmap.mmap | None:
        return None

    def close(self) -> None:
        self._open = False
        if self._inode.owner is self:
            self._inode.owner = None


class FaultyBlade:
    """``Blade`` on a platter, through the calls of one process."""

    def __init__(self, platter: Platter, calls: Calls) -> None:
        self.platter = platter
        self.calls = calls
        self.opened: list[FaultyFile] = []

    @property
    def blade_id(self) -> bytes:
        return self.platter.blade_id

    def _enter(self, kind: str) -> bool:
        dies = self.calls.enter(kind, self.platter.number)
        if self.platter.gone:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV), repr(self))
        return dies

    def open(self, name: str, *, create: bool = False, write: bool = False) -> FaultyFile:
        dies = self._enter("create" if create else "open")
        if (create or write) and self.platter.read_only:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        if create:
            if name in self.platter.files:
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), name)
            self.platter.files[name] = Inode()
            self.platter.changed()
        elif name not in self.platter.files:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
        self.calls.die_if(dies)
        file = FaultyFile(self, self.platter.files[name])
        self.opened.append(file)
        return file

    def remove(self, name: str) -> None:
        dies = self._enter("remove")
        if name not in self.platter.files:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
        del self.platter.files[name]
        self.platter.changed()
        self.calls.die_if(dies)

    def names(self) -> list[str]:
        self.calls.die_if(self._enter("names"))
        return list(self.platter.files)

    def sync_names(self) -> None:
        self.calls.die_if(self._enter("sync_names"))
        self.platter.stable_files = dict(self.platter.files)

    def names_stamp(self) -> int:
        self.calls.die_if(self._enter("stamp"))
        return self.platter.stamp

    def free_bytes(self) -> int:
        self.calls.die_if(self._enter("free"))
        if not self.platter.capacity:
            return 1 << 40
        return max(0, self.platter.capacity - self.platter.used())

    def __repr__(self) -> str:
        return f"blade {self.platter.number}"
