"""Who reads which positions at which step. Pure arithmetic: no bytes, no names, no clock.

An epoch is one global sequence of positions [0, size). A step takes the next
``world * batch_size`` of them; rank r gets the r-th contiguous slice of ``batch_size``.
So the sequence is the same for every world and batch size, and one number (how far it has
been consumed) is the whole state. What is left for an epoch's last step is handed out as it
is (one rank may get a short batch and later ranks none), dropped, or padded from the epoch's
beginning, as the plan's ``remainder`` says.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

from maruhub import argument
from maruhub.errors import InvalidInput
from maruhub.loaders.permutation import SIZE_MAX

Remainder = Literal["exact", "drop", "pad"]
"""What becomes of the samples that fill no whole step of all ranks."""


class Place(NamedTuple):
    """How far the sequence of epochs is consumed, on all ranks together."""

    epoch: int
    position: int


class Step(NamedTuple):
    """One rank's share [start, stop) of the step over [position, end).

    ``start == stop`` when the epoch's last step has nothing left for this rank. Positions of a
    padded step reach beyond the epoch's size: they go on at its beginning.
    ``after`` is the place once the step is done: at an epoch's end, the next one's start.
    """

    epoch: int
    number: int
    position: int
    end: int
    start: int
    stop: int
    after: Place


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps of one rank.

    Args:
        size: Samples in an epoch.
        batch_size: Samples a rank gets in a step.
        rank: Which of the ranks this is, from 0.
        world: How many ranks there are.
        remainder: "exact" hands out every sample once, so ranks may differ by one batch at an
            epoch's end; "drop" leaves out what fills no whole step; "pad" fills it up with
            samples from the epoch's beginning.
    """

    size: int
    batch_size: int
    rank: int = 0
    world: int = 1
    remainder: Remainder = "exact"

    @classmethod
    def of(
        cls, size: int, batch_size: object, *, rank: object, world: object, remainder: object = "exact"
    ) -> Plan:
        """A plan from what a user said; InvalidInput names the argument that can't be."""
        if size > SIZE_MAX:
            raise InvalidInput(f"{size} samples are more than an order holds (2**63).")
        return cls(
            size,
            argument.whole("batch_size", batch_size, low=1),
            argument.whole("rank", rank, low=0),
            argument.whole("world", world, low=1),
            _remainder(remainder),
        )

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise InvalidInput(f"batch_size {self.batch_size} must be at least 1.")
        if self.world < 1 or not 0 <= self.rank < self.world:
            raise InvalidInput(
                f"rank {self.rank} of world {self.world}: rank must be within 0 … world - 1.",
                hint="Give each training process its own rank and all the same world.",
            )
        if self.remainder == "drop" and 0 < self.size < self.stride:
            raise InvalidInput(
                f"remainder='drop' leaves nothing of {self.size} samples: one step takes {self.stride}.",
                hint="Use a smaller batch_size, or remainder='exact' or 'pad'.",
            )

    @property
    def stride(self) -> int:
        """Positions that a step consumes on all ranks together."""
        return self.batch_size * self.world

    def steps_left(self, place: Place) -> int:
        """Steps of all ranks together from ``place`` to its epoch's end."""
        whole, rest = divmod(max(0, self.size - place.position), self.stride)
        return whole + (rest > 0 and self.remainder != "drop")

    def batches_an_epoch(self) -> int:
        """Batches that this rank gets in a whole epoch."""
        whole, rest = divmod(self.size, self.stride)
        if self.remainder == "exact":
            return whole + (rest > self.rank * self.batch_size)
        return self.steps_left(Place(0, 0))

    def step(self, place: Place) -> Step:
        """The step that begins at ``place``, where there is one."""
        end = place.position + self.stride
        if self.remainder == "exact":
            end = min(end, self.size)
        start = min(place.position + self.rank * self.batch_size, end)
        after = Place(place.epoch, end)
        if not self.steps_left(after):
            after = Place(place.epoch + 1, 0)
        # Counted in whole steps of this plan, so that it rises also after an elastic resume.
        number = -(-place.position // self.stride)
        stop = min(start + self.batch_size, end)
        return Step(place.epoch, number, place.position, end, start=start, stop=stop, after=after)

    def steps(self, place: Place, epochs: int | None) -> list[Step]:
        """All steps of this rank that hold samples. For tests and short plans."""
        return list(self.walk(place, epochs))

    def walk(self, place: Place, epochs: int | None) -> StepWalk:
        """The steps with samples, lazily, through ``epochs`` epochs (None: endless)."""
        return StepWalk(self, place, None if epochs is None else place.epoch + epochs)


@dataclass
class StepWalk:
    """An iterator over a plan's steps up to (not into) ``last_epoch``."""

    plan: Plan
    place: Place
    last_epoch: int | None

    def __iter__(self) -> StepWalk:
        return self

    def __next__(self) -> Step:
        # An empty source has no steps in any epoch; without this an endless walk would spin.
        while self.plan.size and self.place.epoch != self.last_epoch:
            if not self.plan.steps_left(self.place):
                # What is left here was a whole step under another plan; under this one it is dropped.
                self.place = Place(self.place.epoch + 1, 0)
                continue
            step = self.plan.step(self.place)
            self.place = step.after
            if step.start < step.stop:
                return step
            # A rank without any share in whole epochs would spin just the same.
            if self.last_epoch is None and not self.plan.batches_an_epoch():
                break
        raise StopIteration


def take(steps: Iterator[Step], samples: int) -> Iterator[Step]:
    """Whole steps until they hold ``samples`` samples, at least one step."""
    taken = 0
    while taken < samples and (step := next(steps, None)) is not None:
        taken += step.stop - step.start
        yield step


def _remainder(value: object) -> Remainder:
    if value == "exact" or value == "drop" or value == "pad":
        return value
    raise argument.wrong("remainder", value, " or ".join(map(repr, get_args(Remainder))))
