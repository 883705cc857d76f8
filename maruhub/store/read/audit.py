"""Reading every copy of extents, to find rotten or missing ones before a reader does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import xxhash

from maruhub.store.blades import Blades
from maruhub.store.commit.copies import Copy
from maruhub.store.format.extent import Extent
from maruhub.store.format.header import log_name
from maruhub.store.read.layouts import Layouts
from maruhub.store.recover.chain import read_at


class BadCopy(NamedTuple):
    """One copy of one extent that is missing, unreadable or wrong."""

    extent: Extent
    blade_id: bytes


@dataclass
class AuditResult:
    """``lost``: extents of which no copy is right."""

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
        """Reads each extent from each of its copies; sorted input keeps the drives streaming."""
        result = AuditResult()
        segment, copies, blade_ids = -1, list[Copy](), tuple[bytes, ...]()
        try:
            for extent in extents:
                if extent.segment != segment:
                    _close(copies)
                    segment = extent.segment
                    layout = self._layouts.refresh(segment)
                    blade_ids = layout.blades if layout else ()
                    copies = self._blades.open_copies(log_name(segment), blade_ids)
                self._check(extent, copies, blade_ids, result)
        finally:
            _close(copies)
        return result

    @staticmethod
    def _check(
        extent: Extent, copies: Sequence[Copy], blade_ids: Sequence[bytes], result: AuditResult
    ) -> None:
        good = set()
        for copy in copies:
            data = read_at(copy, extent.offset, extent.length)
            if len(data) == extent.length and xxhash.xxh3_64_intdigest(data) == extent.checksum:
                good.add(copy.blade.blade_id)
        result.extents += 1
        result.size_bytes += extent.length * len(copies)
        result.bad += [BadCopy(extent, blade) for blade in blade_ids if blade not in good]
        if not good:
            result.lost.append(extent)


def _close(copies: Sequence[Copy]) -> None:
    for copy in copies:
        copy.close()
