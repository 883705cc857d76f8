"""Classes in equal shares, however many samples each has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from maruhub import argument
from maruhub.errors import InvalidInput
from maruhub.loaders.lanes import Interleaving, Lanes, base_key
from maruhub.loaders.order import Order
from maruhub.loaders.orders.mixed import MixedOrder
from maruhub.loaders.orders.policy import Told, column_of

if TYPE_CHECKING:
    from maruhub.loaders.permutation import Positions
    from maruhub.loaders.source import SampleSource


@dataclass(frozen=True, slots=True)
class Balanced(Told):
    """Of k classes each comes once in every k samples; an epoch is as long as the view.

    Within a class every sample comes once before any comes again, epoch after epoch: small
    classes go round often, a large one may need several epochs. Holds 4 bytes a sample in
    memory (8 from four billion samples on).

    Args:
        column: What the class is; each distinct value is one.
    """

    column: str
    kind: ClassVar[str] = "balanced"

    def __post_init__(self) -> None:
        argument.text("column", self.column)

    def order(self, source: SampleSource, seed: int) -> Order:
        """See :class:`maruhub.loaders.order.Policy`."""
        codes = _codes(source, self.column)
        sizes = np.bincount(codes).astype(np.uint64)
        small = len(codes) < 1 << 32
        by_class = np.argsort(codes, kind="stable").astype(np.uint32 if small else np.uint64)
        return MixedOrder(
            size=len(codes),
            shares=Interleaving(np.ones(len(sizes), dtype=np.uint64), base_key(seed, b"balanced")),
            lanes=Lanes(sizes, base_key(seed, b"classes")),
            source_rows=len(codes),
            listed=by_class,
        )


def _codes(source: SampleSource, name: str) -> Positions:
    """Each row's class as a number, by first appearance."""
    import pyarrow as pa

    try:
        encoded = column_of(source, name).dictionary_encode()
    except pa.ArrowException as error:
        raise InvalidInput(f"column {name!r} holds no classes: {error}") from error
    codes: Positions = encoded.indices.to_numpy()
    return codes
