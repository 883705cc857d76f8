"""From what was read to the batch that a trainer gets: what is bad is raised, left out or replaced."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from maruhub import argument
from maruhub.errors import MaruError
from maruhub.loaders.batch import Batch, Skipped
from maruhub.loaders.plan import Step
from maruhub.loaders.reading import Fetched

OnError = Literal["raise", "skip", "substitute"]
"""What a sample that can't be had does to its batch."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A batch on its way to the trainer, and what handing it out means."""

    batch: Batch
    step: Step
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
        for fetched in steps:
            made = [self.ready(fetched)]
            del fetched
            yield made.pop()  # what goes out belongs to the trainer: nothing here holds it

    def ready(self, fetched: Fetched) -> Ready:
        """A step's batch."""
        step, samples, results = fetched
        blobs = [result for result in results if not isinstance(result, MaruError)]
        batch = Batch(
            ids=samples.ids,
            blobs=blobs,
            columns=samples.columns,
            positions=samples.rows,
            epoch=step.epoch,
            step=step.number,
            padding=_padding(step, self.size),
        )
        skipped: tuple[Skipped, ...] = ()
        if len(blobs) < len(results):
            batch, skipped = self._without_bad(batch, step, results)
        return Ready(batch, step, sum(map(len, batch.blobs)), skipped)

    def _without_bad(self, batch: Batch, step: Step, results: list[Any]) -> tuple[Batch, tuple[Skipped, ...]]:
        bad = {i: result for i, result in enumerate(results) if isinstance(result, MaruError)}
        if self.on_error == "raise":
            raise _named(batch.ids, *next(iter(bad.items())))
        kept = _kept(len(results), bad, fill=self.on_error == "substitute")
        filled = len(kept) == len(results)
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
        places = np.arange(len(kept)) if filled else kept
        made = replace(
            batch,
            ids=[batch.ids[i] for i in kept],
            blobs=[results[i] for i in kept],
            columns=batch.columns.take(kept),
            positions=batch.positions[kept],
            padding=int(np.count_nonzero(places >= len(results) - batch.padding)),
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
