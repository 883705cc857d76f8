"""The bytes of an object or of a range of it, piece by piece: what is in memory waits for nobody."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Final

import numpy as np

from maruhub.namespace.object import ObjectInfo
from maruhub.namespace.reads import ObjectReads
from maruhub.store.format.extent import EXTENT_BYTES_MAX, EXTENT_DTYPE, Extent

AtOnce = Callable[[Extent, bytearray | None], bytearray | None]
"""A checked copy of an extent that is in memory, else None; in the buffer, where that has its length."""

_TOGETHER: Final = 8
"""Extents that are read at a time where a drive has to be waited for."""

# Fresh memory costs a page fault each 4 KiB, a third of what reading into it does.
_SPARE: Final[deque[bytearray]] = deque(maxlen=8)


class ObjectPieces(Iterator[bytes | bytearray]):
    """At most 1 MiB at a time, each checked; used by one thread at a time.

    Args:
        objects: Reads what has to be waited for.
        info: The version.
        offset: Where the range begins.
        length: Its size in bytes, which lies within the object.
        at_once: None: whatever is read may be waited for.
    """

    def __init__(
        self, objects: ObjectReads, info: ObjectInfo, offset: int, length: int, *, at_once: AtOnce | None
    ) -> None:
        self._objects = objects
        self._info = info
        self._at_once = at_once
        self._extents = np.frombuffer(info.extents_raw, EXTENT_DTYPE)
        self._ends = np.cumsum(self._extents["length"], dtype=np.int64)
        self._at, self._end = offset, offset + length
        self._next = int(np.searchsorted(self._ends, offset, side="right"))
        self._read: deque[memoryview] = deque()
        self._buffer: bytearray | None = None

    def __next__(self) -> bytes | bytearray:
        """The next piece, read from wherever it is; raises what ``ObjectReads.chunks`` does."""
        if not self._read and self._at < self._end:
            last = min(self._next + _TOGETHER, len(self._ends))
            size_bytes = min(int(self._ends[last - 1]), self._end) - self._at
            self._read.extend(self._objects.chunks(self._info, offset=self._at, length=size_bytes))
            self._next = last
            self._at += size_bytes
        if not self._read:
            raise StopIteration
        return bytes(self._read.popleft())

    def at_once(self) -> bytes | bytearray | None:
        """The next piece if nobody has to wait for it; None: ask ``next`` in a thread. Empty at the end.

        It is the caller's until the next call.
        """
        if self._read:
            return bytes(self._read.popleft())
        if self._at >= self._end:
            if self._buffer is not None:
                _SPARE.append(self._buffer)
                self._buffer = None
            return b""
        if self._at_once is None:
            return None
        if self._buffer is None:
            try:
                self._buffer = _SPARE.pop()
            except IndexError:
                self._buffer = bytearray(EXTENT_BYTES_MAX)
        segment, offset, length, _, checksum = self._extents[self._next].tolist()
        data = self._at_once(Extent(segment, offset, length, checksum), self._buffer)
        if data is None:
            return None
        behind = int(self._ends[self._next])
        start, stop = self._at - (behind - length), min(self._end, behind) - (behind - length)
        self._next += 1
        self._at += stop - start
        return data if stop - start == length else data[start:stop]
