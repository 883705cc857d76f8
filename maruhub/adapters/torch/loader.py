"""A ``DataLoader`` that goes on exactly."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, Final

import torch
from torch.utils.data import DataLoader

from maruhub.adapters.finding import Finding, take
from maruhub.adapters.torch.tensors import Collate, as_tensors, of_arrays, pinned
from maruhub.adapters.torch.workers import Done, PlannedBatches, Sending
from maruhub.adapters.world import find_world
from maruhub.errors import InvalidInput
from maruhub.loaders import Batches, Skipped
from maruhub.loaders.options import LoaderOptions
from maruhub.loaders.walk import Planned

_OURS: Final = ("batch_sampler", "sampler", "drop_last", "collate_fn", "in_order")
_BATCH_OPTIONS: Final = {each.name for each in dataclasses.fields(LoaderOptions)} | {"run"}


class Loader(DataLoader):
    """Random batches of a view for a trainer, epoch after epoch, resumable at any batch.

    ``state_dict`` is where the next batch starts that the trainer has not got; it is that of
    :class:`maruhub.loaders.Batches`, the same on all ranks.

    Args:
        view: The samples: a version or view of any hub.
        batch_size: Samples a batch on this rank.
        collate: Makes of each :class:`Batch` what the trainer gets; with workers it runs there,
            and must not return views of the batch's bytes. Default :func:`as_tensors`.
        num_workers: Processes that read and collate; 0: this one.
        rank: This process's number among ``world``; see :mod:`maruhub.adapters.world`.
        world: How many processes share the epoch.
        options: Those of :class:`maruhub.loaders.Batches` by name (``seed``, ``order``, ``epochs``,
            ``on_error``, ``run``, …); all others are ``DataLoader``'s own (``pin_memory``,
            ``persistent_workers``, ``multiprocessing_context``, ``prefetch_factor``, …).
    """

    def __init__(
        self,
        view: Any,
        batch_size: int,
        *,
        collate: Collate = as_tensors,
        num_workers: int = 0,
        rank: int | None = None,
        world: int | None = None,
        **options: Any,
    ) -> None:
        for name in options.keys() & set(_OURS):
            raise InvalidInput(
                f"{name} is decided by the hub's loader.", hint="See seed=, order=, remainder= and collate=."
            )
        rank, world = find_world(rank, world)
        self._view = view
        own = {name: options.pop(name) for name in list(options) if name in _BATCH_OPTIONS}
        self.batches: Batches = view.batches(batch_size, rank=rank, world=world, **own)
        self._collate = collate
        self._sent: deque[Planned] = deque()
        sampler = Sending(self.batches, self._sent)
        plain = own.get("decode") is None and own.get("transform") is None
        source = PlannedBatches(view, collate, plain=plain)
        super().__init__(
            source, batch_size=None, sampler=sampler, num_workers=num_workers, collate_fn=_as_is, **options
        )

    def __iter__(self) -> Iterator[Any]:
        return self._from_workers() if self.num_workers else self._from_here()

    def __len__(self) -> int:
        """Batches of a whole epoch."""
        return len(self.batches)

    def state_dict(self) -> dict[str, Any]:
        """Where the next batch starts, as JSON values."""
        return self.batches.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on from a state, however many workers or ranks it was made with, from the next ``iter``."""
        self.batches.load_state_dict(state)

    @property
    def skipped(self) -> list[Skipped]:
        """Samples passed over because they could not be read."""
        return self.batches.skipped

    def _from_here(self) -> Iterator[Any]:
        for batch in self.batches:
            yield self._pinned(self._collate(batch))

    def _from_workers(self) -> Iterator[Any]:
        self._sent.clear()
        for done in self._done():
            planned = self._sent.popleft()
            self.batches.consumed(
                planned.step.after, samples=done.samples, size_bytes=done.size_bytes, skipped=done.skipped
            )
            yield done.batch
        if self.sampler.end is not None:
            self.batches.consumed(self.sampler.end)

    def _done(self) -> Iterator[Done]:
        """Batches as they come from workers; bytes that these did not send are taken here."""
        for bundle in super().__iter__():
            for each in bundle:
                yield each if isinstance(each, Done) else self._take(each)

    def _take(self, found: Finding | None) -> Done:
        if found is not None and found.carried:
            found = found._replace(data=found.data.numpy())
        taken = take(self._view, self._sent[0], found)
        self.sampler.weigh(samples=taken.samples, size_bytes=taken.size_bytes)
        batch = self._pinned(of_arrays(taken.arrays))
        return Done(batch, taken.samples, taken.size_bytes, taken.skipped)

    def _pinned(self, batch: Any) -> Any:
        return pinned(batch) if self.pin_memory and torch.accelerator.is_available() else batch


def _as_is(batch: Any) -> Any:
    return batch
