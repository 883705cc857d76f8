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
from maruhub.testing.calls import Calls
from maruhub.testing.platter import Inode, Platter


class FaultyFile:
    """``BladeFile`` on a platter."""

    def __init__(self, blade: FaultyBlade, inode: Inode) -> None:
        self._blade = blade
        self._inode = inode
        self._open = True

    def _enter(self, kind: str) -> bool:
        assert self._open, "a closed file is used"
        return self._blade.calls.enter(kind, self._blade.platter.number)

    def write(self, offset: int, buffers: Sequence[Buffer]) -> None:
        dies = self._enter("write")
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

    def read_into(self, offset: int, buffer: memoryview) -> int:
        self._blade.calls.die_if(self._enter("read"))
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

    def open(self, name: str, *, create: bool = False, write: bool = False) -> FaultyFile:
        dies = self.calls.enter("create" if create else "open", self.platter.number)
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
        dies = self.calls.enter("remove", self.platter.number)
        del self.platter.files[name]
        self.platter.changed()
        self.calls.die_if(dies)

    def names(self) -> list[str]:
        self.calls.die_if(self.calls.enter("names", self.platter.number))
        return list(self.platter.files)

    def sync_names(self) -> None:
        self.calls.die_if(self.calls.enter("sync_names", self.platter.number))
        self.platter.stable_files = dict(self.platter.files)

    def names_stamp(self) -> int:
        self.calls.die_if(self.calls.enter("stamp", self.platter.number))
        return self.platter.stamp

    def free_bytes(self) -> int:
        self.calls.die_if(self.calls.enter("free", self.platter.number))
        if not self.platter.capacity:
            return 1 << 40
        return max(0, self.platter.capacity - self.platter.used())

    def __repr__(self) -> str:
        return f"blade {self.platter.number}"
