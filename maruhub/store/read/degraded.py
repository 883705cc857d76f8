"""One extent whose place failed: from another copy, or decoded from other strips, checked.

Only the range that is asked for is read, and nothing that its sum doesn't confirm comes out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import xxhash

from maruhub.store.blade import Buffer
from maruhub.store.format.extent import EXTENT_BYTES_MAX, Extent
from maruhub.store.format.layout import Layout
from maruhub.store.read.layouts import SEGMENT_BYTES_MAX, FileKey, Layouts, files_of
from maruhub.store.read.strips import StripSet

ReadFile = Callable[[FileKey, int, int], Buffer]
"""Bytes of a file, by offset and length; raises OSError where they can't be had."""


class Stretch(NamedTuple):
    """Bytes of a file."""

    file: FileKey
    place: int
    length: int


class Degraded:
    """Finds another way to bytes.

    Args:
        layouts: The newest is asked for only where the known one leads nowhere.
        read_file: How files are read.
        on_bad: Hears of each blade whose bytes were wrong or couldn't be had.
    """

    def __init__(self, layouts: Layouts, read_file: ReadFile, on_bad: Callable[[bytes], None]) -> None:
        self._layouts = layouts
        self._read_file = read_file
        self._on_bad = on_bad

    def read(self, extent: Extent, failed: FileKey | None) -> memoryview | None:
        """The extent's bytes, read-only; None if there is no way left.

        ``failed``: the file in which it was looked for in vain, if any. It counts as bad
        only if the layout still names it: an act may have moved its bytes meanwhile.
        """
        if extent.length > EXTENT_BYTES_MAX or extent.offset >= SEGMENT_BYTES_MAX:
            return None
        known = self._layouts.known(extent.segment)
        if known is not None and known.strips is not None:
            found = self._right(extent, self._decoded(known, extent))
            if found is not None:
                self._blame(known, failed)
                return found
        layout = self._layouts.refresh(extent.segment)
        if layout is None:
            return None
        self._blame(layout, failed)
        ways = self._copies(layout, extent) if layout.strips is None else self._ways(layout, extent)
        return self._right(extent, ways)

    def sources(self, extent: Extent, answers: Callable[[bytes], bool]) -> list[Stretch]:
        """What :meth:`read` will need from strips whose blade ``answers``, as far as is known now."""
        layout = self._layouts.known(extent.segment)
        part = layout.range_of(extent.offset, extent.length) if layout and layout.strips else None
        if layout is None or layout.strips is None or part is None:
            return []
        place = part.place + extent.offset - part.start
        others = (key for number, key in enumerate(files_of(layout)) if number != part.file)
        there = [Stretch(key, place, extent.length) for key in others if answers(key.blade_id)]
        return there[: layout.strips.data]

    def _blame(self, layout: Layout, failed: FileKey | None) -> None:
        if failed is not None and failed in files_of(layout):
            self._on_bad(failed.blade_id)

    def _copies(self, layout: Layout, extent: Extent) -> Iterator[Buffer]:
        for key in files_of(layout):
            try:
                data = self._read_file(key, extent.offset, extent.length)
            except OSError:
                self._on_bad(key.blade_id)
                continue
            if not _is_right(data, extent):
                self._on_bad(key.blade_id)
            yield data

    def _decoded(self, layout: Layout, extent: Extent) -> Iterator[Buffer]:
        """From the other files of a layout of strips; nothing that is known to have failed."""
        strips, part = layout.strips, layout.range_of(extent.offset, extent.length)
        if strips is None or part is None:
            return
        place = part.place + extent.offset - part.start
        decoded = self._set(layout).decode(part.file, place, extent.length)
        if decoded is not None:
            yield decoded

    def _ways(self, layout: Layout, extent: Extent) -> Iterator[Buffer]:
        part = layout.range_of(extent.offset, extent.length)
        if part is None:
            return iter(())
        place = part.place + extent.offset - part.start
        return self._set(layout).variants(part.file, place, extent.length)

    def _set(self, layout: Layout) -> StripSet:
        strips, keys = layout.strips, files_of(layout)
        assert strips is not None
        return StripSet(strips, lambda number, place, length: self._read_file(keys[number], place, length))

    @staticmethod
    def _right(extent: Extent, ways: Iterator[Buffer]) -> memoryview | None:
        right = next((data for data in ways if _is_right(data, extent)), None)
        return None if right is None else memoryview(right).toreadonly()


def _is_right(data: Buffer, extent: Extent) -> bool:
    return len(data) == extent.length and xxhash.xxh3_64_intdigest(data) == extent.checksum
