"""The files of one act: made, written window by window with parity and sums, synced.

Nothing here knows what the bytes are. Files are new and locked until the act is over, so
that nobody takes them for strays; whatever fails, they are removed.
"""

from __future__ import annotations

import contextlib
import errno
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from maruhub.store.blade import Blade
from maruhub.store.blades import Blades
from maruhub.store.commit.copies import Copies, Copy, blade_error
from maruhub.store.format.strip import (
    SUM_BLOCK_BYTES,
    StripHeader,
    encode_strip_header,
    encode_trailer,
    trailer_bytes,
)
from maruhub.store.parity import code
from maruhub.store.seal.plan import Cut

WINDOW_BYTES: Final = 2 << 20
"""Of each strip in memory at once; a multiple of the blocks under one sum."""
SYNC_SECONDS: Final = 120.0
"""A blade's time for syncing a strip; after it the act is given up."""

Fill = Callable[[int, Sequence[memoryview]], None]
MakeWay = Callable[[Blade, str], None]
"""Removes what a dead act left under a name, or raises OSError."""


class StripFiles:
    """New files of one act, open and locked.

    Args:
        blades: Of the pool.
        places: Blade and name of each file, by number.
        make_way: Called where a name is taken.
    """

    def __init__(self, blades: Blades, places: Sequence[tuple[bytes, str]], make_way: MakeWay) -> None:
        self.places = tuple(places)
        self.copies: list[Copy] = []
        self._blades = blades
        self._make_way = make_way

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

    def sync(self) -> None:
        """Makes the files and their names durable, all of them or it raises."""
        group = Copies(self.copies, sync_seconds=SYNC_SECONDS)
        group.sync()
        if not group.dropped:
            group.sync_names()
        if group.dropped:
            raise blade_error([error for _, error in group.dropped], "syncing a strip")

    def remove(self) -> None:
        """Unlinks and closes what was made: the act is given up."""
        for copy, (_, name) in zip(self.copies, self.places, strict=False):
            with contextlib.suppress(OSError):
                copy.blade.remove(name)
        self.close()

    def close(self) -> None:
        """Closes the files, and with them their locks."""
        for copy in self.copies:
            copy.close()


class StripWriter:
    """Writes all files of one act.

    Args:
        files: Made and empty.
        cut: Lengths of data and where they begin.
        window_bytes: Of each strip at once.
    """

    def __init__(self, files: StripFiles, cut: Cut, *, window_bytes: int = WINDOW_BYTES) -> None:
        self._files = files
        self._cut = cut
        self._window = window_bytes
        self._sums: list[list[int]] = [[] for _ in cut.lengths]
        self.written_bytes = 0

    def write(self, header: StripHeader, fill: Fill) -> None:
        """All of it: header, data and parity, sums; synced."""
        lengths = self._cut.lengths
        for at in range(0, max(lengths), self._window):
            size = min(self._window, max(lengths) - at)
            buffers = [memoryview(bytearray(size)) for _ in range(self._cut.scheme.data)]
            fill(at, buffers)
            self._write_window(at, [*buffers, *self._parity(buffers)])
        for number in range(len(lengths)):
            self._put(number, 0, encode_strip_header(replace(header, number=number)))
            trailer = encode_trailer(self._sums[number])
            assert len(trailer) == trailer_bytes(lengths[number])
            self._put(number, self._cut.data_at + lengths[number], trailer)
        self._files.sync()

    def _parity(self, buffers: Sequence[memoryview]) -> list[memoryview]:
        scheme = self._cut.scheme
        if scheme.data == 1:
            return [buffers[0]] * scheme.parity
        return code(scheme.data).encode(buffers)[: scheme.parity]

    def _write_window(self, at: int, windows: Sequence[memoryview]) -> None:
        for number, (window, length) in enumerate(zip(windows, self._cut.lengths, strict=True)):
            inside = window[: max(0, min(len(window), length - at))]
            if len(inside):
                self._sums[number] += block_sums(inside)
                self._put(number, self._cut.data_at + at, inside)

    def _put(self, number: int, offset: int, data: memoryview | bytes) -> None:
        self._files.write(number, offset, data)
        self.written_bytes += len(data)


def block_sums(data: memoryview) -> list[int]:
    """CRC-32 of each 16 KiB of ``data``."""
    return [zlib.crc32(data[at : at + SUM_BLOCK_BYTES]) for at in range(0, len(data), SUM_BLOCK_BYTES)]
