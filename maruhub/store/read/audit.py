"""Reading every copy of extents, to find rotten or missing ones before a reader does."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import xxhash

from maruhub.store.blade import BladeFile
from maruhub.store.blades import Blades, try_open
from maruhub.store.copies import Copy, descriptors_for
from maruhub.store.format.extent import Extent
from maruhub.store.format.header import log_name
from maruhub.store.format.layout import Layout, StripsLayout
from maruhub.store.format.strip import StripName
from maruhub.store.read.layouts import Layouts
from maruhub.store.read.strips import OpenStrips, StripSet


class BadCopy(NamedTuple):
    """One copy of one extent that is missing, unreadable or wrong."""

    extent: Extent
    blade_id: bytes


@dataclass
class AuditResult:
    """``lost``: extents of which no copy is right, nor can be decoded."""

    extents: int = 0
    size_bytes: int = 0
    bad: list[BadCopy] = field(default_factory=list)
    lost: list[Extent] = field(default_factory=list)


class Audit:
    """Checks extents against all copies; keeps one segment's files open at a time."""

    def __init__(self, layouts: Layouts, blades: Blades) -> None:
        self._layouts = layouts
        self._blades = blades

    def run(self, extents: Sequence[Extent]) -> AuditResult:
        """Reads each extent from each of its copies; sorted input keeps the drives streaming.

        Of a segment in strips: each extent where it lies, and decoded only where it is wrong.
        """
        result = AuditResult()
        for segment, group in itertools.groupby(extents, key=lambda extent: extent.segment):
            mine, layout = list(group), self._layouts.refresh(segment)
            while True:
                with descriptors_for("reading every copy"):
                    found = self._look(mine, layout)
                now = self._layouts.refresh(segment) if found.bad or found.lost else layout
                if now == layout:
                    break
                # An act has moved it meanwhile: what wasn't there is no loss.
                layout = now
            result.extents += found.extents
            result.size_bytes += found.size_bytes
            result.bad += found.bad
            result.lost += found.lost
        return result

    def _look(self, extents: Sequence[Extent], layout: Layout | None) -> AuditResult:
        """Extents of one segment, as it lies by this layout."""
        result = AuditResult(len(extents))
        files = _files(layout, self._blades)
        try:
            for extent in extents:
                files.check(extent, result)
        finally:
            files.close()
        return result


class _Files(Protocol):
    def check(self, extent: Extent, result: AuditResult) -> None: ...

    def close(self) -> None: ...


def _files(layout: Layout | None, blades: Blades) -> _Files:
    if layout is not None and layout.strips is not None:
        return _Strips(layout, layout.strips, blades)
    return _FullCopies(layout, blades)


class _FullCopies:
    """Of a segment in full copies; of none, where no layout is on record."""

    def __init__(self, layout: Layout | None, blades: Blades) -> None:
        self._blade_ids = layout.blades if layout else ()
        self._copies: list[Copy] = []
        if layout:
            self._copies = blades.open_copies(log_name(layout.segment), self._blade_ids)

    def check(self, extent: Extent, result: AuditResult) -> None:
        good = {
            copy.blade.blade_id
            for copy in self._copies
            if _is_right(copy.read_or_nothing(extent.offset, extent.length), extent)
        }
        result.size_bytes += extent.length * len(self._copies)
        result.bad += [BadCopy(extent, blade) for blade in self._blade_ids if blade not in good]
        if not good:
            result.lost.append(extent)

    def close(self) -> None:
        for copy in self._copies:
            copy.close()


class _Strips:
    def __init__(self, layout: Layout, strips: StripsLayout, blades: Blades) -> None:
        self._layout = layout
        self._files = OpenStrips(lambda number: open_strip(layout, strips, blades, number))
        self._set = StripSet(strips, self._files)

    def check(self, extent: Extent, result: AuditResult) -> None:
        part = self._layout.range_of(extent.offset, extent.length)
        if part is None:
            result.lost.append(extent)
            return
        place = part.place + extent.offset - part.start
        result.size_bytes += extent.length
        straight = self._set.read(part.file, place, extent.length)
        if straight is not None and _is_right(straight, extent):
            return
        result.bad.append(BadCopy(extent, self._layout.blades[part.file]))
        if not any(_is_right(found, extent) for found in self._set.variants(part.file, place, extent.length)):
            result.lost.append(extent)

    def close(self) -> None:
        self._files.close()


def open_strip(layout: Layout, strips: StripsLayout, blades: Blades, number: int) -> BladeFile | None:
    """The file of a number where the layout says that it is, None if it can't be opened."""
    blade = blades.get(layout.blades[number])
    return try_open(blade, str(StripName(layout.segment, strips.act, number))) if blade else None


def _is_right(data: bytes | bytearray | memoryview, extent: Extent) -> bool:
    return len(data) == extent.length and xxhash.xxh3_64_intdigest(data) == extent.checksum
