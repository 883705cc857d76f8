"""An extent: the logical address of one run of bytes, for ever.

This file knows addresses only, not where they lie (``layout``) nor what they mean.
"""

from __future__ import annotations

from collections.abc import Iterable
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
