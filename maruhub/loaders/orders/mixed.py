"""Several datasets or views in exact shares; also the order behind classes in equal shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np

from maruhub import argument
from maruhub.errors import InvalidInput
from maruhub.loaders.lanes import Interleaving, Lanes, base_key
from maruhub.loaders.order import Order, ReadSpan, whole_source
from maruhub.loaders.orders.policy import Told
from maruhub.loaders.permutation import Positions

if TYPE_CHECKING:
    import numpy.typing as npt

    from maruhub.loaders.source import SampleSource

_PERIOD_MAX: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Mixed(Told):
    """Of every ``sum(shares)`` samples part i gives exactly ``shares[i]``, for ever.

    Each part is walked through in random orders of its own: after each whole round all of its
    samples have come equally often, or once more. An epoch is as long as all parts together.
    ``Hub.mix`` makes the source with parts.

    Args:
        shares: Whole numbers, one a part: ``(3, 1)``; parts of share 0 never come.
    """

    shares: tuple[int, ...]
    kind: ClassVar[str] = "mixed"

    def __post_init__(self) -> None:
        given: object = self.shares
        if not isinstance(given, tuple | list):
            raise argument.wrong("shares", given, "a list of whole numbers, such as [3, 1]")
        shares = tuple(argument.whole("each of shares", share, low=0, high=_PERIOD_MAX) for share in given)
        if not 0 < sum(shares) <= _PERIOD_MAX:
            raise InvalidInput(f"shares add up to {sum(shares)}, not to 1 … {_PERIOD_MAX:,}.")
        object.__setattr__(self, "shares", shares)

    def order(self, source: SampleSource, seed: int) -> Order:
        """See :class:`maruhub.loaders.order.Policy`."""
        sizes = getattr(source, "part_sizes", (len(source),))
        if len(sizes) != len(self.shares):
            raise InvalidInput(f"{len(self.shares)} shares for {len(sizes)} parts: give one for each.")
        for i, (share, size) in enumerate(zip(self.shares, sizes, strict=True)):
            if share and not size:
                raise InvalidInput(f"part {i} holds no samples, but has share {share}.", hint="Leave it out.")
        return MixedOrder(
            size=sum(sizes),
            shares=Interleaving(np.array(self.shares, dtype=np.uint64), base_key(seed, b"mixed")),
            lanes=Lanes(np.array(sizes, dtype=np.uint64), base_key(seed, b"parts")),
            source_rows=len(source),
        )


@dataclass(frozen=True, slots=True)
class MixedOrder:
    """Parts drawn from by their shares.

    Attributes:
        size: Positions in an epoch; the draws go on from one to the next.
        shares: Which part comes when.
        lanes: Which of a part's rows comes when.
        source_rows: Rows of the source.
        listed: The source's rows, part after part; None: they stand so in the source.
    """

    size: int
    shares: Interleaving
    lanes: Lanes
    source_rows: int
    listed: npt.NDArray[Any] | None = None
    together: int = 1

    def rows(self, epoch: int, positions: Positions) -> Positions:
        """See :class:`Order`."""
        if not len(positions):
            return positions
        parts, turns = self.shares.at(positions + np.uint64(epoch * self.size % (1 << 64)))
        rows = self.lanes.draw(parts, turns)
        return rows if self.listed is None else self.listed[rows].astype(np.uint64)

    def spans(self, epoch: int, start: int, stop: int) -> list[ReadSpan]:
        """See :class:`Order`."""
        return whole_source(self.source_rows)
