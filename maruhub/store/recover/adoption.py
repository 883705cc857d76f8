"""Taking over the open log of a writer that closed or died.

So that a hundred short-lived writers make one segment. The index is complete when this
runs (opening a hub sees to it): what lies behind the tail it knows was never acknowledged
and stays dead, for the next batch's ``previous`` skips it.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import replace

from maruhub.errors import MaruError
from maruhub.index.protocol import Index
from maruhub.store.blades import Blades
from maruhub.store.commit.log import Log
from maruhub.store.copies import Copies, Copy, descriptors_for
from maruhub.store.format.extent import BLOCK_BYTES
from maruhub.store.format.header import log_name
from maruhub.store.format.keys import OPEN_PREFIX, decode_tail, layout_key, segment_of, tail_key
from maruhub.store.format.layout import Layout, decode_layout
from maruhub.store.format.row import Row
from maruhub.store.format.segment_class import SegmentClass
from maruhub.store.protocol import prefix_end
from maruhub.store.recover.chain import read_header

_AT_ONCE = 256


class Adoption:
    """Finds what a writer's ``LeftLogs`` are."""

    def __init__(self, index: Index, blades: Blades) -> None:
        self._index = index
        self._blades = blades

    def adopt(self, segment_class: SegmentClass, avoid: Container[int]) -> Log | None:
        """See ``LeftLogs``."""
        for layout in self._open_layouts():
            if layout.segment_class == segment_class and layout.segment not in avoid:
                log = self._take(layout)
                if log is not None:
                    return log
        return None

    def adopt_idle(self, avoid: Container[int]) -> Log | None:
        """See ``LeftLogs``."""
        for layout in self._open_layouts():
            if layout.segment not in avoid:
                log = self._take(layout, copies_least=1)
                if log is not None:
                    return log
        return None

    def _open_layouts(self) -> list[Layout]:
        marks = self._index.scan(OPEN_PREFIX, prefix_end(OPEN_PREFIX), _AT_ONCE)
        segments = [segment_of(key) for key, _ in marks]
        values = self._index.get_many([layout_key(segment) for segment in segments])
        rows = [Row(layout_key(s), value) for s, value in zip(segments, values, strict=True) if value]
        return [decode_layout(segment_of(row.key), row.payload) for row in rows]

    def _take(self, layout: Layout, *, copies_least: int | None = None) -> Log | None:
        """The log, or None. ``copies_least``: enough for this; else all, none missing."""
        with descriptors_for("opening a segment"):
            copies = self._blades.open_copies(log_name(layout.segment), layout.blades, write=True)
        least = max(len(layout.blades), self._blades.wanted_copies) if copies_least is None else copies_least
        try:
            log = self._locked_log(layout, copies) if len(copies) >= least else None
        except (OSError, MaruError):
            log = None
        if log is None:
            for copy in copies:
                copy.close()
        return log

    def _locked_log(self, layout: Layout, copies: list[Copy]) -> Log | None:
        """A log over the copies that were opened."""
        if not all(copy.file.lock() for copy in copies):
            return None
        # Read again under the lock: the last owner may have closed or mended it meanwhile.
        key = layout_key(layout.segment)
        raw, tail_raw = self._index.get_many([key, tail_key(layout.segment)])
        if raw is None or decode_layout(layout.segment, Row(key, raw).payload) != layout or layout.closed:
            return None
        tail = decode_tail(tail_raw)
        end = max(copy.file.size() for copy in copies)
        end = max(tail.end, end + -end % BLOCK_BYTES)
        fresh = replace(layout, epoch=layout.epoch + 1, end=end)
        return Log(read_header(copies), Copies(copies), layout=fresh, end=end)
