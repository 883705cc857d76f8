"""Which bytes nothing would name any more once some rows are gone, and who names the rest.

For people only: a dry run's figures. What is freed is decided by the store's acts, which
look for themselves at what lives, inside their own turn.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from maruhub.care.reclaim.part import Finding
from maruhub.store.format.extent import EXTENT_DTYPE, ExtentArray
from maruhub.store.format.liveness import REFERENCE_PREFIX, SEGMENT_PREFIX
from maruhub.store.format.row import Row
from maruhub.store.protocol import Store, prefix_end, scan_all

Resolve = Callable[[Row], ExtentArray | None]
"""The extents into which the blob of a row with a segment list points; None: can't tell."""

_OFFSET: Final = slice(10, 18)
_PAGE: Final = 5000
UNKNOWN: Final = "something that can't be read"


@dataclass(frozen=True, slots=True)
class Dead:
    """What would become of the bytes of each finding.

    Args:
        freed_bytes: ``int64[n]``: that nothing else names; shared ones count for the first.
        kept_bytes: ``int64[n]``: that something else names.
        holders: Per finding the name of one that does, empty if there is none.
    """

    freed_bytes: npt.NDArray[np.int64]
    kept_bytes: npt.NDArray[np.int64]
    holders: list[str]


def find_dead(
    store: Store, over: Sequence[Finding], *, resolve: Resolve, name_row: Callable[[bytes], str]
) -> Dead:
    """Looks up who else names the bytes of the rows ``over``, a segment at a time."""
    dying = {finding.key for finding in over}
    extents = np.frombuffer(b"".join(finding.extents_raw for finding in over), EXTENT_DTYPE)
    counts = [len(finding.extents_raw) // EXTENT_DTYPE.itemsize for finding in over]
    owners = np.repeat(np.arange(len(over)), counts)
    dead = Dead(np.zeros(len(over), np.int64), np.zeros(len(over), np.int64), [""] * len(over))
    for segment in np.unique(extents["segment"]).tolist():
        mine = np.flatnonzero(extents["segment"] == segment)
        mine = mine[np.unique(extents["offset"][mine], return_index=True)[1]]
        holders = _holders(store, segment, extents["offset"][mine], dying, resolve)
        for at, holder in zip(mine.tolist(), holders, strict=True):
            owner, length = int(owners[at]), int(extents["length"][at])
            (dead.freed_bytes if holder is None else dead.kept_bytes)[owner] += length
            if holder is not None and not dead.holders[owner]:
                dead.holders[owner] = name_row(holder) if holder else UNKNOWN
    return dead


def _holders(
    store: Store, segment: int, offsets: npt.NDArray[np.uint64], dying: Collection[bytes], resolve: Resolve
) -> list[bytes | None]:
    """For each offset the key of a row that stays and names it; ``b""``: nobody can tell."""
    wanted = set(offsets.tolist())
    found: dict[int, bytes] = {}
    for key, owner in _references(store, REFERENCE_PREFIX, segment):
        offset = int.from_bytes(key[_OFFSET], "big")
        if offset in wanted and owner not in dying:
            found.setdefault(offset, owner)
    for _, owner in _references(store, SEGMENT_PREFIX, segment):
        row = None if owner in dying else store.get_many([owner])[0]
        if row is None:
            continue
        named = resolve(row)
        if named is None:
            return [b""] * len(offsets)
        there = named["offset"][named["segment"] == segment]
        for offset in offsets[np.isin(offsets, there)].tolist():
            # A version's name says more than that of an object that will be gone one day too.
            found[offset] = owner
    return [found.get(offset) for offset in offsets.tolist()]


def _references(store: Store, prefix: bytes, segment: int) -> Iterator[tuple[bytes, bytes]]:
    """Reference rows of a segment: key, and the key of the row that names it."""
    start = prefix + segment.to_bytes(8, "big")
    for row in scan_all(store, start, prefix_end(start), page=_PAGE):
        yield row.key, row.raw
