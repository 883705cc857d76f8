"""Which position is the i-th live one: looked up in the removals' bitmap, never listed.

A list of live positions costs 8 bytes a sample in every process; this costs a counter for each
512 positions, and the bitmap stays where it is mapped. (Succinct rank and select; Jacobson,
"Space-efficient static trees and graphs", FOCS 1989.)
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

_BLOCK_BYTES: Final = 64
_CHUNK_BYTES: Final = 1 << 20
_AT_ONCE: Final = 1 << 12


class LiveRows:
    """The live positions of a version, in order. Safe from many threads.

    Args:
        removed: ``uint8[⌈positions / 8⌉]``: bit i of byte j is set where position 8 j + i is
            removed; kept, not copied.
        positions: How many there are; the bits behind count as removed.
    """

    def __init__(self, removed: npt.NDArray[np.uint8], positions: int) -> None:
        self._removed = removed
        self._last_byte = (positions - 1) // 8
        # In the last byte positions end; what is behind it is not live.
        self._last_mask = np.uint8(0xFF >> (7 - (positions - 1) % 8)) if positions else np.uint8(0)
        counts = [self._count(at) for at in range(0, self._last_byte + 1, _CHUNK_BYTES)]
        blocks = np.concatenate(counts) if counts else np.empty(0, dtype=np.uint64)
        self._before = np.concatenate(([0], np.cumsum(blocks))).astype(np.uint64)

    def __len__(self) -> int:
        return int(self._before[-1])

    def at(self, rows: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        """The positions of the ``rows``-th live ones (each from 0, below ``len``), ``int64[m]``."""
        found = np.empty(len(rows), dtype=np.int64)
        for start in range(0, len(rows), _AT_ONCE):
            found[start : start + _AT_ONCE] = self._at(rows[start : start + _AT_ONCE].astype(np.uint64))
        return found

    def _at(self, rows: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
        blocks = np.searchsorted(self._before, rows, side="right") - 1
        rest = (rows - self._before[blocks]).astype(np.int64)
        live = self._bytes(blocks[:, None] * _BLOCK_BYTES + np.arange(_BLOCK_BYTES))
        ends = np.cumsum(np.bitwise_count(live), axis=1, dtype=np.int64)
        byte = (ends <= rest[:, None]).sum(axis=1)
        each = np.arange(len(rows))
        chosen = live[each, byte]
        rest -= ends[each, byte] - np.bitwise_count(chosen)
        bits = np.cumsum(np.unpackbits(chosen[:, None], axis=1, bitorder="little"), axis=1)
        bit = (bits <= rest[:, None]).sum(axis=1)
        found: npt.NDArray[np.int64] = (blocks * _BLOCK_BYTES + byte) * 8 + bit
        return found

    def _count(self, start: int) -> npt.NDArray[np.uint64]:
        """Live positions of each block from byte ``start`` on, through a chunk."""
        stop = min(start + _CHUNK_BYTES, self._last_byte + 1)
        counts = np.bitwise_count(self._bytes(np.arange(start, stop)))
        whole = np.zeros(-(-len(counts) // _BLOCK_BYTES) * _BLOCK_BYTES, dtype=np.uint64)
        whole[: len(counts)] = counts
        counted: npt.NDArray[np.uint64] = whole.reshape(-1, _BLOCK_BYTES).sum(axis=1)
        return counted

    def _bytes(self, at: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        """The bitmap's bytes with live positions as ones; 0 behind its end."""
        live = ~self._removed[np.minimum(at, self._last_byte)]
        live[at == self._last_byte] &= self._last_mask
        live[at > self._last_byte] = 0
        return live
