"""The content of new strips, window by window: bytes that live in a segment, or are to."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from maruhub.errors import MaruError
from maruhub.store.format.batch import BatchHead
from maruhub.store.format.extent import Blobs, ExtentArray
from maruhub.store.read.reader import Reader
from maruhub.store.seal.plan import Copying, Pieces
from maruhub.store.seal.source import Source

I64 = npt.NDArray[np.int64]
_Part = tuple[int, int, int, int, memoryview]
"""File, place, length and skip as in ``Copying``, and the piece's bytes."""
ReadPieces = Callable[[I64], Sequence[memoryview]]
"""The whole pieces of these sources (see ``Pieces``), in their order."""


class LivePieces:
    """``ReadPieces`` of a segment that an act works on: each checked as it is read.

    Args:
        reader: Reads extents, with another copy's bytes where one is bad.
        source: Of the batches.
        extents: Of the pieces, by number.
        batches: Of the pieces, by number.
    """

    def __init__(
        self, reader: Reader, source: Source, extents: ExtentArray, batches: Sequence[BatchHead]
    ) -> None:
        self._reader = reader
        self._source = source
        self._extents = extents
        self._batches = batches

    def __call__(self, sources: I64) -> list[memoryview]:
        """Raises Corrupt if no intact copy of one of them is left."""
        extents = self._extents[sources[sources >= 0]]
        read = iter(self._reader.read_many(Blobs(extents, np.arange(len(extents) + 1)), verify=True))
        found = []
        for source in sources.tolist():
            data = (
                next(read)
                if source >= 0
                else memoryview(self._source.batch(self._batches[-1 - source].offset))
            )
            if isinstance(data, MaruError):
                raise data
            found.append(data)
        return found


class Content:
    """What the data strips of a segment hold; read once, from front to back.

    Args:
        read: Gives the pieces' bytes.
        pieces: What is copied.
        copying: Where to.
    """

    def __init__(self, read: ReadPieces, *, pieces: Pieces, copying: Copying) -> None:
        self._read_pieces = read
        self._pieces = pieces
        self._copying = copying
        self._next = np.searchsorted(copying.file, np.arange(int(copying.file.max(initial=-1)) + 2))
        self._open: list[_Part] = []
        self.read_bytes = 0

    def fill(self, at: int, buffers: Sequence[memoryview]) -> None:
        """Puts bytes ``[at, at + len)`` of each data strip into its buffer, all of which is set.

        Raises what reading the pieces raises.
        """
        carried, self._open = self._open, []
        parts = self._parts_until([at + len(buffer) for buffer in buffers])
        columns = (column[parts].tolist() for column in self._copying[:3])
        skips = self._copying.skip[parts].tolist()
        done = [0] * len(buffers)
        for part in [*carried, *zip(*columns, skips, self._read(parts), strict=True)]:
            self._put(part, at, buffers[part[0]], done)
        for buffer, filled in zip(buffers, done, strict=True):
            _set_zeros(buffer, filled, len(buffer))

    def _parts_until(self, ends: Sequence[int]) -> I64:
        """Parts that begin before each file's end and were not read yet."""
        found = []
        for file, end in enumerate(ends[: len(self._next) - 1]):
            first, stop = int(self._next[file]), int(np.searchsorted(self._copying.file, file, side="right"))
            last = first + int(np.searchsorted(self._copying.place[first:stop], end))
            self._next[file] = last
            found.append(np.arange(first, last))
        return np.concatenate(found) if found else np.zeros(0, np.int64)

    def _read(self, parts: I64) -> Sequence[memoryview]:
        found = self._read_pieces(self._pieces.source[self._copying.piece[parts]])
        self.read_bytes += sum(map(len, found))
        return found

    def _put(self, part: _Part, at: int, buffer: memoryview, done: list[int]) -> None:
        file, place, length, skip, data = part
        start, stop = place - at, place - at + length
        if done[file] < start:
            _set_zeros(buffer, done[file], start)
        if start >= 0 and stop <= len(buffer) and length == len(data):
            buffer[start:stop] = data
        else:
            first, last = max(start, 0), min(stop, len(buffer))
            buffer[first:last] = data[skip + first - start : skip + last - start]
            if stop > len(buffer):
                self._open.append(part)
                stop = last
        if done[file] < stop:
            done[file] = stop


def _set_zeros(buffer: memoryview, start: int, stop: int) -> None:
    """Nothing that lives is there; the buffer still holds what was there before."""
    if start < stop:
        buffer[start:stop] = bytes(stop - start)
