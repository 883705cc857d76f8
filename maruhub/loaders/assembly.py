"""From what was read to the batch that a trainer gets: what is bad is raised, left out or replaced."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from maruhub import argument
from maruhub.errors import MaruError
from maruhub.loaders.batch import Batch, Skipped
from maruhub.loaders.decoded_cache import size_of
from maruhub.loaders.plan import Step
from maruhub.loaders.reading import Fetched

OnError = Literal["raise", "skip", "substitute"]
"""What a sample that can't be had does to its batch."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A batch on its way to the trainer, and what handing it out means.

    Attributes:
        batch: The batch.
        step: Where it stands.
        read_bytes: Bytes of its blobs.
        size_bytes: What it keeps in memory: these, and what was decoded of them.
        skipped: What it lacks.
    """

    batch: Batch
    step: Step
    read_bytes: int
    size_bytes: int
    skipped: tuple[Skipped, ...]


@dataclass(frozen=True, slots=True)
class Assembly:
    """Makes batches.

    Attributes:
        size: Samples of an epoch.
        on_error: "raise" the first error in place of its batch; "skip" leaves the sample out;
            "substitute" puts the batch's next good sample in its place, so that batches keep
            their size (a batch without any good one comes empty).
    """

    size: int
    on_error: OnError = "raise"

    def batches(self, steps: Iterator[Fetched]) -> Iterator[Ready]:
        """The steps as batches, lazily. Raises what ``on_error`` says."""
        try:
            for fetched in steps:
                made = [self.ready(fetched)]
                del fetched
                yield made.pop()  # what goes out belongs to the trainer: nothing here holds it
        finally:
            # What works for it ends now, not when an error that names this frame is forgotten.
            if isinstance(steps, Generator):
                steps.close()

    def ready(self, fetched: Fetched) -> Ready:
        """A step's batch."""
        step, samples, results, values = fetched
        batch = Batch(
            ids=samples.ids,
            blobs=results,  # type: ignore[arg-type]  # errors among them are taken out next
            columns=samples.columns,
            positions=samples.rows,
            epoch=step.epoch,
            step=step.number,
            padding=_padding(step, self.size),
            values=results if values is None else values,
        )
        skipped: tuple[Skipped, ...] = ()
        if any(issubclass(kind, MaruError) for kind in set(map(type, batch.values))):
            bad = {i: each for i, each in enumerate(batch.values) if isinstance(each, MaruError)}
            batch, skipped = self._without_bad(batch, step, bad)
        size_bytes = sum(map(len, batch.blobs))
        return Ready(batch, step, size_bytes, size_bytes + _decoded_bytes(batch), skipped)

    def _without_bad(
        self, batch: Batch, step: Step, bad: dict[int, MaruError]
    ) -> tuple[Batch, tuple[Skipped, ...]]:
        if self.on_error == "raise":
            raise _named(batch.ids, *next(iter(bad.items())))
        count = len(batch)
        kept = _kept(count, bad, fill=self.on_error == "substitute")
        filled = len(kept) == count
        skipped = tuple(
            Skipped(
                id=batch.ids[i],
                reason=str(error),
                epoch=batch.epoch,
                position=(step.start + i) % self.size,
                substitute=batch.ids[kept[i]] if filled else None,
            )
            for i, error in bad.items()
        )
        # A batch that was filled up has its padding at the places where it was.
        places = np.arange(count) if filled else kept
        made = replace(
            batch,
            ids=[batch.ids[i] for i in kept],
            blobs=[batch.blobs[i] for i in kept],
            columns=batch.columns.take(kept),
            positions=batch.positions[kept],
            padding=int(np.count_nonzero(places >= count - batch.padding)),
            values=[batch.values[i] for i in kept],
        )
        return made, skipped


def _kept(count: int, bad: dict[int, MaruError], *, fill: bool) -> npt.NDArray[np.int64]:
    """Which of the samples a batch is made of, in order; filled up, it has ``count`` of them."""
    good = np.array([i for i in range(count) if i not in bad], dtype=np.int64)
    if not fill or not len(good):
        return good
    return good[np.searchsorted(good, np.arange(count)) % len(good)]


def _padding(step: Step, size: int) -> int:
    return max(0, step.stop - max(step.start, size))


def _decoded_bytes(batch: Batch) -> int:
    return 0 if batch.values is batch.blobs else sum(map(size_of, batch.values))


def _named(ids: list[str], at: int, error: MaruError) -> MaruError:
    hint = f"{error.hint} Or pass on_error='skip' to pass over unreadable samples.".strip()
    named = type(error)(f"sample {ids[at]}: {error.what}", hint=hint)
    named.__cause__ = error
    return named


def check_on_error(on_error: object) -> OnError:
    """Raises InvalidInput unless it is one of the policies."""
    for known in get_args(OnError):
        if on_error == known:
            found: OnError = known
            return found
    raise argument.wrong("on_error", on_error, " or ".join(map(repr, get_args(OnError))))
