"""From planned steps to samples with their bytes: announce ahead, read by place, put in order.

One generator, without threads and without state of its own: ``prefetch`` may run it in a
thread, or the trainer runs it as it asks. The stages:

1. *chunks*: the rows, ids, labels and addresses of the next steps, some thousand samples
   in one go, because a call of numpy or Arrow costs the same for one row as for a hundred;
2. *pieces*: runs of a chunk's samples, small enough to announce to the store; a few are
   announced before the first of them is read, so that the drive's queue never runs dry
   (the very first is read at once, so that the first batch comes early);
3. *steps*: a piece is read sorted by place, its results put back in the plan's order; a step
   goes out as soon as its last sample is there.

What a trainer gets of it is made in ``assembly``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from maruhub.errors import MaruError
from maruhub.loaders.ahead import Window, cut, read_ahead
from maruhub.loaders.order import Order, rows_of
from maruhub.loaders.plan import Place, Plan, Step, take
from maruhub.loaders.stats import Meter
from maruhub.store.format.extent import Blobs

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

    from maruhub.loaders.permutation import Positions
    from maruhub.loaders.source import SampleSource
    from maruhub.store.protocol import Store


Held = Callable[["Positions"], "npt.NDArray[np.bool_] | None"]
"""Of which rows the bytes are not needed, as ``bool[m]``; None: of none."""


class Samples(NamedTuple):
    """What the samples of a step are, in order, apart from their bytes."""

    ids: list[str]
    rows: Positions
    columns: pa.Table


class Fetched(NamedTuple):
    """A step's samples and what was read for them, an unreadable one's error in its place.

    ``values`` are what was decoded of it, with errors in the same way; None: nothing was.
    """

    step: Step
    samples: Samples
    results: list[memoryview | MaruError]
    values: list[Any] | None = None


class BatchReader(Protocol):
    """What batches come from: a plan, and its steps from any place on."""

    @property
    def plan(self) -> Plan:
        """Who gets what."""

    def steps(self, place: Place, epochs: int | None) -> Iterator[Fetched]:
        """Steps of this plan from ``place`` through ``epochs`` epochs (None: endless), lazily."""


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
    """Reads one rank's batches. Holds no thread and no position.

    ``held`` says what need not be read: its blobs come empty.
    """

    source: SampleSource
    store: Store
    plan: Plan
    order: Order
    meter: Meter
    verify: bool = True
    window: Window = field(default_factory=Window)
    held: Held = lambda rows: None

    def steps(self, place: Place, epochs: int | None) -> Iterator[Fetched]:
        """See :class:`BatchReader`."""
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
        rows = rows_of(self.order, steps)
        ids, blobs = self.source.ids(rows), self.source.blobs(rows)
        assert len(ids) == len(blobs) == len(rows), "a source answers for every row"
        held = self.held(rows)
        if held is not None:
            blobs = _without(blobs, held)
        return Chunk(steps, [0, *ends], rows, ids, self.source.columns(rows), blobs)

    def _emit(self, chunk: Chunk) -> Iterator[Fetched]:
        while chunk.emitted < len(chunk.steps) and chunk.starts[chunk.emitted + 1] <= len(chunk.results):
            yield self._fetched(chunk, chunk.emitted)
            chunk.emitted += 1

    def _fetched(self, chunk: Chunk, i: int) -> Fetched:
        lo, hi = chunk.starts[i], chunk.starts[i + 1]
        step, results = chunk.steps[i], chunk.results[lo:hi]
        # The chunk lives until its last batch is out; what went out belongs to the trainer.
        chunk.results[lo:hi] = [_HANDED_OUT] * (hi - lo)
        samples = Samples(chunk.ids[lo:hi], chunk.rows[lo:hi], chunk.columns.slice(lo, hi - lo))
        return Fetched(step, samples, results)


def _without(blobs: Blobs, held: npt.NDArray[np.bool_]) -> Blobs:
    """The same blobs, those that are held with no extents: nothing is read for them."""
    counts = np.diff(blobs.starts)
    extents = blobs.extents[np.repeat(~held, counts)]
    return Blobs(extents, np.concatenate(([0], np.cumsum(np.where(held, 0, counts)))))


_HANDED_OUT = memoryview(b"")
