"""PyTorch: a loader that goes on exactly, and its parts for those who build their own.

:class:`Loader` is a ``DataLoader``: without workers it reads with the hub's own threads in this
process, which is the fastest; with workers these read and collate whole batches. Its state is the
hub's few integers either way, and moves when the trainer gets a batch, so that it goes on under
any number of workers or ranks, and in another framework.

:class:`Samples` (map style) and :class:`Order` (a batch sampler with a state) are for
``DataLoader`` and torchdata's ``StatefulDataLoader`` as they are; :class:`Stream` is for whatever
wants an ``IterableDataset``.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, Sampler, get_worker_info

from maruhub.adapters.arrays import as_arrays
from maruhub.adapters.world import find_world
from maruhub.errors import InvalidInput
from maruhub.loaders import Batch, Batches, Skipped
from maruhub.loaders.options import LoaderOptions
from maruhub.loaders.plan import Place
from maruhub.loaders.walk import Planned, read_planned

if TYPE_CHECKING:
    from maruhub.adapters.samples import Sample

Collate = Callable[[Batch], Any]
"""From a batch of raw samples to what the trainer gets."""

_OURS: Final = ("batch_sampler", "sampler", "drop_last", "collate_fn", "in_order")


def as_tensors(batch: Batch) -> dict[str, Any]:
    """A batch as tensors by names, as :func:`maruhub.adapters.arrays.as_arrays` says.

    It is what is used unless a ``collate`` is given.
    """
    return {name: _tensor(value) for name, value in as_arrays(batch).items()}


def _tensor(value: Any) -> Any:
    return torch.from_numpy(value) if isinstance(value, np.ndarray) else value


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
        own = {name: options.pop(name) for name in list(options) if name in _BATCH_OPTIONS}
        self.batches: Batches = view.batches(batch_size, rank=rank, world=world, **own)
        self._collate = collate
        self._sent: deque[Planned] = deque()
        sampler = _Sent(self.batches, self._sent)
        source = _Read(view, collate)
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
            made = self._collate(batch)
            yield _pinned(made) if self.pin_memory and torch.accelerator.is_available() else made

    def _from_workers(self) -> Iterator[Any]:
        self._sent.clear()
        for done in super().__iter__():
            planned = self._sent.popleft()
            self.batches.consumed(
                planned.step.after, samples=done.samples, size_bytes=done.size_bytes, skipped=done.skipped
            )
            yield done.batch
        if self.sampler.end is not None:
            self.batches.consumed(self.sampler.end)


_BATCH_OPTIONS: Final = {each.name for each in dataclasses.fields(LoaderOptions)} | {"run"}


class _Done(NamedTuple):
    """What a worker hands back."""

    batch: Any
    samples: int
    size_bytes: int
    skipped: tuple[Skipped, ...]


class _Read(Dataset):
    """Planned batches by themselves: what workers read and collate."""

    def __init__(self, view: Any, collate: Collate) -> None:
        self._view = view
        self._collate = collate

    def __getitem__(self, planned: Planned) -> _Done:
        ready = read_planned(self._view, planned)
        made = self._collate(ready.batch)
        _check_crosses(made)
        return _Done(made, len(ready.batch), ready.size_bytes, ready.skipped)


class _Sent(Sampler):
    """Planned batches from the loader's place on, noted as they are sent to workers."""

    end: Place | None = None

    def __init__(self, batches: Batches, sent: deque[Planned]) -> None:
        self._batches = batches
        self._sent = sent

    def __iter__(self) -> Iterator[Planned]:
        walk = self._batches.walk()
        self.end = walk.end
        for planned in walk:
            self._sent.append(planned)
            yield planned

    def __len__(self) -> int:
        return len(self._batches)


def _as_is(batch: Any) -> Any:
    return batch


def _pinned(batch: Any) -> Any:
    from torch.utils.data._utils.pin_memory import pin_memory

    return pin_memory(batch)


def _check_crosses(made: Any) -> None:
    """Refuses what can't be pickled here: a queue's own thread would drop it, and the trainer wait for ever."""
    values: Sequence[Any] = [made]
    if isinstance(made, Batch):
        values = made.blobs[:1] or [memoryview(b"")]
    elif isinstance(made, Mapping):
        values = list(made.values())
    elif isinstance(made, list | tuple):
        values = made
    for value in values:
        first = value[0] if isinstance(value, list | tuple) and value else value
        if isinstance(first, memoryview):
            raise InvalidInput(
                "collate returned views of a batch's bytes, which can't leave a worker.",
                hint="Return tensors, arrays or bytes; or use num_workers=0.",
            )


class Samples(Dataset):
    """Samples by number, map style, for a ``DataLoader`` with any sampler; asked for by whole batches.

    With :class:`Order` as ``batch_sampler`` they come in the hub's order. Goes to workers however
    they are started.

    Args:
        view: The samples.
        transform: Makes of each :class:`~maruhub.adapters.samples.Sample` what ``collate_fn`` gets;
            default: the sample with its bytes copied, which torch's own ``collate_fn`` takes.
    """

    def __init__(self, view: Any, transform: Callable[[Sample], Any] | None = None) -> None:
        self.view = view
        self._transform = transform or _with_bytes

    def __len__(self) -> int:
        return len(self.view)

    def __getitem__(self, row: int) -> Any:
        return self.__getitems__([row])[0]

    def __getitems__(self, rows: Sequence[int]) -> list[Any]:
        from maruhub.adapters.samples import read_samples

        return [self._transform(sample) for sample in read_samples(self.view, rows)]


def _with_bytes(sample: Sample) -> Sample:
    return sample._replace(data=bytes(sample.data))


class Order(Sampler):
    """The hub's order as a batch sampler, with a state: lists of rows from the present place on.

    For ``DataLoader`` and torchdata's ``StatefulDataLoader``, over :class:`Samples` of the same
    view. Its state is behind the last batch that was asked for: torchdata keeps it until the
    trainer has that batch, a plain ``DataLoader`` with workers does not (use :class:`Loader`).
    Takes the options of :class:`maruhub.loaders.Batches`.
    """

    def __init__(
        self, view: Any, batch_size: int, *, rank: int | None = None, world: int | None = None, **options: Any
    ) -> None:
        rank, world = find_world(rank, world)
        self.batches: Batches = view.batches(batch_size, rank=rank, world=world, **options)

    def __iter__(self) -> Iterator[list[int]]:
        walk = self.batches.walk()
        for planned in walk:
            self.batches.consumed(planned.step.after)
            yield planned.rows.tolist()
        if walk.end is not None:
            self.batches.consumed(walk.end)

    def __len__(self) -> int:
        return len(self.batches)

    def state_dict(self) -> dict[str, Any]:
        """Behind the last batch asked for; a new dict each time."""
        return self.batches.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on from a state; the next ``iter`` begins there."""
        self.batches.load_state_dict(state)


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
