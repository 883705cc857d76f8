"""Epochs of a fixed number of samples, cut from any other order's epochs laid end to end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from maruhub.loaders.order import Order, ReadSpan
from maruhub.loaders.permutation import Positions


@dataclass(frozen=True, slots=True)
class ResizedOrder:
    """``samples`` positions an epoch; no sample of ``inner`` is lost or repeated between them."""

    inner: Order
    samples: int

    @property
    def size(self) -> int:
        """``samples``, or none where there are none."""
        return self.samples if self.inner.size else 0

    @property
    def together(self) -> int:
        """As of the inner order."""
        return self.inner.together

    def rows(self, epoch: int, positions: Positions) -> Positions:
        """See :class:`Order`."""
        first, before = divmod(epoch * self.samples, max(1, self.inner.size))
        epochs, places = np.divmod(positions + np.uint64(before), np.uint64(max(1, self.inner.size)))
        rows = np.empty_like(positions)
        for each in np.unique(epochs):
            chosen = epochs == each
            rows[chosen] = self.inner.rows(first + int(each), places[chosen])
        return rows

    def spans(self, epoch: int, start: int, stop: int) -> list[ReadSpan]:
        """See :class:`Order`; the inner order's, epoch by epoch."""
        found: list[ReadSpan] = []
        at, end = epoch * self.samples + start, epoch * self.samples + stop
        while at < end:
            inner_epoch, place = divmod(at, self.inner.size)
            taken = min(end - at, self.inner.size - place)
            found += self.inner.spans(inner_epoch, place, place + taken)
            at += taken
        return list(dict.fromkeys(found))
