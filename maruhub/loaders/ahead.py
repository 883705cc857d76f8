"""Reading in a known order: announced ahead, read by place, put back in order.

Whoever knows what comes next (a loader's epoch, a list that a client sent) cuts it into
*pieces* and runs them through here. A few pieces are announced before the first of them is
read, so that the drive's queue never runs dry; the very first is read at once, so that the
first bytes come early.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from maruhub.errors import MaruError
from maruhub.loaders.stats import Meter
from maruhub.store.format.extent import Blobs
from maruhub.store.read.checking import CHECKING

if TYPE_CHECKING:
    from maruhub.store.protocol import Store


class Addressed(Protocol):
    """Something to read."""

    def blobs(self) -> Blobs:
        """Where its bytes are, in the order in which they are wanted."""


P = TypeVar("P", bound=Addressed)
_NOT_YET: Final = memoryview(b"")


@dataclass(frozen=True, slots=True)
class Window:
    """How far the reader looks ahead.

    Attributes:
        chunk_samples: Samples planned at once (at least a batch).
        piece_extents: Extents announced and read in one call. 64 keep a drive busy; more of them make
            the price of a call little beside that of small samples.
        piece_bytes: Bytes announced in one call at most (at least one sample).
        pieces_ahead: Pieces announced but not read yet.
    """

    chunk_samples: int = 2048
    piece_extents: int = 1024
    piece_bytes: int = 16 << 20
    pieces_ahead: int = 4


def read_ahead(
    store: Store, pieces: Iterator[P], *, window: Window, meter: Meter, verify: bool = True
) -> Iterator[tuple[P, list[memoryview | MaruError]]]:
    """Each piece with what was read for it, in order; lazily, ``window.pieces_ahead`` announced."""
    announced: deque[P] = deque()
    ahead = 1  # The first need not wait until the whole window is announced.
    for piece in pieces:
        with meter.stage("announce"):
            store.announce(piece.blobs().extents)
        announced.append(piece)
        if len(announced) >= ahead:
            yield _read(store, announced.popleft(), meter, verify=verify)
            ahead = min(ahead + 1, max(1, window.pieces_ahead))
    while announced:
        yield _read(store, announced.popleft(), meter, verify=verify)


def _read(store: Store, piece: P, meter: Meter, *, verify: bool) -> tuple[P, list[memoryview | MaruError]]:
    checked = CHECKING.seconds
    with meter.stage("read"):
        results = read_by_place(store, piece.blobs(), verify=verify)
    # The store checks what it reads in the same call; it keeps the time of the thread that calls.
    meter.seconds["verify"] += CHECKING.seconds - checked
    meter.seconds["read"] -= CHECKING.seconds - checked
    return piece, results


def cut(blobs: Blobs, window: Window) -> Iterator[tuple[int, int]]:
    """Cuts blobs into runs of at most the window's extents and bytes, at least one blob."""
    extents = blobs.starts
    size_bytes = np.concatenate(([0], np.cumsum(blobs.sizes())))
    lo, n = 0, len(blobs)
    while lo < n:
        by_extents = int(np.searchsorted(extents, extents[lo] + window.piece_extents, side="right")) - 1
        by_bytes = int(np.searchsorted(size_bytes, size_bytes[lo] + window.piece_bytes, side="right")) - 1
        hi = min(n, max(lo + 1, min(by_extents, by_bytes)))
        yield lo, hi
        lo = hi


def read_by_place(store: Store, blobs: Blobs, *, verify: bool) -> list[memoryview | MaruError]:
    """Reads blobs in the order of their addresses; results stand in the order asked."""
    order = place_order(blobs)
    results = store.read_many(take_blobs(blobs, order), verify=verify)
    in_order: list[memoryview | MaruError] = [_NOT_YET] * len(results)
    for i, result in zip(order.tolist(), results, strict=True):
        in_order[i] = result
    return in_order


def place_order(blobs: Blobs) -> npt.NDArray[np.int64]:
    """Indices that sort blobs by the segment and offset of their first extent."""
    if not len(blobs.extents):
        return np.arange(len(blobs))
    first = blobs.extents[np.minimum(blobs.starts[:-1], len(blobs.extents) - 1)]
    return np.lexsort((first["offset"], first["segment"]))


def take_blobs(blobs: Blobs, indices: npt.NDArray[np.int64]) -> Blobs:
    """The blobs at ``indices``, with extents copied into a new array."""
    counts = np.diff(blobs.starts)[indices]
    starts = np.zeros(len(indices) + 1, dtype=np.int64)
    np.cumsum(counts, out=starts[1:])
    shift = np.repeat(blobs.starts[:-1][indices] - starts[:-1], counts)
    return Blobs(blobs.extents[np.arange(starts[-1]) + shift], starts)
