"""A log: one open segment, appended to by one process.

Appending reserves a range and writes it from the caller's thread, many at once. Only the
commit turn writes batches and syncs, one at a time. The file is never truncated: what a
refused put or a dead writer left behind is dead bytes.
"""

from __future__ import annotations

import threading
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from maruhub.store.copies import Copies
from maruhub.store.format.batch import BATCH_ALIGN, BatchPlace, encode_batch
from maruhub.store.format.header import SegmentHeader
from maruhub.store.format.layout import Layout
from maruhub.store.format.packing import ZEROS, Piece
from maruhub.store.format.segment_class import SegmentClass

Records = Sequence[tuple[bytes, bytes]]


class Log:
    """One open segment.

    ``unsynced``: offsets of what was appended since the last sync; ``unnamed``: of what was
    appended here and no committed row has named yet.

    Args:
        header: What the files' first 4 KiB say.
        copies: Its open, locked files.
        layout: As it will be recorded; ``layout.end`` is where this writer begins.
        end: Offset behind everything in the files.
    """

    def __init__(self, header: SegmentHeader, copies: Copies, *, layout: Layout, end: int) -> None:
        self.header = header
        self.copies = copies
        self.layout = layout
        self.unrecorded = True
        self.dirty = False
        self.unsynced: list[int] = []
        self.unnamed: set[int] = set()
        self._end = end
        self._full = False
        self._writing = 0
        self._idle = threading.Condition()

    @property
    def segment(self) -> int:
        """Id of the segment."""
        return self.header.segment

    @property
    def end(self) -> int:
        """Offset behind everything reserved so far."""
        return self._end

    @property
    def full(self) -> bool:
        """Whether the next writer should open another segment."""
        return self._full or self._end >= self.header.segment_bytes

    def reserve(self, pieces: Sequence[Piece]) -> tuple[int, list[Piece]]:
        """Claims room for the first of ``pieces`` that still fit (at least one if not full).

        Returns where their bytes start, and those that didn't fit. If any was claimed, the
        caller must call ``fill`` for them.
        """
        with self._idle:
            start = end = self._end
            taken = 0
            # Closed since the caller asked for an open log: nobody would sync what came now.
            for piece in () if self.layout.closed else pieces:
                next_end = piece.offset(end) + len(piece.data)
                if next_end > self.header.segment_bytes and end > 4096:
                    break
                end = next_end
                taken += 1
            self._end = end
            self._full = self._full or taken < len(pieces)
            self._writing += bool(taken)
        return start, list(pieces[taken:])

    def fill(self, start: int, pieces: Sequence[Piece]) -> list[int]:
        """Writes claimed pieces; returns each one's offset."""
        buffers: list[memoryview] = []
        offsets = []
        end = start
        for piece in pieces:
            offset = piece.offset(end)
            if offset > end:
                buffers.append(ZEROS[: offset - end])
            buffers.append(piece.data)
            offsets.append(offset)
            end = offset + len(piece.data)
        try:
            if buffers:
                self.copies.write(start, buffers)
            self.unsynced.extend(offsets)
            self.unnamed.update(offsets)
        finally:
            # After the write, never before: a sync in between must not hide these bytes.
            self.dirty = True
            with self._idle:
                self._writing -= 1
                self._idle.notify_all()
        return offsets

    def append_batch(self, place: BatchPlace, records: Records) -> BatchPlace:
        """Writes a batch behind everything; ``place.offset`` and the epoch are set here."""
        with self._idle:
            offset = self._end + (-self._end % BATCH_ALIGN)
            placed = BatchPlace(
                offset,
                place.previous,
                self.layout.epoch,
                place.first,
                place.last,
                place.after,
                place.pool_time_us,
                place.flags,
            )
            data = encode_batch(self.header.marker, placed, records)
            gap, self._end = offset - self._end, offset + len(data)
        self.dirty = True
        self.copies.write(offset - gap, [ZEROS[:gap], data])
        return placed

    def sync(self) -> None:
        """Makes everything written so far durable in all good copies."""
        self.dirty = False
        covered, self.unsynced = self.unsynced, []
        try:
            self.copies.sync()
        except BaseException:
            self.unsynced = covered + self.unsynced
            raise

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Holds back appends, for replacing a copy or closing; waits for those under way."""
        with self._idle:
            self._idle.wait_for(lambda: self._writing == 0)
            yield

    def close(self) -> None:
        """Lets go of the files; the next writer may adopt the segment."""
        self.copies.close()


class LeftLogs(Protocol):
    """Open logs of this pool that no living process holds, for who goes on with them."""

    def adopt(self, segment_class: SegmentClass, avoid: Container[int]) -> Log | None:
        """An open log of the class, locked and ready to be appended to; None if there is none."""

    def adopt_idle(self, avoid: Container[int]) -> Log | None:
        """Any open log, to be closed, even one that lacks copies."""
