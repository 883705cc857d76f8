"""Many permutations at once: each position in one of its own, with its own size and key.

Pure, and as much a format as ``permutation``, whose network it runs: where an epoch falls into
thousands of small parts (classes, windows, stages), a call for each would be all the time there
is. Values of these orders are frozen in a test; the formula stands in
``docs/internals/order.md``.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

import numpy as np

from maruhub.loaders.permutation import ROUNDS, ROUNDS_SMALL, SMALL, Positions, encrypt, epoch_bytes

_TAG: Final = b"maruhub order 2\0"
_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
# The finaliser of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
_MIX_1: Final = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2: Final = np.uint64(0x94D049BB133111EB)


def base_key(seed: int, purpose: bytes, epoch: int | None = None) -> np.uint64:
    """The key of one use of a seed: the first 8 bytes of SHA-256(tag, seed, purpose).

    Where it is of one epoch, the epoch's number (u64, little-endian) follows the purpose.
    """
    if epoch is not None:
        purpose += epoch_bytes(epoch)
    digest = hashlib.sha256(_TAG + seed.to_bytes(8, "little") + purpose).digest()
    return np.uint64(int.from_bytes(digest[:8], "little"))


def keyed(key: Positions | np.uint64, number: Positions) -> Positions:
    """A hash of numbers under a key each, ``uint64[m]``: the key of what they number."""
    with np.errstate(over="ignore"):
        h = (key ^ _mix(number * _GOLDEN + _GOLDEN)) + _GOLDEN
        return _mix(h)


def permute_each(positions: Positions, sizes: Positions, keys: Positions) -> Positions:
    """Where each position (below its size) points in the permutation of its size and key.

    Over all positions of one size and key, each value below the size comes exactly once.
    Costs about 0.3 µs a position of small parts, 0.1 µs where sizes are 4,096 or more.
    """
    small = sizes < SMALL
    if small.all():
        return _walk(positions, sizes, keys, ROUNDS_SMALL)
    if not small.any():
        return _walk(positions, sizes, keys, ROUNDS)
    result = np.empty_like(positions)
    for chosen, rounds in ((small, ROUNDS_SMALL), (~small, ROUNDS)):
        result[chosen] = _walk(positions[chosen], sizes[chosen], keys[chosen], rounds)
    return result


def _walk(positions: Positions, sizes: Positions, keys: Positions, rounds: int) -> Positions:
    rows, columns = _grids(sizes)
    round_keys = [keyed(keys, np.uint64(i)) for i in range(rounds)]  # type: ignore[arg-type]
    result = encrypt(positions, rows, columns, round_keys)
    while len(out := np.flatnonzero(result >= sizes)):
        result[out] = encrypt(result[out], rows[out], columns[out], [key[out] for key in round_keys])
    return result


def _grids(sizes: Positions) -> tuple[Positions, Positions]:
    """As ``permutation.grid_of``, for each size: an even number of rows, no fewer than its root."""
    rows = np.ceil(np.sqrt(sizes.astype(np.float64))).astype(np.uint64)
    # A root rounded to a double may be one off where sizes pass 2**52.
    rows += (rows * rows < sizes).astype(np.uint64)
    rows -= ((rows - 1) * (rows - 1) >= sizes).astype(np.uint64)
    rows += rows % 2
    return rows, (sizes + rows - 1) // rows


def _mix(values: Positions) -> Positions:
    h = (values ^ (values >> np.uint64(30))) * _MIX_1
    h = (h ^ (h >> np.uint64(27))) * _MIX_2
    return h ^ (h >> np.uint64(31))


@dataclass(frozen=True, slots=True)
class Lanes:
    """Endless draws from parts of some rows: pass after pass, each a permutation of its part.

    Attributes:
        sizes: ``uint64[k]``: rows of each part; the rows of part i follow those of part i - 1.
        key: What all of its permutations are made from.
    """

    sizes: Positions
    key: np.uint64

    def draw(self, parts: Positions, turns: Positions) -> Positions:
        """The row of each part's ``turns``-th draw (from 0), ``uint64[m]``."""
        starts = np.concatenate(([0], np.cumsum(self.sizes)[:-1])).astype(np.uint64)
        sizes = self.sizes[parts]
        passes, places = np.divmod(turns, sizes)
        keys = keyed(keyed(self.key, parts), passes)
        return starts[parts] + permute_each(places, sizes, keys)


@dataclass(frozen=True, slots=True)
class Interleaving:
    """Which part comes at each position of an endless sequence, by exact shares.

    Every aligned run of ``sum(shares)`` positions holds each part exactly as often as its
    share says, in an order of its own.
    """

    shares: Positions
    key: np.uint64

    def at(self, positions: Positions) -> tuple[Positions, Positions]:
        """Each position's part, and how many positions that part had before it."""
        ends = np.cumsum(self.shares)
        period = ends[-1]
        rounds, slots = np.divmod(positions, period)
        slots = permute_each(slots, np.full_like(slots, period), keyed(self.key, rounds))
        parts = np.searchsorted(ends, slots, side="right").astype(np.uint64)
        within = slots - (ends - self.shares)[parts]
        return parts, rounds * self.shares[parts] + within
