"""Strips read by number and place: straight from the file, or decoded from others.

Nothing here knows whether what it read is right: who asks has a sum, and asks for another
combination of files when it is wrong.
"""

from __future__ import annotations

import errno
import itertools
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence

from maruhub.store.blade import OUT_OF_DESCRIPTORS, BladeFile, Buffer
from maruhub.store.format.layout import Layout, StripsLayout
from maruhub.store.parity import code

ReadStrip = Callable[[int, int, int], Buffer]
"""Bytes of a file by number, place and length; raises OSError where they can't be had."""


class OpenStrips:
    """Reads strips by their descriptors, each opened when it is first asked for.

    Args:
        open_file: The open file of a number, or None if it can't be had.
    """

    def __init__(self, open_file: Callable[[int], BladeFile | None]) -> None:
        self._open_file = open_file
        self._files: dict[int, BladeFile | None] = {}

    def __call__(self, number: int, place: int, length: int) -> bytearray:
        """See ``ReadStrip``."""
        if number not in self._files:
            self._files[number] = self._open_file(number)
        file = self._files[number]
        buffer = bytearray(length)
        if file is None or file.read_into(place, memoryview(buffer)) < length:
            raise OSError(errno.ENODATA, "a strip is missing, or shorter than it was")
        return buffer

    def close(self) -> None:
        """Closes the files that were opened."""
        for file in self._files.values():
            if file is not None:
                file.close()
        self._files.clear()


class StripSet:
    """The files of one act of a segment.

    Args:
        strips: How they were cut.
        read_file: Reads one of them.
    """

    def __init__(self, strips: StripsLayout, read_file: ReadStrip) -> None:
        self._strips = strips
        self._read_file = read_file

    def read(self, number: int, place: int, length: int) -> Buffer | None:
        """``length`` bytes at ``place`` of one file, zeros behind its data; None if it fails."""
        data_end = self._strips.data_at + self._strips.lengths[number]
        inside = max(0, min(length, data_end - place))
        try:
            found = self._read_file(number, place, inside) if inside else b""
        except OSError as error:
            if error.errno in OUT_OF_DESCRIPTORS:
                raise
            return None
        return found if inside == length else bytes(found).ljust(length, b"\0")

    def decode(self, number: int, place: int, length: int, *, using: Sequence[int] = ()) -> memoryview | None:
        """The same bytes from ``data`` other files; None if too few answer.

        ``using``: exactly these files; else the first that answer.
        """
        data = self._strips.data
        have: dict[int, Buffer] = {}
        for other in using or range(len(self._strips.lengths)):
            if other != number and len(have) < data:
                found = self.read(other, place, length)
                if found is not None:
                    have[other] = found
        return code(data).decode(have, [number])[0] if len(have) == data else None

    def variants(self, number: int, place: int, length: int) -> Iterator[memoryview]:
        """The same bytes from every combination of files, the likeliest first."""
        straight = self.read(number, place, length)
        if straight is not None:
            yield memoryview(straight)
        others = [other for other in range(len(self._strips.lengths)) if other != number]
        for using in itertools.combinations(others, self._strips.data):
            decoded = self.decode(number, place, length, using=using)
            if decoded is not None:
                yield decoded


class SegmentFile:
    """A segment in strips as one read-only ``BladeFile`` of its own offsets.

    What no range holds reads as zeros. ``variant`` n > 0 decodes what variant 0 reads
    straight, each from other files: the copies of a segment that has none.

    Args:
        layout: Of strips.
        read_file: Reads one of them.
        close: Closes what is read.
        variant: Which way to the bytes.
    """

    def __init__(
        self, layout: Layout, read_file: ReadStrip, close: Callable[[], None], *, variant: int = 0
    ) -> None:
        assert layout.strips is not None
        self._layout = layout
        self._close = close
        self._strips = StripSet(layout.strips, read_file)
        self._variant = variant
        self._starts = [part.start for part in layout.ranges]

    def read_into(self, offset: int, buffer: memoryview) -> int:
        """See ``BladeFile.read_into``; raises OSError where too few files answer."""
        end = min(offset + len(buffer), self._layout.end)
        at = offset
        while at < end:
            part = self._layout.range_of(at, 0)
            stop = min(end, self._next_start(at))
            inside = part is not None and at < part.start + part.length
            if part is not None and inside:
                stop = min(stop, part.start + part.length)
                data = self._piece(part.file, part.place + at - part.start, stop - at)
            else:
                data = memoryview(bytes(stop - at))
            buffer[at - offset : stop - offset] = data
            at = stop
        return max(0, end - offset)

    def _next_start(self, offset: int) -> int:
        at = bisect_right(self._starts, offset)
        return self._starts[at] if at < len(self._starts) else self._layout.end

    def _piece(self, number: int, place: int, length: int) -> memoryview:
        variants = self._strips.variants(number, place, length)
        found = next(itertools.islice(variants, self._variant, None), None)
        if found is None:
            raise OSError(errno.ENODEV, f"segment {self._layout.segment:016x}: too few strips answer")
        return found

    def write(self, offset: int, buffers: Sequence[Buffer]) -> None:
        raise OSError(errno.EROFS, "a sealed segment is not written")

    def size(self) -> int:
        return self._layout.end

    def sync(self) -> None:
        """Nothing is ever pending."""

    def lock(self) -> bool:
        """Nobody else writes it either."""
        return True

    def map(self) -> None:
        return None

    def close(self) -> None:
        self._close()
