"""Samples by number, and the hub's order over them, for torch's own loaders."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from torch.utils.data import Dataset, Sampler

from maruhub.adapters.world import find_world

if TYPE_CHECKING:
    from maruhub.adapters.samples import Sample
    from maruhub.loaders import Batches


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
