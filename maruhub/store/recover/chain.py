"""The chain of a log's batches, read from whichever copies are there.

Finds the last batch by its marker from the end backwards and follows ``previous``; reads
only heads and records, never objects. See docs/format.md, "Which batches count".
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from typing import Final

from maruhub.errors import BladeLost, Corrupt, MaruError, Unavailable
from maruhub.store.copies import Copy
from maruhub.store.format.batch import (
    BATCH_ALIGN,
    BATCH_HEAD_BYTES,
    MARKER_BYTES,
    BatchHead,
    batch_is_whole,
    decode_batch_head,
)
from maruhub.store.format.header import SegmentHeader, decode_header
from maruhub.store.format.identity import BLOCK_BYTES

_WINDOW: Final = 1 << 20
_UNREADABLE_HINT: Final = (
    "Try again, or bring missing blades back. To go on without: maru check --accept-loss."
)


def read_header(copies: Sequence[Copy]) -> SegmentHeader:
    """The segment's header from the first copy that has it whole.

    Raises Corrupt; Unavailable if a copy that can't be read may have it.
    """
    problems: list[MaruError] = []
    for copy in copies:
        where = f"a segment's log on {copy.blade!r}"
        try:
            return decode_header(copy.read(0, BLOCK_BYTES), where=where)
        except MaruError as error:
            problems.append(error)
        except OSError as error:
            problems.insert(0, Unavailable(f"{where}: {error.strerror}.", hint=_UNREADABLE_HINT))
    if not problems:
        raise BladeLost("No copy of a segment's log can be opened.", hint=_UNREADABLE_HINT)
    raise problems[0]


class Chain:
    """The batches of one segment. Nothing is cached but what the caller keeps.

    Args:
        header: The segment's.
        copies: The files that could be opened.
        accept_loss: Go on without what a read error hides in every copy.
    """

    def __init__(self, header: SegmentHeader, copies: Sequence[Copy], *, accept_loss: bool = False) -> None:
        self.header = header
        self.copies = list(copies)
        self._accept_loss = accept_loss
        self._unreadable: set[int] = set()

    def batch_at(self, offset: int) -> tuple[BatchHead, bytes] | None:
        """The whole batch that starts at ``offset`` in any copy, or None."""
        for copy in self.copies:
            if found := self._batch_in(copy, offset):
                return found
        return None

    def _batch_in(self, copy: Copy, offset: int) -> tuple[BatchHead, bytes] | None:
        data = self._read(copy, offset, BATCH_HEAD_BYTES + 4096)
        head = decode_batch_head(self.header.marker, data, offset)
        if head is None:
            return None
        if head.size > len(data):
            # A rotten size may say 4 GiB: no memory for what the file can't hold.
            if head.end > self._size(copy):
                return None
            data += self._read(copy, offset + len(data), head.size - len(data))
        return (head, data[: head.size]) if batch_is_whole(head, data) else None

    def _read(self, copy: Copy, offset: int, size: int) -> bytes:
        try:
            return copy.read(offset, size)
        except OSError:
            self._unreadable.add(id(copy))
            return b""

    def _size(self, copy: Copy) -> int:
        try:
            return copy.file.size()
        except OSError:
            self._unreadable.add(id(copy))
            return 0

    def candidates(self, floor: int) -> Iterator[BatchHead]:
        """Whole batches that start at or behind ``floor``, last first, on the chain or not.

        Raises Unavailable where every copy had a read error: a later batch may stand there.
        """
        offsets = heapq.merge(*(self._markers(copy, floor) for copy in self.copies), reverse=True)
        before = -1
        for offset in offsets:
            if offset != before and (found := self.batch_at(offset)):
                self._require_readable()
                yield found[0]
            before = offset
        self._require_readable()

    def _require_readable(self) -> None:
        if not self._accept_loss and self._unreadable.issuperset(map(id, self.copies)):
            raise Unavailable(
                f"segment {self.header.segment:016x}: no copy of its log can be read to its end.",
                hint=_UNREADABLE_HINT,
            )

    def _markers(self, copy: Copy, floor: int) -> Iterator[int]:
        """Offsets where the marker stands in one copy, descending."""
        end = self._size(copy)
        floor = max(floor, BLOCK_BYTES)
        while end > floor:
            start = max(floor, end - _WINDOW)
            window = self._read(copy, start, end - start + MARKER_BYTES - 1)
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
