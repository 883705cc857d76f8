"""Drawing n of many: deterministic, equal in every release and on every machine.

Pure. A position's rank is a keyed hash of it (two rounds of the SplitMix64 finaliser,
Steele, Lea and Flood, OOPSLA 2014), not a library's random stream, which may change. The
n lowest ranks are drawn, so a larger draw with the same seed holds the smaller one.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from maruhub import argument
from maruhub.errors import InvalidInput

_MASK: Final = (1 << 64) - 1
_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_MIX_1: Final = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2: Final = np.uint64(0x94D049BB133111EB)

Positions = npt.NDArray[np.uint64]
"""``uint64[n]``: positions of a version."""


def mix(values: Positions) -> Positions:
    """The SplitMix64 finaliser: a bijection of 64-bit numbers that scatters them."""
    z = values + _GOLDEN
    z = (z ^ (z >> np.uint64(30))) * _MIX_1
    z = (z ^ (z >> np.uint64(27))) * _MIX_2
    return z ^ (z >> np.uint64(31))


def draw(positions: Positions, n: int, seed: int) -> npt.NDArray[np.int64]:
    """Which ``n`` of ``positions`` are drawn: their indices, ascending, ``int64[n]``.

    Raises:
        InvalidInput: ``n`` is negative or more than there are.
    """
    n, seed = argument.whole("n", n), argument.whole("seed", seed)
    if not 0 <= n <= len(positions):
        raise InvalidInput(f"{n} of {len(positions)} samples can't be drawn.", hint="Ask for fewer.")
    if n == 0:
        return np.empty(0, dtype=np.int64)
    key = mix(np.array([seed & _MASK], dtype=np.uint64))
    ranks = mix(mix(positions) ^ key)
    if n < len(positions):
        chosen = np.argpartition(ranks, n - 1)[:n]
    else:
        chosen = np.arange(n)
    chosen.sort()
    return chosen.astype(np.int64)
