"""Which row of the source stands at which position of an epoch. A policy is a function.

Pure functions of (size, seed, epoch): the state needs to name nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from maruhub.loaders.permutation import Positions, epoch_key, locate, permute_at
from maruhub.loaders.plan import Step


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

    def rows_of(self, steps: Sequence[Step]) -> Positions:
        """The rows of all samples of steps, one after the other; at least one step."""
        runs = [np.arange(step.start, step.stop, dtype=np.uint64) for step in steps]
        return np.concatenate([self.rows(epoch, positions) for epoch, positions in _by_epoch(steps, runs)])

    def positions(self, epoch: int, rows: Positions) -> Positions:
        """The inverse: the positions at which rows come."""
        if self.seed is None or not len(rows):
            return rows
        return locate(rows, self.size, epoch_key(self.seed, epoch))


def _by_epoch(steps: Sequence[Step], runs: list[Positions]) -> Iterator[tuple[int, Positions]]:
    """The steps' positions, joined for each run of steps of one epoch."""
    at = 0
    while at < len(steps):
        epoch, end = steps[at].epoch, at
        while end < len(steps) and steps[end].epoch == epoch:
            end += 1
        yield epoch, np.concatenate(runs[at:end])
        at = end


def positions_of(size: int, seed: int | None, epoch: int, rows: Positions) -> Positions:
    """At which positions of an epoch the rows come; the lab is handed this to tell what was read."""
    return GlobalOrder(size, seed).positions(epoch, rows)
