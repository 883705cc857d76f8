"""Cutting a segment into strips: what goes where. Pure.

What lives is copied in whole pages of 4 KiB, so that every place ≡ its offset (mod 4 KiB).
The cuts lie at borders of objects, where the strips come out nearly equal: a read of an
object touches one blade. Small objects packed into one page may have to be on both sides
of a cut; that page is then in both strips.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from maruhub.store.format.extent import BLOCK_BYTES
from maruhub.store.format.layout import Range

I64 = npt.NDArray[np.int64]
_NO_RUNS: Final = np.zeros((0, 2), np.int64)


class Cutting(NamedTuple):
    """Ranges sorted by start, their places counted from ``data_at`` 0; bytes of each strip."""

    ranges: tuple[Range, ...]
    lengths: tuple[int, ...]


def merge_runs(runs: I64) -> I64:
    """Touching and overlapping ``int64[n, 2]`` runs (start, end) as few, sorted."""
    if not len(runs):
        return _NO_RUNS
    runs = runs[np.lexsort((runs[:, 1], runs[:, 0]))]
    reach = np.maximum.accumulate(runs[:, 1])
    first = np.concatenate(([True], runs[1:, 0] > reach[:-1]))
    last = np.concatenate((first[1:], [True]))
    return np.column_stack((runs[first, 0], reach[last]))


def page_runs(runs: I64) -> I64:
    """The whole pages that ``int64[n, 2]`` runs of bytes touch, as few sorted runs."""
    return (
        merge_runs(np.column_stack((runs[:, 0] // BLOCK_BYTES, -(-runs[:, 1] // BLOCK_BYTES)))) * BLOCK_BYTES
    )


def cut_into_strips(units: I64, data: int) -> Cutting:
    """Ranges and lengths of ``data`` strips that hold all units.

    Args:
        units: What must not be cut, ``int64[n, 2]`` (start, end), sorted by start and
            disjoint: objects, or extents of an object that is longer than a strip.
        data: Number of strips.
    """
    ranges: list[Range] = []
    lengths = []
    for number, (first, last) in enumerate(_shares(units, data)):
        place = 0
        for start, end in page_runs(units[first:last]).tolist():
            ranges.append(Range(start, end - start, place, number))
            place += end - start
        lengths.append(place)
    # Strips hold ascending units, so the ranges ascend too; a shared page makes two overlap.
    return Cutting(tuple(ranges), tuple(lengths))


def _shares(units: I64, data: int) -> list[tuple[int, int]]:
    """First and last + 1 unit of each strip: cuts where the pages before come nearest."""
    before = np.concatenate(([0], np.cumsum(_new_pages(units))))
    ideal = np.arange(1, data) * (before[-1] / data)
    cuts = np.minimum(np.searchsorted(before, ideal), len(units))
    nearer = (cuts > 0) & (ideal - before[np.maximum(cuts - 1, 0)] < before[cuts] - ideal)
    borders = [0, *np.maximum.accumulate(cuts - nearer).tolist(), len(units)]
    return list(itertools.pairwise(borders))


def _new_pages(units: I64) -> I64:
    """Pages that each unit touches and the ones before it don't."""
    if not len(units):
        return np.zeros(0, np.int64)
    first, stop = units[:, 0] // BLOCK_BYTES, -(-units[:, 1] // BLOCK_BYTES)
    reached = np.concatenate(([0], np.maximum.accumulate(stop)[:-1]))
    return np.maximum(stop - np.maximum(first, reached), 0)


def units_of(runs: Sequence[tuple[int, int, int]], strip_bytes: int) -> I64:
    """Units from extents ``(start, end, owner)``: whole objects where they fit into a strip.

    An object is a row of extents of one owner that lie one behind the other. Extents that
    overlap (two objects that share bytes) make one unit.
    """
    units: list[list[int]] = []
    owner_before = None
    for start, end, owner in sorted(runs):
        joined = units and start == units[-1][1] and owner == owner_before
        if units and (start < units[-1][1] or (joined and end - units[-1][0] <= strip_bytes)):
            units[-1][1] = max(units[-1][1], end)
        else:
            units.append([start, end])
        owner_before = owner
    return np.array(units, np.int64).reshape(-1, 2)
