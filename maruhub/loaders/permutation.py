"""A keyed permutation of [0, n): true random order without a list of it.

Pure: numbers in, numbers out; no I/O, no clock, no numpy random streams. The order that
comes out is a **format**: states saved by one release must mean the same in the next, so
golden values are frozen in a test and the formula stands in ``docs/internals/order.md``.

The network is a Feistel network over a mixed radix (Black and Rogaway, "Ciphers with
Arbitrary Finite Domains", 2002): a position is ``x * columns + y`` with x in [0, rows) and
y in [0, columns); the rounds add a keyed function of one half to the other, modulo its
size. ``rows * columns`` exceeds n by less than three rows, so the few results that fall
outside [0, n) are sent through again (cycle walking) at next to no cost.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from maruhub.errors import InvalidInput

Positions = npt.NDArray[np.uint64]
"""``uint64[m]``: positions in an order, or rows of a source."""

SIZE_MAX: Final = 1 << 63
SEED_MAX: Final = (1 << 64) - 1
_TAG: Final = b"maruhub order 1\0"
ROUNDS: Final = 6
ROUNDS_SMALL: Final = 16
"""Where there are fewer than ``SMALL`` positions."""
SMALL: Final = 1 << 12
_BLOCK: Final = 1 << 13
"""Positions worked on at once: the scratch arrays stay in the cache."""

# Multipliers of the SplitMix64 finaliser (Steele, Lea, Flood, OOPSLA 2014).
_MIX_1: Final = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2: Final = np.uint64(0x94D049BB133111EB)
_32: Final = np.uint64(32)


class Grid(NamedTuple):
    """The shape of the domain: ``rows * columns >= size``, both below 2**32."""

    rows: int
    columns: int
    rounds: int


def epoch_key(seed: int, epoch: int) -> bytes:
    """The 32-byte key of one epoch: SHA-256 of a tag, seed and epoch (u64, little-endian)."""
    if not 0 <= seed <= SEED_MAX:
        raise InvalidInput(f"seed {seed} is not within 0 … 2**64 - 1.", hint="Choose another.")
    return hashlib.sha256(_TAG + seed.to_bytes(8, "little") + epoch_bytes(epoch)).digest()


def epoch_bytes(epoch: int) -> bytes:
    """An epoch's number as keys are made of it; InvalidInput beyond 64 bits."""
    if not 0 <= epoch <= SEED_MAX:
        raise InvalidInput(f"epoch {epoch} is not within 0 … 2**64 - 1.", hint="Choose another.")
    return epoch.to_bytes(8, "little")


def permute(start: int, stop: int, n: int, key: bytes) -> Positions:
    """Where positions ``start … stop`` of the order point: ``uint64[stop - start]``.

    Over all of [0, n) each value of [0, n) comes exactly once. Memory is a few times the
    result's; cost is 0.02–0.1 µs a position, however large n is.
    """
    if not 0 <= start <= stop <= n:
        raise InvalidInput(f"positions {start} … {stop} are not within 0 … {n}.")
    return permute_at(np.arange(start, stop, dtype=np.uint64), n, key)


def permute_at(positions: Positions, n: int, key: bytes) -> Positions:
    """As :func:`permute`, for any positions below n, in any order; the result is new."""
    return _walk(positions, n, key, forward=True)


def locate(values: Positions, n: int, key: bytes) -> Positions:
    """The inverse: at which position of the order each value comes, ``uint64[m]``."""
    return _walk(values, n, key, forward=False)


def _walk(values: Positions, n: int, key: bytes, *, forward: bool) -> Positions:
    """Sends values through the network until they lie in [0, n)."""
    grid = grid_of(n)
    if len(values) and int(values.max()) >= n:
        raise InvalidInput(f"position {values.max()} is not within an order of {n}.")
    keys = _round_keys(key, grid.rounds)
    result = np.empty(len(values), dtype=np.uint64)
    turn = _encrypt if forward else _decrypt
    for at in range(0, len(values), _BLOCK):
        block = turn(values[at : at + _BLOCK], grid, keys)
        while len(outside := np.flatnonzero(block >= np.uint64(n))):
            block[outside] = turn(block[outside], grid, keys)
        result[at : at + _BLOCK] = block
    return result


def grid_of(n: int) -> Grid:
    """The domain for n values.

    ``rows`` is even, so that single rounds are odd permutations too and every
    permutation of a small domain can be reached; small domains take more rounds, where
    six would show.
    """
    if not 0 < n <= SIZE_MAX:
        raise InvalidInput(f"an order of {n} positions: the size must be within 1 … 2**63.")
    rows = math.isqrt(n - 1) + 1
    rows += rows % 2
    return Grid(rows, -(-n // rows), ROUNDS_SMALL if n < SMALL else ROUNDS)


@lru_cache(maxsize=64)
def _round_keys(key: bytes, rounds: int) -> tuple[np.uint64, ...]:
    """Round i's key: the first 8 bytes (little-endian) of SHA-256(key + byte i)."""
    digests = (hashlib.sha256(key + bytes([i])).digest() for i in range(rounds))
    return tuple(np.uint64(int.from_bytes(digest[:8], "little")) for digest in digests)


def encrypt(
    values: Positions,
    rows: np.uint64 | Positions,
    columns: np.uint64 | Positions,
    keys: Sequence[np.uint64 | Positions],
) -> Positions:
    """Sends values through the network once; grids and round keys are of all values or of each."""
    x, y = np.divmod(values, columns)
    for i, key in enumerate(keys):
        if i % 2 == 0:
            _add(x, _mix(y, key, rows), rows)
        else:
            _add(y, _mix(x, key, columns), columns)
    x *= columns
    x += y
    return x


def _encrypt(values: Positions, grid: Grid, keys: tuple[np.uint64, ...]) -> Positions:
    return encrypt(values, np.uint64(grid.rows), np.uint64(grid.columns), keys)


def _decrypt(values: Positions, grid: Grid, keys: tuple[np.uint64, ...]) -> Positions:
    rows, columns = np.uint64(grid.rows), np.uint64(grid.columns)
    x, y = np.divmod(values, columns)
    for i, key in reversed(list(enumerate(keys))):
        if i % 2 == 0:
            _add(x, rows - _mix(y, key, rows), rows)
        else:
            _add(y, columns - _mix(x, key, columns), columns)
    x *= columns
    x += y
    return x


def _add(half: Positions, amount: Positions, size: np.uint64 | Positions) -> None:
    """``half = (half + amount) % size`` in place; one subtraction, as both are <= size."""
    half += amount
    # Below size the subtraction wraps round to a huge number, so the minimum is the remainder.
    np.minimum(half, half - size, out=half)


def _mix(half: Positions, key: np.uint64 | Positions, size: np.uint64 | Positions) -> Positions:
    """The round function: a keyed hash of ``half``, scaled to [0, size) without a division."""
    h = half ^ key
    h *= _MIX_1
    h ^= h >> _32
    h *= _MIX_2
    h >>= _32
    h *= size
    h >>= _32
    return h
