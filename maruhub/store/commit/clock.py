"""This machine's clocks, and the counter that its running processes share."""

from __future__ import annotations

import functools
import mmap
import os
import struct
import time
from pathlib import Path
from typing import Final

from maruhub.store.commit.holds import Holds
from maruhub.store.commit.unborn import Unborn
from maruhub.store.copies import blade_error
from maruhub.store.format.state import Moment

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_MARK: Final = struct.Struct("<16sQ")
_UNKNOWN_BOOT: Final = bytes(16)
_LEAP: Final = 1 << 32
"""More than the turns of one boot ever draw without an acknowledgement. A blade that is
missing now may hold such a turn, or a log one that recovery left out; counters drawn since
pass it over instead of meeting it."""


@functools.cache
def _boot_id() -> bytes:
    try:
        return bytes.fromhex(_BOOT_ID.read_text().strip().replace("-", ""))
    except (OSError, ValueError):
        return _UNKNOWN_BOOT


def read_moment() -> Moment:
    """Now. Where the system names no boot, the boot id is zeros, equal to none."""
    boot_id = _boot_id()
    boot_clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return Moment(boot_id, time.clock_gettime_ns(boot_clock) // 1000, time.time_ns() // 1000)


class CounterMark:
    """The highest counter that a process of this boot has drawn, even one that died since.

    A page of memory shared through a file, not durable and not meant to be: after a reboot
    the log says what was drawn. ``unborn`` and ``holds`` are of the same kind. Only used inside the index's write transaction.
    ``pool_is_new``: no log was ever written, none is there and no blade is missing.
    """

    pool_is_new = False

    def __init__(self, path: Path) -> None:
        self._boot_id = read_moment().boot_id
        self.unborn = Unborn(path.with_name("unborn"))
        self.holds = Holds(path.with_name("holds"))
        self.acts_folder = path.with_name("acts")
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        except OSError as error:
            raise blade_error([error], f"opening {path}") from error
        try:
            # Its block is taken now: a page without one would kill the process on a full drive.
            os.posix_fallocate(fd, 0, mmap.PAGESIZE)
            self._page = mmap.mmap(fd, mmap.PAGESIZE)
        except OSError as error:
            raise blade_error([error], f"writing {path}") from error
        finally:
            os.close(fd)

    def draw(self, known: int, count: int) -> int:
        """Reserves ``count`` counters above ``known`` and all drawn; returns the one before."""
        boot_id: bytes
        drawn: int
        boot_id, drawn = _MARK.unpack_from(self._page)
        if boot_id == self._boot_id and drawn:
            base = max(known, drawn)
        else:
            base = 0 if self.pool_is_new and not known else known + _LEAP
        _MARK.pack_into(self._page, 0, self._boot_id, base + count)
        return base

    def close(self) -> None:
        """Unmaps the page."""
        self._page.close()
