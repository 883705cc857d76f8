"""What goes to torch's workers and comes back: planned batches, and what was made of them."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import torch
from torch.utils.data import Dataset, Sampler

from maruhub.adapters.finding import Finding, find
from maruhub.adapters.torch.tensors import Collate, as_tensors
from maruhub.errors import InvalidInput
from maruhub.loaders import Batch, Batches, Skipped
from maruhub.loaders.plan import Place
from maruhub.loaders.walk import Planned, read_planned

Bundle = tuple[Planned, ...]
"""What a worker is sent at once."""

_BUNDLE_BYTES: Final = 16 << 20
_BUNDLE_SAMPLES: Final = 2048


class Done(NamedTuple):
    """A batch that was collated."""

    batch: Any
    samples: int
    size_bytes: int
    skipped: tuple[Skipped, ...]


class PlannedBatches(Dataset):
    """Planned batches by themselves: what workers read, and collate where there is something to do.

    Where the trainer can take the bytes for itself they are not sent: see
    :mod:`maruhub.adapters.finding`.

    Args:
        view: The samples.
        collate: What batches are made with.
        plain: Whether samples are handed out as they are, neither decoded nor transformed.
    """

    def __init__(self, view: Any, collate: Collate, *, plain: bool) -> None:
        self._view = view
        self._collate = collate
        self.is_found = collate is as_tensors and plain

    def __getitem__(self, bundle: Bundle) -> list[Done] | list[Finding | None]:
        if self.is_found:
            return [None if found is None else _crossing(found) for found in find(self._view, bundle)]
        return [self._collated(planned) for planned in bundle]

    def _collated(self, planned: Planned) -> Done:
        ready = read_planned(self._view, planned)
        made = self._collate(ready.batch)
        check_crosses(made)
        return Done(made, len(ready.batch), ready.size_bytes, ready.skipped)


def _crossing(found: Finding) -> Finding:
    """The same with carried bytes as a tensor: that crosses in shared memory, anything else in a pipe."""
    return found._replace(data=torch.from_numpy(found.data)) if found.carried else found


class Sending(Sampler):
    """Planned batches from the loader's place on, noted as they are sent to workers.

    Args:
        batches: Whose place it is.
        sent: Takes what was sent, in order.
    """

    end: Place | None = None
    together = 1
    """Batches a bundle: torch needs half a millisecond for what a worker is sent and sends back."""

    def __init__(self, batches: Batches, sent: deque[Planned]) -> None:
        self._batches = batches
        self._sent = sent

    def __iter__(self) -> Iterator[Bundle]:
        walk = self._batches.walk()
        self.end = walk.end
        planned = iter(walk)
        while bundle := tuple(itertools.islice(planned, self.together)):
            self._sent.extend(bundle)
            yield bundle

    def __len__(self) -> int:
        return len(self._batches)

    def weigh(self, *, samples: int, size_bytes: int) -> None:
        """Bundles as many batches as are worth a message, going by one that has come."""
        by_samples = _BUNDLE_SAMPLES // max(samples, 1)
        self.together = max(1, min(by_samples, _BUNDLE_BYTES // max(size_bytes, 1)))


def check_crosses(made: Any) -> None:
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
