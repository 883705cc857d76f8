"""Who may use the drives now: one rule for all processes of a pool.

Foreground work (reads, single puts) never waits. Bulk work (ingest) and background work
(sealing, repair, scrub) take their pauses after each piece, as long as they see others at
work: bulk a third of the time, background half of it. So a trainer keeps most of its speed
and a repair still goes on, whoever else is there.

The table is a file beside the index that every process maps. Each writes its own slot only
and reads all of them; the kernel's lock on a slot says that its process lives.
"""

from __future__ import annotations

import contextlib
import enum
import fcntl
import mmap
import os
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_SLOTS: Final = 128
_SLOT: Final = struct.Struct("<QQQ")
_FIELD: Final = struct.Struct("<Q")
_SLOT_BYTES: Final = 64
_RECENT_US: Final = 200_000
"""Whoever worked so short a time ago is taken to be at work."""
_PAUSE_MAX_S: Final = 1.0
_LOCK: Final = struct.Struct("hhqqi4x")
_LEFT: Final = (TypeError, ValueError)
"""What a table says that another thread has just closed."""


class Work(enum.IntEnum):
    """Kinds of work, the most urgent first; the number is the field in a slot."""

    FOREGROUND = 0
    BULK = 1
    BACKGROUND = 2


_PAUSES: Final = {
    Work.FOREGROUND: (0.0, 0.0),
    Work.BULK: (0.5, 0.0),
    Work.BACKGROUND: (1.0, 0.5),
}
"""Pause as a multiple of the time just worked: while foreground is at work; while only bulk is."""


class Admission:
    """This process's place in the table. Safe from many threads.

    Args:
        path: The table's file, made when it is not there.
        clock: Microseconds that all processes of this machine share.
        sleep: Waits for seconds.
    """

    _fd = -1
    _table: mmap.mmap | None = None

    def __init__(
        self,
        path: Path,
        *,
        clock: Callable[[], int] = lambda: time.monotonic_ns() // 1000,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._slot = -1
        # Without a table nobody is slowed down, and nothing is wrong: it is about speed alone.
        with contextlib.suppress(OSError):
            self._open(path)

    def _open(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        # Blocks are taken now: a page without one would kill the process on a full drive.
        os.posix_fallocate(self._fd, 0, _SLOTS * _SLOT_BYTES)
        self._table = mmap.mmap(self._fd, _SLOTS * _SLOT_BYTES)
        self._slot = next((slot for slot in range(_SLOTS) if self._take(slot)), -1)
        if self._slot >= 0:
            _SLOT.pack_into(self._table, self._slot * _SLOT_BYTES, 0, 0, 0)

    def _take(self, slot: int) -> bool:
        """Locks a slot, for as long as this process keeps the file open."""
        wanted = _LOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, slot * _SLOT_BYTES, 1, 0)
        try:
            fcntl.fcntl(self._fd, fcntl.F_OFD_SETLK, wanted)
        except OSError:
            return False
        return True

    def note(self, work: Work) -> None:
        """Says that work of this kind is being done; costs less than a microsecond."""
        table = self._table
        if table is not None and self._slot >= 0:
            try:
                _FIELD.pack_into(table, self._slot * _SLOT_BYTES + 8 * work, self._clock())
            except _LEFT:
                return

    @contextmanager
    def piece(self, work: Work) -> Iterator[None]:
        """One piece of work, some milliseconds to a second of it; pauses behind it if need be."""
        breathe = self.begin(work)
        try:
            yield
        finally:
            breathe()

    def begin(self, work: Work) -> Callable[[], None]:
        """Begins work that is long: what comes back is called after each piece of it, and pauses."""
        start = self._clock()
        self.note(work)

        def breathe() -> None:
            nonlocal start
            self.note(work)
            pause = self.pause_after(work, (self._clock() - start) / 1e6)
            if pause:
                self._sleep(pause)
            start = self._clock()

        return breathe

    def pause_after(self, work: Work, worked_s: float) -> float:
        """Seconds to wait after so many seconds of work."""
        beside_foreground, beside_bulk = _PAUSES[work]
        if self._at_work(Work.FOREGROUND):
            return min(_PAUSE_MAX_S, beside_foreground * worked_s)
        if beside_bulk and self._at_work(Work.BULK):
            return min(_PAUSE_MAX_S, beside_bulk * worked_s)
        return 0.0

    def _at_work(self, work: Work) -> bool:
        table = self._table
        if table is None:
            return False
        since = self._clock() - _RECENT_US
        fields = (slot * _SLOT_BYTES + 8 * work for slot in range(_SLOTS))
        try:
            return any(_FIELD.unpack_from(table, at)[0] > since for at in fields)
        except _LEFT:
            return False

    def close(self) -> None:
        """Leaves the table."""
        table, self._table = self._table, None
        if table is not None:
            table.close()
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def __del__(self) -> None:
        self.close()
