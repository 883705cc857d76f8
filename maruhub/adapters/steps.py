"""A rank's batches by their number: for frameworks that ask for batch i, in any order and thread.

tf.data, Keras and Grain keep the place themselves, as a number of batches; :meth:`Steps.state_after`
makes of it the state that every other loader of the hub understands.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from maruhub import argument
from maruhub.adapters.epoch import Epoch
from maruhub.adapters.world import find_world
from maruhub.errors import InvalidInput
from maruhub.loaders import Batch


class Steps:
    """Batches 0 … len of one rank, through one epoch or several. Safe from many threads, and pickled.

    Args:
        view: The samples.
        batch_size: Samples a batch on this rank.
        rank: This process's number among ``world``; see :mod:`maruhub.adapters.world`.
        world: How many processes share each epoch.
        epochs: How many; the rest of a begun one counts as one.
        number: The first epoch, from 0.
        state: Where to go on, as any of the hub's loaders says it; instead of ``number``.
        drop_remainder: Leaves out what fills no whole step of all ranks, for frameworks that
            want one shape or all ranks to step together.
        options: See :class:`maruhub.adapters.epoch.Epoch`.
    """

    def __init__(
        self,
        view: Any,
        batch_size: int,
        *,
        rank: int | None = None,
        world: int | None = None,
        epochs: int = 1,
        number: int | None = None,
        state: Mapping[str, Any] | None = None,
        drop_remainder: bool = False,
        **options: Any,
    ) -> None:
        self._size = argument.whole("batch_size", batch_size, low=1)
        self._rank, self._world = find_world(rank, world)
        if not 0 <= self._rank < self._world:
            raise InvalidInput(
                f"rank {self._rank} of world {self._world}: rank must be within 0 … world - 1."
            )
        self._epochs = argument.whole("epochs", epochs, low=1)
        self._drop = argument.flag("drop_remainder", drop_remainder)
        self._epoch = Epoch(view, number, state=state, **options)
        self._first = self._count(len(self._epoch) - self._epoch.position)
        self.steps_an_epoch = self._count(len(self._epoch))

    def __len__(self) -> int:
        return self._first + (self._epochs - 1) * self.steps_an_epoch

    def __repr__(self) -> str:
        share = (
            f"batch_size={self._size}, rank={self._rank}, world={self._world}, drop_remainder={self._drop}"
        )
        return f"{type(self).__name__}({self._epoch!r}, {share}, epochs={self._epochs})"

    def read(self, step: int) -> Batch:
        """Batch ``step``, read now and in this thread."""
        number, start = self._place(step)
        start += self._rank * self._size
        stop = min(start + self._size, len(self._epoch))
        return self._epoch.read(start, stop, number=number)

    def state_after(self, steps: int) -> dict[str, Any]:
        """The hub's state once all ranks have had ``steps`` batches: what to save with a model."""
        if steps == 0:
            return self._epoch.state_at(self._epoch.position)
        number, start = self._place(steps - 1)
        end = start + self._size * self._world
        if self._drop and end + self._size * self._world > len(self._epoch):
            end = len(self._epoch)
        return self._epoch.state_at(end, number=number)

    def _count(self, samples: int) -> int:
        """This rank's batches of the last ``samples`` of an epoch."""
        whole, rest = divmod(samples, self._size * self._world)
        return whole + (not self._drop and rest > self._rank * self._size)

    def _place(self, step: int) -> tuple[int, int]:
        """The epoch and the position at which all ranks' step begins."""
        if not 0 <= step < len(self):
            raise IndexError(f"batch {step} of {len(self)}")
        stride = self._size * self._world
        if step < self._first:
            return self._epoch.number, self._epoch.position + step * stride
        epochs, step = divmod(step - self._first, self.steps_an_epoch)
        return self._epoch.number + 1 + epochs, step * stride
