"""The files of one act: made, written window by window with parity and sums, synced.

Nothing here knows what the bytes are. Files are new and locked until the act is over, so
that nobody takes them for strays; whatever fails, they are removed.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import itertools
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from typing import Final

from maruhub.store.blade import Blade
from maruhub.store.blades import Blades
from maruhub.store.copies import Copies, Copy, blade_error
from maruhub.store.format.strip import (
    StripHeader,
    encode_strip_header,
    encode_trailer,
    trailer_bytes,
)
from maruhub.store.parity import code
from maruhub.store.seal.behind import Behind
from maruhub.store.seal.plan import Cut
from maruhub.store.seal.report import Decided
from maruhub.store.seal.sums import block_sums

WINDOW_BYTES: Final = 1 << 20
"""Of each strip in memory at once; a multiple of the blocks under one sum."""
SYNC_SECONDS: Final = 120.0
"""A blade's time for syncing a strip; after it the act is given up."""
_ROOM_BESIDE: Final = 32 << 10
"""Asked of each blade beside a strip: for sums and the file system's own. A full pool has little more."""
_WINDOWS_AHEAD: Final = 1
_WRITE_OUT: Final = 2
"""``SYNC_FILE_RANGE_WRITE`` of sync_file_range(2): begins to write and doesn't wait."""

_sync_file_range = getattr(ctypes.CDLL(None), "sync_file_range", None)
if _sync_file_range is not None:
    _sync_file_range.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)

Breathe = Callable[[], None]
"""Called on the way by work that takes long, so that it lets others go first."""
Fill = Callable[[int, Sequence[memoryview]], None]
MakeWay = Callable[[Blade, str], None]
"""Removes what a dead act left under a name, or raises OSError."""


def never_wait() -> None:
    """A ``Breathe`` where nobody else is."""


def rooms_for_strips(
    blades: Blades, header_bytes: int, *, avoid: Collection[bytes] = (), essential: bool = False
) -> dict[bytes, int]:
    """Bytes for strips on each blade in service; 0 on those that take nothing now.

    Args:
        blades: Of the pool.
        header_bytes: In front of each strip.
        avoid: Blades that get nothing.
        essential: For repair and compaction: blades' reserves count too.
    """
    leaving = blades.draining | blades.removed | set(avoid)
    staying = [blade.blade_id for blade in blades if blade.blade_id not in leaving]
    rooms = blades.rooms(essential=essential, avoid=avoid)
    return dict.fromkeys(staying, 0) | {
        blade: max(0, room - header_bytes - _ROOM_BESIDE) for blade, room in rooms.items()
    }


class StripFiles:
    """New files of one act, open and locked.

    Args:
        blades: Of the pool.
        places: Blade and name of each file, by number.
        make_way: Called where a name is taken.
        sync_seconds: A blade's time for one sync; after it the act is given up. None: ``SYNC_SECONDS``.

    Attributes:
        gone: Whether the act was given up, and nothing of them is left.
    """

    def __init__(
        self,
        blades: Blades,
        places: Sequence[tuple[bytes, str]],
        make_way: MakeWay,
        *,
        sync_seconds: float | None = None,
    ) -> None:
        self.places = tuple(places)
        self.copies: list[Copy] = []
        self.gone = False
        self._blades = blades
        self._make_way = make_way
        self._sync_seconds = SYNC_SECONDS if sync_seconds is None else sync_seconds

    @contextlib.contextmanager
    def made(self) -> Iterator[Decided]:
        """All of them, made for this block and closed behind it; if it fails they are removed.

        A turn that failed behind its decision may yet turn out to count: then they stay.
        """
        decided = Decided()
        try:
            self.create()
            yield decided
        except BaseException:
            self.gone = not decided.yes and self.remove()
            raise
        finally:
            self.close()

    def create(self) -> None:
        """Makes all files; raises if one can't be made."""
        try:
            for blade_id, name in self.places:
                self.copies.append(self._create(blade_id, name))
        except OSError as error:
            raise blade_error([error], "making a strip") from error

    def _create(self, blade_id: bytes, name: str) -> Copy:
        blade = self._blades.get(blade_id)
        if blade is None:
            raise OSError(errno.ENODEV, "the blade is missing")
        try:
            file = blade.open(name, create=True)
        except FileExistsError:
            self._make_way(blade, name)
            file = blade.open(name, create=True)
        copy = Copy(blade, file)
        if not file.lock():
            copy.close()
            raise OSError(errno.EBUSY, "a new strip was taken away")
        return copy

    def write(self, number: int, offset: int, data: memoryview | bytes) -> None:
        """Writes into one file; raises what the failure means."""
        try:
            self.copies[number].file.write(offset, [data])
        except OSError as error:
            raise blade_error([error], "writing a strip") from error

    def begin_sync(self, number: int, offset: int, length: int) -> None:
        """Lets the drive begin to write a range of one file, where the system can be told."""
        descriptor = getattr(self.copies[number].file, "fileno", None)
        if descriptor is not None and _sync_file_range is not None:
            # Whether it worked is of no matter: the sync at the end tells what failed.
            _sync_file_range(descriptor(), offset, length, _WRITE_OUT)

    def sync(self) -> None:
        """Makes the files and their names durable, all of them or it raises."""
        group = Copies(self.copies, sync_seconds=self._sync_seconds)
        group.sync()
        if not group.dropped:
            group.sync_names()
        if group.dropped:
            raise blade_error([error for _, error in group.dropped], "syncing a strip")

    def remove(self) -> bool:
        """Unlinks and closes what was made: the act is given up. Whether nothing of it is left."""
        left = len(self.copies)
        for copy, (_, name) in zip(self.copies, self.places, strict=False):
            with contextlib.suppress(OSError):
                copy.blade.remove(name)
                left -= 1
        self.close()
        return not left

    def close(self) -> None:
        """Closes the files, and with them their locks."""
        for copy in self.copies:
            copy.close()


class StripWriter:
    """Writes all files of one act.

    While one window is filled the one before it is summed, written and handed to the drives. An act of one window does all of it in the caller's thread.

    Args:
        files: Made and empty.
        cut: Lengths of data and where they begin.
        window_bytes: Of each strip at once.
        breathe: Called behind each window that another follows; may wait.
    """

    def __init__(
        self,
        files: StripFiles,
        cut: Cut,
        *,
        window_bytes: int = WINDOW_BYTES,
        breathe: Breathe = never_wait,
    ) -> None:
        self._breathe = breathe
        self._files = files
        self._cut = cut
        self._window = min(window_bytes, max(cut.lengths))
        self._sums: list[list[int]] = [[] for _ in cut.lengths]
        self.written_bytes = 0

    def write(self, header: StripHeader, fill: Fill) -> None:
        """All of it: header, data and parity, sums; synced."""
        if self._window < max(self._cut.lengths):
            self._write_behind(fill)
        else:
            self._write_window(0, self._coded(0, self._new_buffers(), fill))
        lengths = self._cut.lengths
        for number in range(len(lengths)):
            self._put(number, 0, encode_strip_header(replace(header, number=number)))
            trailer = encode_trailer(self._sums[number])
            assert len(trailer) == trailer_bytes(lengths[number])
            self._put(number, self._cut.data_at + lengths[number], trailer)
        self._files.sync()

    def _write_behind(self, fill: Fill) -> None:
        writing = Behind(_WINDOWS_AHEAD)
        # One set is filled, one written, the others wait.
        sets = itertools.cycle([self._new_buffers() for _ in range(_WINDOWS_AHEAD + 2)])
        try:
            for at in range(0, max(self._cut.lengths), self._window):
                windows = self._coded(at, next(sets), fill)
                writing.put(functools.partial(self._write_window, at, windows))
                self._breathe()
            writing.finish()
        except OSError as error:
            raise blade_error([error], "writing strips") from error
        finally:
            writing.stop()

    def _new_buffers(self) -> list[memoryview]:
        return [memoryview(bytearray(self._window)) for _ in range(self._cut.scheme.data)]

    def _coded(self, at: int, buffers: Sequence[memoryview], fill: Fill) -> list[memoryview]:
        """A window of all files, data and parity."""
        size = min(self._window, max(self._cut.lengths) - at)
        windows = [buffer[:size] for buffer in buffers]
        fill(at, windows)
        scheme = self._cut.scheme
        if scheme.data == 1:
            return windows + windows * scheme.parity
        return windows + code(scheme.data).encode(windows)[: scheme.parity]

    def _write_window(self, at: int, windows: Sequence[memoryview]) -> None:
        sums: list[int] = []
        for number, (window, length) in enumerate(zip(windows, self._cut.lengths, strict=True)):
            inside = window[: max(0, min(len(window), length - at))]
            if len(inside):
                if not number or self._cut.scheme.data > 1:
                    sums = block_sums(inside)
                self._sums[number] += sums
                self._put(number, self._cut.data_at + at, inside)
                self._files.begin_sync(number, self._cut.data_at + at, len(inside))

    def _put(self, number: int, offset: int, data: memoryview | bytes) -> None:
        self._files.write(number, offset, data)
        self.written_bytes += len(data)
