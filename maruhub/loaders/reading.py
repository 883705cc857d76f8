"""From planned steps to batches of bytes: announce ahead, read by place, put in order.

One generator, without threads and without state of its own: ``prefetch`` may run it in a
thread, or the trainer runs it as it asks. The stages:

1. *chunks*: the rows, ids, labels and addresses of the next steps, some thousand samples
   in one go, because a call of numpy or Arrow costs the same for one row as for a hundred;
2. *pieces*: runs of a chunk's samples, small enough to announce to the store; a few are
   announced before the first of them is read, so that the drive's queue never runs dry
   (the very first is read at once, so that the first batch comes early);
3. *batches*: a piece is read sorted by place, its results put back in the plan's order; a
   batch goes out as soon as its last sample is there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

import numpy as np

from maruhub.errors import InvalidInput, MaruError
from maruhub.loaders.ahead import Window, cut, read_ahead
from maruhub.loaders.batch import Batch, Skipped
from maruhub.loaders.order import GlobalOrder
from maruhub.loaders.plan import Place, Plan, Step, take
from maruhub.loaders.stats import Meter
from maruhub.store.format.extent import Blobs

if TYPE_CHECKING:
    import pyarrow as pa

    from maruhub.loaders.permutation import Positions
    from maruhub.loaders.source import SampleSource
    from maruhub.store.protocol import Store

OnError = Literal["raise", "skip"]


@dataclass(frozen=True, slots=True)
class Ready:
    """A batch on its way to the trainer, and what handing it out means."""

    batch: Batch
    step: Step
    size_bytes: int
    skipped: tuple[Skipped, ...]


class BatchReader(Protocol):
    """What batches come from: a plan, and its batches from any place on."""

    @property
    def plan(self) -> Plan:
        """Who gets what."""

    def batches(self, place: Place, epochs: int | None) -> Iterator[Ready]:
        """Batches of this plan from ``place`` through ``epochs`` epochs (None: endless), lazily.

        Raises the first unreadable sample's error, unless it is to be passed over.
        """


class Samples(NamedTuple):
    """What the samples of a batch are, in order, apart from their bytes."""

    ids: list[str]
    rows: Positions
    columns: pa.Table


@dataclass(slots=True)
class Chunk:
    """The samples of some steps, one after the other: n in all, step i from ``starts[i]``."""

    steps: list[Step]
    starts: list[int]
    rows: Positions
    ids: list[str]
    columns: pa.Table
    blobs: Blobs
    results: list[memoryview | MaruError] = field(default_factory=list)
    emitted: int = 0


@dataclass(frozen=True, slots=True)
class Piece:
    """Samples ``lo … hi`` of a chunk, announced and read together."""

    chunk: Chunk
    lo: int
    hi: int

    def blobs(self) -> Blobs:
        """Their addresses; views of the chunk's arrays."""
        starts = self.chunk.blobs.starts[self.lo : self.hi + 1]
        return Blobs(self.chunk.blobs.extents[starts[0] : starts[-1]], starts - starts[0])


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads one rank's batches. Holds no thread and no position."""

    source: SampleSource
    store: Store
    plan: Plan
    order: GlobalOrder
    meter: Meter
    verify: bool = True
    on_error: OnError = "raise"
    window: Window = field(default_factory=Window)

    def batches(self, place: Place, epochs: int | None) -> Iterator[Ready]:
        """Batches from ``place`` on, lazily; raises the first unreadable sample's error."""
        pieces = self._pieces(place, epochs)
        for piece, results in read_ahead(
            self.store, pieces, window=self.window, verify=self.verify, meter=self.meter
        ):
            piece.chunk.results += results
            del results  # what goes out belongs to the trainer
            yield from self._emit(piece.chunk)

    def _pieces(self, place: Place, epochs: int | None) -> Iterator[Piece]:
        steps = self.plan.walk(place, epochs)
        while True:
            with self.meter.stage("plan"):
                chunk = self._chunk(list(take(steps, self.window.chunk_samples)))
            if chunk is None:
                return
            for lo, hi in cut(chunk.blobs, self.window):
                yield Piece(chunk, lo, hi)

    def _chunk(self, steps: list[Step]) -> Chunk | None:
        if not steps:
            return None
        ends = np.cumsum([step.stop - step.start for step in steps]).tolist()
        rows = self.order.rows_of(steps)
        ids, blobs = self.source.ids(rows), self.source.blobs(rows)
        assert len(ids) == len(blobs) == len(rows), "a source answers for every row"
        return Chunk(steps, [0, *ends], rows, ids, self.source.columns(rows), blobs)

    def _emit(self, chunk: Chunk) -> Iterator[Ready]:
        while chunk.emitted < len(chunk.steps) and chunk.starts[chunk.emitted + 1] <= len(chunk.results):
            yield self._ready(chunk, chunk.emitted)
            chunk.emitted += 1

    def _ready(self, chunk: Chunk, i: int) -> Ready:
        lo, hi = chunk.starts[i], chunk.starts[i + 1]
        step, results = chunk.steps[i], chunk.results[lo:hi]
        # The chunk lives until its last batch is out; what went out belongs to the trainer.
        chunk.results[lo:hi] = [_HANDED_OUT] * (hi - lo)
        samples = Samples(chunk.ids[lo:hi], chunk.rows[lo:hi], chunk.columns.slice(lo, hi - lo))
        return make_ready(step, samples, results, on_error=self.on_error)


def make_ready(
    step: Step, samples: Samples, results: list[memoryview | MaruError], *, on_error: OnError
) -> Ready:
    """A step's batch of what was read for it; raises the first error, or passes over what is bad."""
    blobs = [result for result in results if not isinstance(result, MaruError)]
    batch = Batch(
        ids=samples.ids,
        blobs=blobs,
        columns=samples.columns,
        positions=samples.rows,
        epoch=step.epoch,
        step=step.number,
    )
    skipped: tuple[Skipped, ...] = ()
    if len(blobs) < len(results):
        batch, skipped = _without_bad(batch, step, results, on_error)
    return Ready(batch, step, sum(map(len, blobs)), skipped)


def _without_bad(
    batch: Batch, step: Step, results: list[memoryview | MaruError], on_error: OnError
) -> tuple[Batch, tuple[Skipped, ...]]:
    bad = {i: result for i, result in enumerate(results) if isinstance(result, MaruError)}
    if on_error == "raise":
        first, error = next(iter(bad.items()))
        hint = f"{error.hint} Or pass on_error='skip' to pass over unreadable samples.".strip()
        raise type(error)(f"sample {batch.ids[first]}: {error.what}", hint=hint) from error
    good = np.array([i for i in range(len(results)) if i not in bad], dtype=np.int64)
    skipped = tuple(Skipped(batch.ids[i], str(bad[i]), batch.epoch, step.start + i) for i in bad)
    kept = replace(
        batch,
        ids=[batch.ids[i] for i in good],
        columns=batch.columns.take(good),
        positions=batch.positions[good],
    )
    return kept, skipped


_HANDED_OUT = memoryview(b"")


def check_on_error(on_error: str) -> OnError:
    """Raises InvalidInput unless it is one of the policies."""
    if on_error == "raise":
        return "raise"
    if on_error == "skip":
        return "skip"
    raise InvalidInput(f"on_error {on_error!r} is not known.", hint="Use 'raise' or 'skip'.")
