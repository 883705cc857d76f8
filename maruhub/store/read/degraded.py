"""One extent whose place failed: from another copy, or decoded from other strips, checked.

Only the range that is asked for is read, and nothing that its sum doesn't confirm comes out.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from typing import NamedTuple

import xxhash

from maruhub.store.blade import Buffer
from maruhub.store.format.extent import EXTENT_BYTES_MAX, Extent
from maruhub.store.format.layout import Layout
from maruhub.store.read.answers import WRONG, Answers
from maruhub.store.read.checked_strips import CheckedStrips
from maruhub.store.read.layouts import SEGMENT_BYTES_MAX, FileKey, Layouts, files_of
from maruhub.store.read.strips import ReadStrip, StripSet

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

    def read(self, extent: Extent, failed: FileKey | None, answers: Answers) -> memoryview | None:
        """The extent's bytes, read-only; None if there is no way left.

        Args:
            extent: Which.
            failed: The file in which it was looked for in vain, if any. It counts as bad
                only if the layout still names it: an act may have moved its bytes meanwhile.
            answers: Gets what each file that was asked has answered.
        """
        if extent.length > EXTENT_BYTES_MAX or extent.offset >= SEGMENT_BYTES_MAX:
            return None
        known = self._layouts.known(extent.segment)
        if known is not None and known.strips is not None:
            found = self._right(extent, self._decoded(known, extent, answers))
            if found is not None:
                self._blame(known, failed)
                return found
        layout = self._layouts.refresh(extent.segment)
        if layout is None:
            return None
        self._blame(layout, failed)
        ways = self._copies if layout.strips is None else self._ways
        return self._right(extent, ways(layout, extent, answers))

    def wrong(self, extent: Extent, answers: Answers) -> Answers:
        """Of the ``answers`` to a :meth:`read` in vain those that say why it was: strips have sums of their own."""
        layout = self._layouts.known(extent.segment)
        part = layout.range_of(extent.offset, extent.length) if layout and layout.strips else None
        if layout is None or layout.strips is None or part is None:
            return answers
        place = part.place + extent.offset - part.start
        checked = StripSet(layout.strips, CheckedStrips(self._reader(layout, {}), layout.strips))

        def is_whole(number: int) -> bool:
            return number != part.file and checked.read(number, place, extent.length) is not None

        numbered = [(number, key) for number, key in enumerate(files_of(layout)) if key in answers]
        return {key: answers[key] for n, key in numbered if answers[key] != WRONG or not is_whole(n)}

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

    def _copies(self, layout: Layout, extent: Extent, answers: Answers) -> Iterator[Buffer]:
        read = self._reader(layout, answers)
        for number, key in enumerate(files_of(layout)):
            try:
                data = read(number, extent.offset, extent.length)
            except OSError:
                self._on_bad(key.blade_id)
                continue
            if not _is_right(data, extent):
                self._on_bad(key.blade_id)
            yield data

    def _decoded(self, layout: Layout, extent: Extent, answers: Answers) -> Iterator[Buffer]:
        """From the other files of a layout of strips; nothing that is known to have failed."""
        strips, part = layout.strips, layout.range_of(extent.offset, extent.length)
        if strips is None or part is None:
            return
        place = part.place + extent.offset - part.start
        decoded = self._set(layout, answers).decode(part.file, place, extent.length)
        if decoded is not None:
            yield decoded

    def _ways(self, layout: Layout, extent: Extent, answers: Answers) -> Iterator[Buffer]:
        part = layout.range_of(extent.offset, extent.length)
        if part is None:
            return iter(())
        place = part.place + extent.offset - part.start
        return self._set(layout, answers).variants(part.file, place, extent.length)

    def _set(self, layout: Layout, answers: Answers) -> StripSet:
        assert layout.strips is not None
        return StripSet(layout.strips, self._reader(layout, answers))

    def _reader(self, layout: Layout, answers: Answers) -> ReadStrip:
        """Reads a layout's files by number, and notes what each answers."""
        keys = files_of(layout)

        def read(number: int, place: int, length: int) -> Buffer:
            key = keys[number]
            try:
                data = self._read_file(key, place, length)
            except OSError as error:
                answers[key] = error.errno or errno.EIO
                raise
            answers[key] = WRONG
            return data

        return read

    @staticmethod
    def _right(extent: Extent, ways: Iterator[Buffer]) -> memoryview | None:
        right = next((data for data in ways if _is_right(data, extent)), None)
        return None if right is None else memoryview(right).toreadonly()


def _is_right(data: Buffer, extent: Extent) -> bool:
    return len(data) == extent.length and xxhash.xxh3_64_intdigest(data) == extent.checksum
