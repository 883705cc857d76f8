"""What lives in a segment: the bytes that rows name, found from the rows that point back.

An extent lives while a row names it, or while a row does whose own bytes point to it (a
manifest's fragment). Read here before an act, and asked again inside the turn that ends it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from maruhub.errors import Unavailable
from maruhub.index.protocol import Index, IndexTxn
from maruhub.store.format.extent import EXTENT_BYTES_MAX, Blobs, ExtentArray
from maruhub.store.format.liveness import REFERENCE_PREFIX, SEGMENT_PREFIX, reference_keys
from maruhub.store.format.row import Row, blobs_of
from maruhub.store.protocol import prefix_end

I64 = npt.NDArray[np.int64]
Rows = Index | IndexTxn
Resolve = Callable[[Row], ExtentArray | None]
"""The extents that the bytes of a row with a segment list point to, or None: can't be told."""

_PAGE: Final = 4096


@dataclass(frozen=True, slots=True)
class Live:
    """What lived in a segment when it was looked at.

    Args:
        extents: ``EXTENT_DTYPE[n]``, distinct, sorted by offset.
        owners: ``int64[n]``; extents of one object have one number.
        references: Keys of the reference rows whose owners were read and name what they say.
        pointers: Of rows that name the segment as a whole: reference row's key → the
            counter of the row.
    """

    extents: ExtentArray
    owners: I64
    references: frozenset[bytes]
    pointers: dict[bytes, int]


def find_live(rows: Rows, segment: int, resolve: Resolve) -> Live:
    """Everything that lives in a segment.

    Raises Unavailable if it can't be told: then all of it has to stay where it is.
    """
    references = list(_scan(rows, REFERENCE_PREFIX, segment))
    owners = [Row(key, raw) for key, raw in _present(rows, dict.fromkeys(own for _, own in references))]
    extents, numbers = _in_segment(blobs_of(owners), segment)
    parts, owned = [extents], [numbers]
    pointers = {}
    for key, row in _pointing(rows, segment):
        found = resolve(row)
        if found is None:
            raise Unavailable(
                f"segment {segment:016x}: what {row.key!r} points to in it can't be read.",
                hint="Nothing is left out of it until then; see `maru check`.",
            )
        pointers[key] = row.counter
        mine = found[found["segment"] == segment]
        parts.append(mine)
        owned.append(_joined(mine) + (len(owners) + sum(map(len, owned))))
    extents, numbers = _distinct(np.concatenate(parts), np.concatenate(owned))
    # An owner may have changed between the two looks, and be again as it was when it is asked
    # anew: a reference counts as followed only if the owner, as it was read, has it.
    had = {key for owner in owners for key in reference_keys(owner)}
    return Live(extents, numbers, frozenset(had.intersection(key for key, _ in references)), pointers)


def is_still_live_within(rows: Rows, segment: int, live: Live) -> bool:
    """Whether nothing lives in the segment now that ``live`` doesn't hold."""
    if {key: row.counter for key, row in _pointing(rows, segment)}.items() - live.pointers.items():
        return False
    new = dict.fromkeys(
        own for key, own in _scan(rows, REFERENCE_PREFIX, segment) if key not in live.references
    )
    if not new:
        return True
    owners = [Row(key, raw) for key, raw in _present(rows, new)]
    extents, _ = _in_segment(blobs_of(owners), segment)
    return set(extents.tolist()) <= set(live.extents.tolist())


def _pointing(rows: Rows, segment: int) -> Iterator[tuple[bytes, Row]]:
    """Reference row's key and row of all that name the segment as a whole."""
    found = list(_scan(rows, SEGMENT_PREFIX, segment))
    raws = dict(_present(rows, dict.fromkeys(owner for _, owner in found)))
    for key, owner in found:
        if owner in raws:
            yield key, Row(owner, raws[owner])


def _scan(rows: Rows, prefix: bytes, segment: int) -> Iterator[tuple[bytes, bytes]]:
    start = prefix + segment.to_bytes(8, "big")
    stop = prefix_end(start)
    while page := rows.scan(start, stop, _PAGE):
        yield from page
        if len(page) < _PAGE:
            return
        start = page[-1][0] + b"\0"


def _present(rows: Rows, keys: dict[bytes, None]) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of those that are there; one that has gone since took its reference along."""
    left = iter(keys)
    while page := list(itertools.islice(left, _PAGE)):
        for key, raw in zip(page, rows.get_many(page), strict=True):
            if raw is not None:
                yield key, raw


def _in_segment(blobs: Blobs, segment: int) -> tuple[ExtentArray, I64]:
    numbers = np.repeat(np.arange(len(blobs)), np.diff(blobs.starts))
    mine = blobs.extents["segment"] == segment
    return blobs.extents[mine], numbers[mine]


def _joined(extents: ExtentArray) -> I64:
    """Numbers of objects in a list of their extents: an object's are full and one behind the other."""
    if not len(extents):
        return np.zeros(0, np.int64)
    full = extents["length"][:-1] == EXTENT_BYTES_MAX
    behind = extents["offset"][1:] == extents["offset"][:-1] + extents["length"][:-1]
    numbers: I64 = np.concatenate(([0], np.cumsum(~(full & behind))))
    return numbers


def _distinct(extents: ExtentArray, owners: I64) -> tuple[ExtentArray, I64]:
    """Sorted by offset, each once, with its first owner."""
    order = np.lexsort((owners, extents["checksum"], extents["length"], extents["offset"]))
    extents, owners = extents[order], owners[order]
    same = np.ones(max(len(extents) - 1, 0), bool)
    for field in ("offset", "length", "checksum"):
        same &= extents[field][1:] == extents[field][:-1]
    first = np.concatenate((np.ones(min(len(extents), 1), bool), ~same))
    return extents[first], owners[first]
