"""Importance: samples come as often as a column says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from maruhub import argument
from maruhub.errors import InvalidInput
from maruhub.loaders.lanes import base_key, keyed
from maruhub.loaders.order import Order, ReadSpan, whole_source
from maruhub.loaders.orders.policy import Told, column_of
from maruhub.loaders.permutation import Positions, epoch_key, permute_at

if TYPE_CHECKING:
    import numpy.typing as npt

    from maruhub.loaders.source import SampleSource


@dataclass(frozen=True, slots=True)
class Weighted(Told):
    """A sample with weight w of the sum W comes n·w/W times an epoch of n, up or down to a whole.

    Drawn systematically (one equal stride through the sum of weights from a random start, then
    shuffled): the least scatter there is, and on average over epochs exact. A sample of weight
    0 never comes. Holds 8 bytes a sample in memory.

    Args:
        column: Numbers of 0 or more.
    """

    column: str
    kind: ClassVar[str] = "weighted"

    def __post_init__(self) -> None:
        argument.text("column", self.column)

    def order(self, source: SampleSource, seed: int) -> Order:
        """See :class:`maruhub.loaders.order.Policy`."""
        if not len(source):
            return WeightedOrder(np.empty(0), seed)
        return WeightedOrder(np.cumsum(_weights(source, self.column)), seed)


@dataclass(frozen=True, slots=True)
class WeightedOrder:
    """The order of :class:`Weighted`; ``ends`` are the running sums of the weights."""

    ends: npt.NDArray[np.float64]
    seed: int
    together: int = 1

    @property
    def size(self) -> int:
        """As many as there are rows."""
        return len(self.ends)

    def rows(self, epoch: int, positions: Positions) -> Positions:
        """See :class:`Order`."""
        if not len(positions):
            return positions
        slots = permute_at(positions, self.size, epoch_key(self.seed, epoch))
        number = keyed(base_key(self.seed, b"weighted"), np.array([epoch], dtype=np.uint64))[0]
        start = float(number >> np.uint64(11)) / (1 << 53)
        points = (slots.astype(np.float64) + start) * (self.ends[-1] / self.size)
        rows: Positions = np.searchsorted(self.ends, points, side="right").astype(np.uint64)
        # A point that was rounded up to the sum itself belongs to the last row with a weight.
        last = np.uint64(np.searchsorted(self.ends, self.ends[-1], side="left"))
        return np.asarray(np.minimum(rows, last))

    def spans(self, epoch: int, start: int, stop: int) -> list[ReadSpan]:
        """See :class:`Order`."""
        return whole_source(self.size)


def _weights(source: SampleSource, name: str) -> npt.NDArray[np.float64]:
    import pyarrow as pa

    try:
        weights: npt.NDArray[Any] = column_of(source, name).cast(pa.float64()).to_numpy()
    except pa.ArrowException as error:
        raise InvalidInput(f"column {name!r} holds no numbers: {error}") from error
    bad = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
    if len(bad):
        raise InvalidInput(f"row {bad[0]} has the weight {weights[bad[0]]}: weights are 0 or more.")
    if not weights.any():
        raise InvalidInput(f"all weights in column {name!r} are 0.")
    return weights
