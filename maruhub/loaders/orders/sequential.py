"""No shuffling: the view's own sequence, such as for evaluation or an export."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from maruhub.loaders.order import GlobalOrder, Order
from maruhub.loaders.orders.policy import Told

if TYPE_CHECKING:
    from maruhub.loaders.source import SampleSource


@dataclass(frozen=True, slots=True)
class Sequential(Told):
    """Every sample once an epoch, row by row; the same as ``shuffle=False``."""

    kind: ClassVar[str] = "sequential"
    shuffles: ClassVar[bool] = False

    def order(self, source: SampleSource, seed: int) -> Order:
        """See :class:`maruhub.loaders.order.Policy`."""
        return GlobalOrder(len(source), None)
