"""The chain of a log's batches, read from whichever copies are there.

Finds the last batch by its marker from the end backwards and follows ``previous``; reads
only heads and records, never objects. See docs/format.md, "Which batches count".
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from typing import Final

from maruhub.errors import Corrupt, MaruError
from maruhub.store.batch import (
    BATCH_ALIGN,
    BATCH_HEAD_BYTES,
    MARKER_BYTES,
    BatchHead,
    batch_is_whole,
    decode_batch_head,
)
from maruhub.store.copies import Copy
from maruhub.store.header import SegmentHeader, decode_header
from maruhub.store.identity import BLOCK_BYTES

_WINDOW: Final = 1 << 20


def read_at(copy: Copy, offset: int, size: int) -> bytes:
    """Up to ``size`` bytes of a copy; empty where it can't be read."""
    buffer = bytearray(size)
    try:
        count = copy.file.read_into(offset, memoryview(buffer))
    except OSError:
        return b""
    return bytes(buffer[:count])


def _size(copy: Copy) -> int:
    try:
        return copy.file.size()
    except OSError:
        return 0


def read_header(copies: Sequence[Copy]) -> SegmentHeader:
    """The segment's header from the first copy that has it whole; raises if none has."""
    problem: MaruError = Corrupt("no copy of the segment can be opened")
    for copy in copies:
        try:
            return decode_header(read_at(copy, 0, BLOCK_BYTES), where=f"a segment's log on {copy.blade!r}")
        except MaruError as error:
            problem = error
    raise problem


class Chain:
    """The batches of one segment. Nothing is cached but what the caller keeps."""

    def __init__(self, header: SegmentHeader, copies: Sequence[Copy]) -> None:
        self.header = header
        self.copies = list(copies)

    def batch_at(self, offset: int) -> tuple[BatchHead, bytes] | None:
        """The whole batch that starts at ``offset`` in any copy, or None."""
        for copy in self.copies:
            if found := self._batch_in(copy, offset):
                return found
        return None

    def _batch_in(self, copy: Copy, offset: int) -> tuple[BatchHead, bytes] | None:
        data = read_at(copy, offset, BATCH_HEAD_BYTES + 4096)
        head = decode_batch_head(self.header.marker, data, offset)
        if head is None:
            return None
        if head.size > len(data):
            # A rotten size may say 4 GiB: no memory for what the file can't hold.
            if head.end > _size(copy):
                return None
            data += read_at(copy, offset + len(data), head.size - len(data))
        return (head, data[: head.size]) if batch_is_whole(head, data) else None

    def candidates(self, floor: int) -> Iterator[BatchHead]:
        """Whole batches that start at or behind ``floor``, last first, on the chain or not."""
        offsets = heapq.merge(*(self._markers(copy, floor) for copy in self.copies), reverse=True)
        before = -1
        for offset in offsets:
            if offset != before and (found := self.batch_at(offset)):
                yield found[0]
            before = offset

    def _markers(self, copy: Copy, floor: int) -> Iterator[int]:
        """Offsets where the marker stands in one copy, descending."""
        end = _size(copy)
        floor = max(floor, BLOCK_BYTES)
        while end > floor:
            start = max(floor, end - _WINDOW)
            window = read_at(copy, start, end - start + MARKER_BYTES - 1)
            at = window.rfind(self.header.marker)
            while at >= 0:
                if (start + at) % BATCH_ALIGN == 0:
                    yield start + at
                at = window.rfind(self.header.marker, 0, at + MARKER_BYTES - 1)
            end = start

    def back_from(self, head: BatchHead, floor: int) -> list[BatchHead]:
        """``head`` and its predecessors that start at or behind ``floor``, first one first.

        Raises Corrupt where one of them is damaged in every copy.
        """
        heads, damaged = self.unbroken_from(head, floor)
        if damaged:
            raise Corrupt(
                f"{self.damage_at(damaged)}.",
                hint="Bring missing blades back. To go on without these records: maru check --accept-loss.",
            )
        return heads

    def unbroken_from(self, head: BatchHead, floor: int) -> tuple[list[BatchHead], int]:
        """Like :meth:`back_from`, up to the first damaged one: its offset, or 0."""
        heads = [head]
        while heads[-1].previous >= max(floor, 1):
            found = self.batch_at(heads[-1].previous)
            if found is None:
                return heads[::-1], heads[-1].previous
            heads.append(found[0])
        return heads[::-1], 0

    def damage_at(self, offset: int) -> str:
        """The sentence for a batch that no copy has whole."""
        return (
            f"segment {self.header.segment:016x}: the batch of records at {offset} "
            "is damaged in every copy that can be read"
        )

    def close(self) -> None:
        """Closes the copies' files."""
        for copy in self.copies:
            copy.close()
