"""How much a pool's blades can take: room on one, the reserve, and what fits on uneven ones. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

_RESERVE_PERCENT: Final = 2
_RESERVE_SEGMENTS_MAX: Final = 4
_RESERVE_PERCENT_MAX: Final = 10


class Room(NamedTuple):
    """What a drive says of itself. ``total_bytes`` 0: it doesn't say."""

    free_bytes: int
    total_bytes: int = 0
    read_only: bool = False


def reserve_bytes(total_bytes: int, segment_bytes: int) -> int:
    """Kept free of new data on a drive of that size, for deletes' records, repair and compaction.

    2 % of the drive, but one segment at least and four at most (nothing that uses it ever needs
    more room than one), and never more than 10 % of a small drive.
    """
    wanted = max(total_bytes * _RESERVE_PERCENT // 100, segment_bytes)
    wanted = min(wanted, _RESERVE_SEGMENTS_MAX * segment_bytes)
    return min(wanted, total_bytes * _RESERVE_PERCENT_MAX // 100)


def usable_bytes(sizes: Sequence[int], k: int, m: int) -> int:
    """How many bytes of data fit when each segment's ``k + m`` files lie on different blades.

    With files of one unit: t segments fit just if Σ min(size, t) ≥ (k + m) · t, for no blade
    takes two files of one segment (R. McNaughton's wrap-around rule lays them out). The
    left side falls behind the right one for good, so t is found by halving.

    Args:
        sizes: Bytes that each blade can take.
        k: Data files of a segment.
        m: Parity files of a segment (or further copies, with ``k`` = 1).
    """
    if k < 1 or m < 0 or len(sizes) < k + m:
        return 0
    low, high = 0, sum(sizes) // (k + m)
    while low < high:
        middle = (low + high + 1) // 2
        if sum(min(size, middle) for size in sizes) >= (k + m) * middle:
            low = middle
        else:
            high = middle - 1
    return k * low
