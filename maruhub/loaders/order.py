"""Which row of the source stands at which position of an epoch.

An order is a pure function of (source, seed, epoch): the state of a loader names these and how
far it is, and nothing else. The policies that make orders stand in ``orders``, one a file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

import numpy as np

from maruhub.loaders.permutation import Positions, epoch_key, locate, permute_at
from maruhub.loaders.plan import Step

if TYPE_CHECKING:
    from maruhub.loaders.source import SampleSource


class ReadSpan(NamedTuple):
    """What a recorder is told: positions of an epoch's order under a seed (None: rows)."""

    epoch: int
    seed: int | None
    start: int
    stop: int


class Order(Protocol):
    """The samples of each epoch, in order. Pure; from many threads."""

    @property
    def size(self) -> int:
        """Positions in an epoch."""

    @property
    def together(self) -> int:
        """So many following positions lie close together on the medium; 1: no two do."""

    def rows(self, epoch: int, positions: Positions) -> Positions:
        """The rows of the source at positions (each below ``size``), ``uint64[m]``."""

    def spans(self, epoch: int, start: int, stop: int) -> list[ReadSpan]:
        """What a recorder is told before positions ``start … stop`` are handed out.

        It may name more samples than these, never fewer.
        """


class Policy(Protocol):
    """How an order is made: a frozen value of a few numbers and names, which a state keeps.

    Attributes:
        kind: Its name in a state.
        shuffles: Whether the seed matters.
    """

    kind: ClassVar[str]
    shuffles: ClassVar[bool]

    def order(self, source: SampleSource, seed: int) -> Order:
        """The order over a source; may read one column of it. Raises InvalidInput."""

    def to_json(self) -> dict[str, Any]:
        """``kind`` and the numbers, as JSON values; ``orders.policy_of`` reads it back."""


@dataclass(frozen=True, slots=True)
class GlobalOrder:
    """Every epoch another random order of all samples; ``seed`` None: the source's own."""

    size: int
    seed: int | None
    together: int = 1

    def rows(self, epoch: int, positions: Positions) -> Positions:
        """See :class:`Order`."""
        if self.seed is None or not len(positions):
            return positions
        return permute_at(positions, self.size, epoch_key(self.seed, epoch))

    def positions(self, epoch: int, rows: Positions) -> Positions:
        """The inverse: the positions at which rows come."""
        if self.seed is None or not len(rows):
            return rows
        return locate(rows, self.size, epoch_key(self.seed, epoch))

    def spans(self, epoch: int, start: int, stop: int) -> list[ReadSpan]:
        """Exactly these positions: the lab knows this order."""
        return [ReadSpan(epoch, self.seed, start, stop)]


def whole_source(rows: int) -> list[ReadSpan]:
    """What a recorder is told of an order that the lab doesn't know: all of it may be read."""
    return [ReadSpan(0, None, 0, rows)]


def rows_of(order: Order, steps: Sequence[Step]) -> Positions:
    """The rows of all samples of steps, one after the other; at least one step.

    Positions behind an epoch's end (a padded step's) begin at its start again.
    """
    size = np.uint64(order.size)
    runs = [np.arange(step.start, step.stop, dtype=np.uint64) for step in steps]
    if any(step.stop > order.size for step in steps):
        runs = [run % size for run in runs]
    return np.concatenate([order.rows(epoch, positions) for epoch, positions in _by_epoch(steps, runs)])


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
