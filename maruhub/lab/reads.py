"""Which positions of which epochs were read: merged intervals. Pure.

An epoch's order is a permutation of the view's rows, so "positions 0 … 4096 of epoch 3 under
seed 7" names exactly 4,096 samples in a few bytes. Whole epochs in a row are kept as one
run, so a training over a thousand epochs is as small as one over two.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import NamedTuple


class Span(NamedTuple):
    """Positions ``start … stop`` of each of the epochs ``first_epoch … last_epoch`` (inclusive).

    ``seed`` None: the view's own sequence.
    """

    seed: int | None
    first_epoch: int
    last_epoch: int
    start: int
    stop: int


Intervals = list[tuple[int, int]]
"""Sorted, disjoint, not touching."""


class Reads:
    """What was read of one view with ``size`` samples."""

    def __init__(self, size: int, spans: Iterable[Span] = ()) -> None:
        self.size = size
        self._epochs: dict[tuple[int | None, int], Intervals] = {}
        for span in spans:
            for epoch in range(span.first_epoch, span.last_epoch + 1):
                self.add(span.seed, epoch, span.start, span.stop)

    def __bool__(self) -> bool:
        return bool(self._epochs)

    def add(self, seed: int | None, epoch: int, start: int, stop: int) -> None:
        """Positions ``start … stop`` of one epoch were read."""
        if start >= stop:
            return
        intervals = self._epochs.setdefault((seed, epoch), [])
        if intervals and intervals[-1][0] <= start <= intervals[-1][1]:
            intervals[-1] = (intervals[-1][0], max(stop, intervals[-1][1]))
        else:
            _merge(intervals, start, stop)

    def update(self, other: Reads) -> None:
        """All of ``other`` was read too."""
        for seed, epoch, intervals in other.epochs():
            for start, stop in intervals:
                self.add(seed, epoch, start, stop)

    def add_ahead(self, seed: int | None, epoch: int, start: int, count: int) -> None:
        """``count`` positions from ``start`` on, into the following epochs if need be."""
        while count > 0:
            stop = min(self.size, start + count)
            self.add(seed, epoch, start, stop)
            count -= max(1, stop - start)
            epoch, start = epoch + 1, 0

    def covers(self, seed: int | None, epoch: int, start: int, stop: int) -> bool:
        """Whether all of these positions are in it."""
        intervals = self._epochs.get((seed, epoch), [])
        return any(low <= start and stop <= high for low, high in intervals)

    def whole(self) -> bool:
        """Whether some epoch was read from start to end: then every sample was."""
        return any(intervals == [(0, self.size)] for intervals in self._epochs.values())

    def epochs(self) -> Iterator[tuple[int | None, int, Intervals]]:
        """(seed, epoch, intervals), sorted."""
        for (seed, epoch), intervals in sorted(self._epochs.items(), key=lambda e: (_seed(e[0][0]), e[0][1])):
            yield seed, epoch, intervals

    def samples(self) -> int:
        """Samples read, each as often as it was."""
        return sum(stop - start for _, _, intervals in self.epochs() for start, stop in intervals)

    def copy(self) -> Reads:
        """One that can be added to."""
        new = Reads(self.size)
        new._epochs = {key: list(intervals) for key, intervals in self._epochs.items()}
        return new

    def spans(self) -> list[Span]:
        """The least list of spans; ``Reads(size, spans)`` is the same again."""
        spans: list[Span] = []
        open_at: dict[tuple[int | None, int, int], int] = {}
        for seed, epoch, intervals in self.epochs():
            for start, stop in intervals:
                at = open_at.get((seed, start, stop))
                if at is not None and spans[at].last_epoch == epoch - 1:
                    spans[at] = spans[at]._replace(last_epoch=epoch)
                else:
                    open_at[seed, start, stop] = len(spans)
                    spans.append(Span(seed, epoch, epoch, start, stop))
        return spans


def _merge(intervals: Intervals, start: int, stop: int) -> None:
    """Puts one in, joined with all that it overlaps or touches."""
    first = bisect_left(intervals, start, key=lambda interval: interval[1])
    last = first
    while last < len(intervals) and intervals[last][0] <= stop:
        start, stop = min(start, intervals[last][0]), max(stop, intervals[last][1])
        last += 1
    intervals[first:last] = [(start, stop)]


def _seed(seed: int | None) -> int:
    return -1 if seed is None else seed
