"""An extent: the logical address of one run of bytes, for ever.

This file knows addresses only, not where they lie (``layout``) nor what they mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

BLOCK_BYTES: Final = 4096
"""Objects of at least this size start on a multiple of it."""

EXTENT_BYTES_MAX: Final = 1 << 20
"""An object is cut into extents of at most this size, each with a sum of its own."""


class Extent(NamedTuple):
    """``length`` bytes at ``offset`` of segment ``segment``.

    ``checksum`` is the xxh3-64 (seed 0) of exactly these bytes. The segment id is an
    unsigned 64-bit number, unique between hubs.
    """

    segment: int
    offset: int
    length: int
    checksum: int


Blob = tuple[Extent, ...]
"""The bytes of one object: its extents in order. The empty tuple is the empty object."""

EXTENT_DTYPE: Final = np.dtype(
    [("segment", "<u8"), ("offset", "<u8"), ("length", "<u4"), ("flags", "<u4"), ("checksum", "<u8")]
)
"""An extent on disk and in arrays: 32 bytes, little-endian. ``flags`` is 0 so far."""

ExtentArray = npt.NDArray[np.void]
"""``EXTENT_DTYPE[n]``."""


def blob_size(blob: Iterable[Extent]) -> int:
    """Bytes that a blob holds."""
    return sum(extent.length for extent in blob)


def extents_to_array(extents: Iterable[Extent]) -> ExtentArray:
    """Extents as ``EXTENT_DTYPE[n]``; the array owns its memory."""
    rows = [(e.segment, e.offset, e.length, 0, e.checksum) for e in extents]
    return np.array(rows, dtype=EXTENT_DTYPE)


def array_to_extents(array: ExtentArray) -> Blob:
    """The inverse of :func:`extents_to_array`."""
    return tuple(Extent(s, o, n, c) for s, o, n, _, c in array.tolist())


@dataclass(frozen=True, slots=True)
class Blobs:
    """Many blobs at once: blob i holds ``extents[starts[i]:starts[i + 1]]``.

    ``extents`` is ``EXTENT_DTYPE[m]``, ``starts`` is ``int64[n + 1]``, ascending from 0
    to m. Both are read only by whoever gets them.
    """

    extents: ExtentArray
    starts: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.starts) - 1

    @classmethod
    def of(cls, blobs: Sequence[Blob]) -> Blobs:
        """From tuples of extents."""
        return cls(extents_to_array(e for blob in blobs for e in blob), _starts([len(b) for b in blobs]))

    @classmethod
    def of_raw(cls, raws: Sequence[bytes]) -> Blobs:
        """From encoded extents (``Row.extents_raw``), 32 bytes each."""
        extents = np.frombuffer(b"".join(raws), dtype=EXTENT_DTYPE)
        return cls(extents, _starts(list(map(len, raws))) // EXTENT_DTYPE.itemsize)

    def sizes(self) -> npt.NDArray[np.int64]:
        """Bytes of each blob, ``int64[n]``."""
        ends = np.concatenate(([0], np.cumsum(self.extents["length"], dtype=np.int64)))
        sizes: npt.NDArray[np.int64] = ends[self.starts[1:]] - ends[self.starts[:-1]]
        return sizes

    def blob(self, i: int) -> Blob:
        """One blob as a tuple."""
        return array_to_extents(self.extents[self.starts[i] : self.starts[i + 1]])


def _starts(counts: Sequence[int]) -> npt.NDArray[np.int64]:
    starts = np.zeros(len(counts) + 1, dtype=np.int64)
    np.cumsum(counts, out=starts[1:])
    return starts
