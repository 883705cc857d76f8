"""Samples that say which one they are, in the sizes that loaders are measured with."""

from __future__ import annotations

import math
import random

from benchmarks.samples import Samples

RETINANET = 322_957
"""Bytes a sample of MLPerf Storage's RetinaNet."""
_MIX = (5_000, 1_000_000)


class Numbered(Samples):
    """Samples whose first eight bytes are their number: any loader's order can be read from its batches."""

    def data(self, i: int) -> memoryview:
        return memoryview(i.to_bytes(8, "little") + super().data(i)[8:])


def fifty_kb(count: int) -> Numbered:
    """``count`` samples of 50 KB."""
    return Numbered("50 KB", [50_000] * count)


def retinanet(count: int) -> Numbered:
    """``count`` samples of RetinaNet's size."""
    return Numbered("323 KB", [RETINANET] * count)


def mix(count: int) -> Numbered:
    """``count`` samples of 5 KB to 1 MB, each size equally likely by its logarithm."""
    low, high = map(math.log, _MIX)
    sizes = [round(math.exp(low + (high - low) * (i + 0.5) / count)) for i in range(count)]
    random.Random(1).shuffle(sizes)
    return Numbered("5 KB – 1 MB", sizes)


def records(count: int) -> Numbered:
    """``count`` records of 1 KB."""
    return Numbered("1 KB", [1000] * count)
