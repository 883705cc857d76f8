"""Batches for whatever wants an ``IterableDataset``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from torch.utils.data import IterableDataset, get_worker_info

from maruhub.adapters.torch.tensors import Collate, as_tensors
from maruhub.adapters.world import find_world

if TYPE_CHECKING:
    from maruhub.loaders import Batches


class Stream(IterableDataset):
    """Collated batches, one after the other, for a ``DataLoader`` with ``batch_size=None``.

    Each worker is a rank of its own, so the order that the trainer sees depends on their number;
    a state is that of the process that asks, so it is exact without workers only. :class:`Loader`
    has neither limit.
    """

    def __init__(
        self,
        view: Any,
        batch_size: int,
        *,
        collate: Collate = as_tensors,
        rank: int | None = None,
        world: int | None = None,
        **options: Any,
    ) -> None:
        self._view = view
        self._batch_size = batch_size
        self._collate = collate
        self._world = find_world(rank, world)
        self._options = options
        self._batches: Batches | None = None

    def __iter__(self) -> Iterator[Any]:
        for batch in self._mine():
            yield self._collate(batch)

    def state_dict(self) -> dict[str, Any]:
        """Where this process's next batch starts."""
        return self._mine().state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on from a state."""
        self._mine().load_state_dict(state)

    def _mine(self) -> Batches:
        """This process's batches, made where they are used."""
        if self._batches is None:
            rank, world = self._world
            worker = get_worker_info()
            if worker is not None:
                rank, world = rank * worker.num_workers + worker.id, world * worker.num_workers
            self._batches = self._view.batches(self._batch_size, rank=rank, world=world, **self._options)
        return self._batches

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_batches": None}
