"""Mapped files: read-only windows on segments, kept open and grown as the logs grow.

Nobody touches a mapped page before it was populated (MADV_POPULATE_READ, Linux 5.14): an
unreadable page is then an error number instead of a dead process.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import resource
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from maruhub.errors import Unavailable
from maruhub.store.blade import OUT_OF_DESCRIPTORS, BladeFile
from maruhub.store.read.layouts import FileKey

_POPULATE_READ: Final = 22
_PAGE_MASK: Final = ~(mmap.PAGESIZE - 1)
_FILES_OPEN_MAX: Final = 4096

_PIDFD_SELF: Final = -10001
_RANGES_A_CALL: Final = 1024

_libc = ctypes.CDLL(None, use_errno=True)
_libc.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
_process_madvise = getattr(_libc, "process_madvise", None)
if _process_madvise is not None:
    _process_madvise.argtypes = (
        ctypes.c_int,
        ctypes.c_void_p,
        ctypes.c_size_t,
        ctypes.c_int,
        ctypes.c_uint,
    )
    _process_madvise.restype = ctypes.c_ssize_t


class Window(NamedTuple):
    """One mapping: its object, its bytes, and where they begin in this process's memory.

    Of ``view`` only what was populated may be touched; it keeps the mapping.
    """

    map: mmap.mmap
    view: memoryview
    address: int


class MappedFile:
    """One file of a blade: its descriptor, and a mapping of what it held when last looked at.

    Where the blade has no mapping ``window`` is None, and views are of bytes read for them.
    """

    __slots__ = ("file", "size", "window")

    def __init__(self, file: BladeFile) -> None:
        self.file = file
        self.window: Window | None = None
        self.grow()

    def grow(self) -> None:
        """Maps the file anew; views of the old mapping live on."""
        mapped = self.file.map()
        if mapped is None:
            self.size = self.file.size()
            return
        view = memoryview(mapped)
        # At once, and before the size: other threads take it whole, or the one before.
        self.window = Window(mapped, view, _address_of(view))
        self.size = len(view)

    def release(self) -> None:
        """Takes the mapped pages out of this process's page table, where no view holds them."""
        if self.window is not None:
            self.window.map.madvise(mmap.MADV_DONTNEED)

    @property
    def descriptor(self) -> int:
        """The file's descriptor, for advice to the kernel; −1 where there is none."""
        fileno = getattr(self.file, "fileno", None)
        return fileno() if fileno else -1

    def is_removed(self) -> bool:
        """Whether the file was unlinked (False where that can't be asked)."""
        try:
            return self.descriptor >= 0 and not os.fstat(self.descriptor).st_nlink
        except OSError:
            return False

    def is_resident(self, offset: int) -> bool:
        """Whether the page at ``offset`` is in memory now (False where that can't be asked)."""
        try:
            return os.preadv(self.descriptor, [bytearray(1)], offset, os.RWF_NOWAIT) == 1
        except OSError:
            return False

    def read_resident(self, start: int, length: int, buffer: bytearray | None = None) -> bytearray | None:
        """A copy of bytes that are in memory now; None if some are not, or it can't be asked.

        It is made in ``buffer``, where that has just this length.
        Strips to decode from are had faster so than as views: what is coded next is in the
        processor's cache then.
        """
        if buffer is None or len(buffer) != length:
            buffer = bytearray(length)
        try:
            done = os.preadv(self.descriptor, [buffer], start, os.RWF_NOWAIT)
        except OSError:
            return None
        return buffer if done == length else None

    def view(self, start: int, end: int) -> memoryview:
        """A populated, read-only view of ``[start, end)``, which must lie below ``size``.

        Holds the interpreter while it populates: for pages that are in memory.
        """
        window = self.window
        if window is None:
            return self._read(start, end)
        first = start & _PAGE_MASK
        window.map.madvise(_POPULATE_READ, first, end - first)
        return window.view[start:end]

    def view_cold(self, start: int, end: int) -> memoryview:
        """Like :meth:`view`; other threads run while the drive is read."""
        window = self.window
        if window is None:
            return self._read(start, end)
        first = start & _PAGE_MASK
        if _libc.madvise(window.address + first, end - first, _POPULATE_READ):
            raise self._unreadable(ctypes.get_errno(), end)
        return window.view[start:end]

    def _unreadable(self, number: int, end: int) -> OSError:
        """The kernel's one word (EFAULT) for a page that its drive or its file doesn't give, as a read would say it."""
        if number == errno.EFAULT:
            number = errno.ENODATA if self.file.size() < end else errno.EIO
        return OSError(number, os.strerror(number))

    def _read(self, start: int, end: int) -> memoryview:
        buffer = memoryview(bytearray(end - start))
        if self.file.read_into(start, buffer) < len(buffer):
            raise OSError(errno.ENODATA, "the file is shorter than it was")
        return buffer.toreadonly()


def populate_many(starts: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]) -> bool:
    """Populates ranges of this process's mapped memory; other threads run meanwhile.

    One system call for a thousand (process_madvise on oneself, Linux 6.15), at less than
    half the cost of one each. False: not all was done, or the kernel can't; asking
    for each range tells which.

    Args:
        starts: Addresses, ``int64[n]``.
        lengths: Bytes of each, ``int64[n]``.
    """
    if _process_madvise is None:
        return False
    ranges = np.empty((len(starts), 2), np.int64)
    np.bitwise_and(starts, _PAGE_MASK, out=ranges[:, 0])
    np.subtract(starts + lengths, ranges[:, 0], out=ranges[:, 1])
    for at in range(0, len(ranges), _RANGES_A_CALL):
        part = ranges[at : at + _RANGES_A_CALL]
        done = _process_madvise(_PIDFD_SELF, part.ctypes.data, len(part), _POPULATE_READ, 0)
        if done != int(part[:, 1].sum()):
            return False
    return True


def _address_of(view: memoryview) -> int:
    return int(np.frombuffer(view, np.uint8).ctypes.data) if len(view) else 0


class MappedFiles:
    """Open files of a process by key, opened when first asked for, the oldest let go of."""

    def __init__(self, open_file: Callable[[FileKey], BladeFile]) -> None:
        self._open_file = open_file
        # A mapped file takes two descriptors; the rest of the process needs some too.
        self._files_max = max(16, min(_FILES_OPEN_MAX, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 4))
        self._files: OrderedDict[FileKey, MappedFile] = OrderedDict()
        self._closed = False
        self._lock = threading.Lock()

    def get(self, key: FileKey, end: int) -> MappedFile:
        """The file, mapped at least up to ``end``; raises OSError if it can't be had.

        Unavailable once they are closed.
        """
        mapped = self._files.get(key)
        if mapped is None:
            mapped = self._admit(key)
        if mapped.size < end:
            with self._lock:
                if mapped.size < end:
                    mapped.grow()
            if mapped.size < end:
                raise OSError(errno.ENODATA, "the file is shorter than its layout says")
        return mapped

    def read_resident(
        self, key: FileKey, start: int, length: int, buffer: bytearray | None = None
    ) -> bytearray | None:
        """Bytes of a file that is open, if all are in memory: they need not be waited for."""
        mapped = self._files.get(key)
        return None if mapped is None else mapped.read_resident(start, length, buffer)

    def _admit(self, key: FileKey) -> MappedFile:
        """Opens a file, without the lock: a drive that stalls would hold up all others."""
        self._require_open()
        try:
            mapped = MappedFile(self._open_file(key))
        except OSError as error:
            if error.errno not in OUT_OF_DESCRIPTORS or not self._files:
                raise
            with self._lock:
                self._let_go(len(self._files) // 2 + 1)
            mapped = MappedFile(self._open_file(key))
        with self._lock:
            self._require_open()
            mapped = self._files.setdefault(key, mapped)
            self._let_go(len(self._files) - self._files_max)
        return mapped

    def _require_open(self) -> None:
        if self._closed:
            raise Unavailable("This hub is closed.", hint="Open it again.")

    def _let_go(self, count: int) -> None:
        for _ in range(count):
            self._files.popitem(last=False)

    def drop_removed(self) -> list[FileKey]:
        """Forgets files that have no name any more: kept open they would keep their room on the drive."""
        with self._lock:
            removed = [key for key, mapped in self._files.items() if mapped.is_removed()]
            for key in removed:
                del self._files[key]
        return removed

    def drop(self, key: FileKey) -> None:
        """Forgets a file that failed, so that the next read opens it anew."""
        with self._lock:
            self._files.pop(key, None)

    def close(self) -> None:
        """Forgets all, for good; views that are held elsewhere live on."""
        with self._lock:
            self._closed = True
            self._files.clear()
