"""Random order for slow media: blocks of neighbours in random order, mixed a window at a time.

A disk with heads, or an object store that is read by ranges, gives whole runs of neighbours
for little more than one sample. What it costs is said in ``docs/internals/order.md``: a batch
is drawn from a window of blocks instead of from everything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np

from maruhub import argument
from maruhub.loaders.lanes import base_key, keyed, permute_each
from maruhub.loaders.order import Order, ReadSpan, whole_source
from maruhub.loaders.orders.policy import Told
from maruhub.loaders.permutation import Positions, epoch_key, locate, permute_at

if TYPE_CHECKING:
    from maruhub.loaders.source import SampleSource

_ROWS_MAX: Final = 1 << 20
_WINDOW_MAX: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Blocks(Told):
    """Every sample once an epoch; ``window`` random blocks of ``rows`` neighbours are mixed.

    Args:
        rows: Following samples of the view that are read together.
        window: Blocks, drawn from the whole view, among which samples are fully mixed.
    """

    rows: int = 64
    window: int = 64
    kind: ClassVar[str] = "blocks"

    def __post_init__(self) -> None:
        argument.whole("rows", self.rows, low=1, high=_ROWS_MAX)
        argument.whole("window", self.window, low=1, high=_WINDOW_MAX)

    def order(self, source: SampleSource, seed: int) -> Order:
        """See :class:`maruhub.loaders.order.Policy`."""
        return BlockOrder(len(source), seed, rows_a_block=self.rows, window=self.window)


@dataclass(frozen=True, slots=True)
class BlockOrder:
    """The order of :class:`Blocks` over ``size`` rows."""

    size: int
    seed: int
    rows_a_block: int
    window: int

    @property
    def together(self) -> int:
        """A window's samples are read at once."""
        return self.rows_a_block * self.window

    def rows(self, epoch: int, positions: Positions) -> Positions:
        """See :class:`Order`."""
        if not len(positions):
            return positions
        key = epoch_key(self.seed, epoch)
        block, span = np.uint64(self.rows_a_block), np.uint64(self.together)
        blocks = -(-self.size // self.rows_a_block)
        # The view's last block may be short. It comes at some place like any other; every
        # position behind it would begin so many rows earlier than in whole blocks.
        lacking = np.uint64(blocks * self.rows_a_block - self.size)
        short = locate(np.array([blocks - 1], dtype=np.uint64), blocks, key)[0]
        short_ends = (short + np.uint64(1)) * block - lacking
        windows = np.where(positions >= short_ends, positions + lacking, positions) // span
        starts = windows * span - np.where(windows > short // self.window, lacking, np.uint64(0))
        stops = (windows + np.uint64(1)) * span
        stops = np.minimum(
            np.where(windows >= short // self.window, stops - lacking, stops), np.uint64(self.size)
        )
        keys = keyed(base_key(self.seed, b"blocks", epoch), windows)
        mixed = starts + permute_each(positions - starts, stops - starts, keys)
        mixed = np.where(mixed >= short_ends, mixed + lacking, mixed)
        return permute_at(mixed // block, blocks, key) * block + mixed % block

    def spans(self, epoch: int, start: int, stop: int) -> list[ReadSpan]:
        """See :class:`Order`."""
        return whole_source(self.size)
