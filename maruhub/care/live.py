"""How much of each segment lives: pages that some row names, counted once however often."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import numpy as np
import numpy.typing as npt

from maruhub.store.format.extent import BLOCK_BYTES, EXTENT_DTYPE, ExtentArray
from maruhub.store.format.row import Row
from maruhub.store.protocol import Store, scan_all

Resolve = Callable[[Row], ExtentArray | None]
"""What the blob of a row points into, for rows that name segments as a whole; None: can't tell."""

_FIRST_KEY: Final = b"\x02"
_LAST_KEY: Final = b"\xff"
_EXTENTS_A_ROUND: Final = 200_000

Pages = npt.NDArray[np.bool_]


class LivePages:
    """Bitmaps of live pages by segment; 8 KB for one of 256 MiB."""

    def __init__(self) -> None:
        self._pages: dict[int, Pages] = {}
        self._whole: set[int] = set()

    def add(self, extents: ExtentArray) -> None:
        """Takes in ``EXTENT_DTYPE[n]``, of any segments."""
        for segment in np.unique(extents["segment"]).tolist():
            mine = extents[extents["segment"] == segment]
            first = (mine["offset"] // BLOCK_BYTES).astype(np.int64)
            stop = -(-(mine["offset"] + mine["length"]).astype(np.int64) // BLOCK_BYTES)
            edges = np.zeros(int(stop.max()) + 1, np.int32)
            np.add.at(edges, first, 1)
            np.add.at(edges, stop, -1)
            self._merge(segment, np.cumsum(edges[:-1]) > 0)

    def _merge(self, segment: int, pages: Pages) -> None:
        known = self._pages.get(segment)
        if known is not None:
            longer, shorter = (known, pages) if len(known) >= len(pages) else (pages, known)
            longer[: len(shorter)] |= shorter
            pages = longer
        self._pages[segment] = pages

    def add_whole(self, segments: Iterable[int]) -> None:
        """Segments of which nothing can be said: all of them lives."""
        self._whole.update(segments)

    def bytes_in(self, segment: int) -> int | None:
        """Bytes in live pages of a segment; None where all of it counts as live."""
        if segment in self._whole:
            return None
        pages = self._pages.get(segment)
        return 0 if pages is None else int(np.count_nonzero(pages)) * BLOCK_BYTES


def find_live(store: Store, resolve: Resolve, progress: Callable[[int], None] | None = None) -> LivePages:
    """Reads all rows once; ``progress`` hears of how many so far."""
    live = LivePages()
    raws: list[bytes] = []
    waiting = 0
    for rows, row in enumerate(scan_all(store, _FIRST_KEY, _LAST_KEY), 1):
        raws.append(row.extents_raw)
        waiting += len(raws[-1]) // EXTENT_DTYPE.itemsize
        if row.segments:
            named = resolve(row)
            live.add_whole(row.segments) if named is None else live.add(named)
        if waiting >= _EXTENTS_A_ROUND:
            live.add(np.frombuffer(b"".join(raws), EXTENT_DTYPE))
            raws, waiting = [], 0
            if progress:
                progress(rows)
    live.add(np.frombuffer(b"".join(raws), EXTENT_DTYPE))
    return live
