"""Which row of the source stands at which position of an epoch. A policy is a function.

Pure functions of (size, seed, epoch): the state needs to name nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

from maruhub.loaders.permutation import Positions, epoch_key, locate, permute_at


@dataclass(frozen=True, slots=True)
class GlobalOrder:
    """Every epoch another random order of all samples; ``seed`` None: the source's own."""

    size: int
    seed: int | None

    def rows(self, epoch: int, positions: Positions) -> Positions:
        """The rows at positions, ``uint64[m]``."""
        if self.seed is None or not len(positions):
            return positions
        return permute_at(positions, self.size, epoch_key(self.seed, epoch))

    def positions(self, epoch: int, rows: Positions) -> Positions:
        """The inverse: the positions at which rows come."""
        if self.seed is None or not len(rows):
            return rows
        return locate(rows, self.size, epoch_key(self.seed, epoch))


def positions_of(size: int, seed: int | None, epoch: int, rows: Positions) -> Positions:
    """At which positions of an epoch the rows come; the lab is handed this to tell what was read."""
    return GlobalOrder(size, seed).positions(epoch, rows)
