"""A saved view's positions, where they are mapped: shared by all processes, not a list in each.

They lie in extents of at most 1 MiB, in as many segments as it takes, and copies of a log take
turns in being read: what is put together of several extents may have to be copied. So each
extent is an array of its own, and a look-up goes to those that it needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from maruhub.errors import Corrupt, MaruError
from maruhub.store.format.extent import Blobs

if TYPE_CHECKING:
    from maruhub.store.format.extent import ExtentArray
    from maruhub.store.protocol import Store


class MappedPositions:
    """``uint64[n]`` in parts. Safe from many threads; it lives as long as it is referenced.

    Args:
        parts: ``uint64[…]`` each, in order.
    """

    def __init__(self, parts: list[npt.NDArray[np.uint64]]) -> None:
        self._parts = parts
        self._starts = np.concatenate(([0], np.cumsum([len(part) for part in parts]))).astype(np.int64)

    @classmethod
    def read(cls, store: Store, extents: ExtentArray) -> MappedPositions:
        """Those that extents hold; raises what reading raises, Corrupt for what are no positions."""
        parts = []
        for part in store.read_many(Blobs(extents, np.arange(len(extents) + 1, dtype=np.int64))):
            if isinstance(part, MaruError):
                raise part
            if len(part) % 8:
                raise Corrupt("a saved view's positions are no whole numbers.", hint="Run `maru check`.")
            parts.append(np.frombuffer(part, dtype="<u8"))
        return cls(parts)

    def __len__(self) -> int:
        return int(self._starts[-1])

    def take(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The positions of rows, each from 0 and below ``len``; in their order."""
        found = np.empty(len(rows), dtype=np.int64)
        owners = np.searchsorted(self._starts, rows, side="right") - 1
        by_part = np.argsort(owners, kind="stable")
        ends = np.searchsorted(owners[by_part], np.arange(len(self._parts)), side="right").tolist()
        for i, (start, end) in enumerate(zip([0, *ends], ends, strict=False)):
            if start < end:
                chosen = by_part[start:end]
                found[chosen] = self._parts[i][rows[chosen] - self._starts[i]]
        return found

    def whole(self) -> npt.NDArray[Any]:
        """All of them in one array: a copy where they are in several parts."""
        if not self._parts:
            return np.empty(0, dtype=np.uint64)
        return self._parts[0] if len(self._parts) == 1 else np.concatenate(self._parts)
