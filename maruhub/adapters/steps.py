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
from maruhub.loaders import Batch
from maruhub.loaders.plan import Place, Plan, Remainder


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
        remainder: What becomes of the samples that fill no whole step of all ranks: "exact"
            hands them out; "drop" and "pad" (with samples from the epoch's beginning, counted
            in ``Batch.padding``) are for frameworks that want one shape, or all ranks in step.
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
        remainder: Remainder = "exact",
        **options: Any,
    ) -> None:
        rank, world = find_world(rank, world)
        self._epochs = argument.whole("epochs", epochs, low=1)
        self._epoch = Epoch(view, number, state=state, **options)
        self._plan = Plan.of(len(self._epoch), batch_size, rank=rank, world=world, remainder=remainder)
        self._first = self._count(self._epoch.position)
        self.steps_an_epoch = self._plan.batches_an_epoch()

    def __len__(self) -> int:
        return self._first + (self._epochs - 1) * self.steps_an_epoch

    def __repr__(self) -> str:
        plan = self._plan
        share = f"batch_size={plan.batch_size}, rank={plan.rank}, world={plan.world}"
        rest = f"remainder={plan.remainder!r}, epochs={self._epochs}"
        return f"{type(self).__name__}({self._epoch!r}, {share}, {rest})"

    def read(self, step: int) -> Batch:
        """Batch ``step``, read now and in this thread."""
        (batch,) = self.read_run(step, step + 1)
        return batch

    def read_run(self, first: int, stop: int) -> list[Batch]:
        """Batches ``first … stop``, at least one, all read in one call: cheaper than one by one."""
        return self._epoch.read_steps([self._plan.step(self._place(step)) for step in range(first, stop)])

    def state_after(self, steps: int) -> dict[str, Any]:
        """The hub's state once all ranks have had ``steps`` batches: what to save with a model.

        After this rank's last one it is the end for all, also of a step that had no share for it.
        """
        if steps == 0:
            return self._epoch.state_at(self._epoch.position)
        if steps == len(self):
            return self.end()
        place = self._plan.step(self._place(steps - 1)).after
        return self._epoch.state_at(place.position, number=place.epoch)

    def end(self) -> dict[str, Any]:
        """The hub's state once these epochs are over, also for a rank that has no share in them."""
        return self._epoch.state_at(0, number=self._epoch.number + self._epochs)

    def _count(self, position: int) -> int:
        """This rank's batches from a position to its epoch's end."""
        plan = self._plan
        steps = plan.steps_left(Place(0, position))
        last = position + (steps - 1) * plan.stride + plan.rank * plan.batch_size
        return steps - (steps > 0 and plan.remainder == "exact" and last >= plan.size)

    def _place(self, step: int) -> Place:
        """Where all ranks' step begins."""
        if not 0 <= step < len(self):
            raise IndexError(f"batch {step} of {len(self)}")
        stride = self._plan.stride
        if step < self._first:
            return Place(self._epoch.number, self._epoch.position + step * stride)
        epochs, step = divmod(step - self._first, self.steps_an_epoch)
        return Place(self._epoch.number + 1 + epochs, step * stride)
