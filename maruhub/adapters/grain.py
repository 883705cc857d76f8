"""Grain: a ``RandomAccessDataSource`` whose element is a whole batch, in the hub's order.

Grain reads elements one by one from many threads; an element that is a batch is one look-up and
one read. Its states name the source by ``repr``, which names samples, order and epoch: a state of
another source is refused. Nothing of Grain is needed here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, SupportsIndex

from maruhub.adapters.arrays import as_arrays
from maruhub.adapters.steps import Steps
from maruhub.loaders import Batch


class BatchSource(Steps):
    """``source[i]`` is batch i. Do not shuffle it, nor batch it again.

    Takes what :class:`~maruhub.adapters.steps.Steps` takes, and ``collate``: from a
    batch to arrays, by default :func:`maruhub.adapters.arrays.as_arrays`. Each process of a
    cluster finds its own share; leave Grain's sharding out.
    """

    def __init__(
        self, view: Any, batch_size: int, *, collate: Callable[[Batch], Any] = as_arrays, **options: Any
    ) -> None:
        super().__init__(view, batch_size, **options)
        self._collate = collate

    def __getitem__(self, step: SupportsIndex) -> Any:
        return self._collate(self.read(step.__index__()))
