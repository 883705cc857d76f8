"""The default: all samples in true random order, another one each epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from maruhub.loaders.order import GlobalOrder, Order
from maruhub.loaders.orders.policy import Told

if TYPE_CHECKING:
    from maruhub.loaders.source import SampleSource


@dataclass(frozen=True, slots=True)
class Shuffled(Told):
    """Every sample once an epoch, in an order that is one full permutation."""

    kind: ClassVar[str] = "shuffled"

    def order(self, source: SampleSource, seed: int) -> Order:
        """See :class:`maruhub.loaders.order.Policy`."""
        return GlobalOrder(len(source), seed)
