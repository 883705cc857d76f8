"""Strips read block by block against their own sums: what is wrong isn't given out at all.

So that a batch that was cut over several strips is had where any k of them are right, block
by block, although no one choice of k files is right for all of it.
"""

from __future__ import annotations

import errno
import zlib

from maruhub.errors import MaruError
from maruhub.store.blade import Buffer
from maruhub.store.format.layout import StripsLayout
from maruhub.store.format.strip import SUM_BLOCK_BYTES, decode_trailer, trailer_bytes
from maruhub.store.read.strips import ReadStrip


class CheckedStrips:
    """Another way to read strips, which raises OSError where a block disagrees with its sum.

    Args:
        read_file: Reads one of them.
        strips: How they were cut.
    """

    def __init__(self, read_file: ReadStrip, strips: StripsLayout) -> None:
        self._read_file = read_file
        self._strips = strips
        self._sums: dict[int, tuple[int, ...]] = {}

    def __call__(self, number: int, place: int, length: int) -> Buffer:
        """See ``ReadStrip``; reads and checks whole blocks."""
        at = place - self._strips.data_at
        first = at - at % SUM_BLOCK_BYTES
        end = min(at + length + -(at + length) % SUM_BLOCK_BYTES, self._strips.lengths[number])
        data = self._read_file(number, self._strips.data_at + first, end - first)
        sums = self._sums_of(number)[first // SUM_BLOCK_BYTES :]
        for block, wanted in zip(range(0, len(data), SUM_BLOCK_BYTES), sums, strict=False):
            if zlib.crc32(data[block : block + SUM_BLOCK_BYTES]) != wanted:
                raise OSError(errno.EBADMSG, "a block of a strip is not what was written")
        return data[at - first : at - first + length]

    def _sums_of(self, number: int) -> tuple[int, ...]:
        if number not in self._sums:
            length = self._strips.lengths[number]
            raw = self._read_file(number, self._strips.data_at + length, trailer_bytes(length))
            try:
                self._sums[number] = decode_trailer(bytes(raw), where="a strip")
            except MaruError as error:
                raise OSError(errno.EBADMSG, error.what) from error
        return self._sums[number]
