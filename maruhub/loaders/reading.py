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

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from maruhub.errors import InvalidInput, MaruError
from maruhub.loaders.batch import Batch, Skipped
from maruhub.loaders.order import GlobalOrder
from maruhub.loaders.plan import Place, Plan, Step
from maruhub.loaders.stats import Meter
from maruhub.store.format.extent import Blobs

if TYPE_CHECKING:
    import pyarrow as pa

    from maruhub.loaders.permutation import Positions
    from maruhub.loaders.source import SampleSource
    from maruhub.store.protocol import Store

OnError = Literal["raise", "skip"]


@dataclass(frozen=True, slots=True)
class Window:
    """How far the reader looks ahead.

    Attributes:
        chunk_samples: Samples planned at once (at least a batch).
        piece_extents: Extents announced in one call; 64–256 keep a drive's queue full.
        piece_bytes: Bytes announced in one call at most (at least one sample).
        pieces_ahead: Pieces announced but not read yet.
    """

    chunk_samples: int = 2048
    piece_extents: int = 128
    piece_bytes: int = 16 << 20
    pieces_ahead: int = 4


@dataclass(frozen=True, slots=True)
class Ready:
    """A batch on its way to the trainer, and what handing it out means."""

    batch: Batch
    step: Step
    size_bytes: int
    skipped: tuple[Skipped, ...]


@dataclass(slots=True)
class Chunk:
    """The samples of some steps, one after the other: n in all, step i from ``starts[i]``."""

    steps: list[Step]
    starts: list[int]
    order_positions: Positions
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
    window: Window = Window()

    def batches(self, place: Place, epochs: int | None) -> Iterator[Ready]:
        """Batches from ``place`` on, lazily; raises the first unreadable sample's error."""
        announced: deque[Piece] = deque()
        ahead = 1  # The first batch need not wait until the whole window is announced.
        for piece in self._pieces(place, epochs):
            with self.meter.stage("announce"):
                self.store.announce(piece.blobs().extents)
            announced.append(piece)
            if len(announced) >= ahead:
                yield from self._read(announced.popleft())
                ahead = min(ahead + 1, max(1, self.window.pieces_ahead))
        while announced:
            yield from self._read(announced.popleft())

    def _pieces(self, place: Place, epochs: int | None) -> Iterator[Piece]:
        steps = self.plan.walk(place, epochs)
        while True:
            with self.meter.stage("plan"):
                chunk = self._chunk(list(_take(steps, self.window.chunk_samples)))
            if chunk is None:
                return
            for lo, hi in cut(chunk.blobs, self.window):
                yield Piece(chunk, lo, hi)

    def _chunk(self, steps: list[Step]) -> Chunk | None:
        if not steps:
            return None
        runs = [np.arange(step.start, step.stop, dtype=np.uint64) for step in steps]
        positions = np.concatenate(runs)
        ends = np.cumsum([len(run) for run in runs]).tolist()
        rows = np.concatenate([self.order.rows(e, p) for e, p in _by_epoch(steps, runs)])
        ids, blobs = self.source.ids(rows), self.source.blobs(rows)
        assert len(ids) == len(blobs) == len(rows), "a source answers for every row"
        return Chunk(steps, [0, *ends], positions, rows, ids, self.source.columns(rows), blobs)

    def _read(self, piece: Piece) -> Iterator[Ready]:
        chunk = piece.chunk
        with self.meter.stage("read"):
            chunk.results += read_by_place(self.store, piece.blobs(), verify=self.verify)
        while chunk.emitted < len(chunk.steps) and chunk.starts[chunk.emitted + 1] <= len(chunk.results):
            yield self._emit(chunk, chunk.emitted)
            chunk.emitted += 1

    def _emit(self, chunk: Chunk, i: int) -> Ready:
        lo, hi = chunk.starts[i], chunk.starts[i + 1]
        step, results = chunk.steps[i], chunk.results[lo:hi]
        # The chunk lives until its last batch is out; what went out belongs to the trainer.
        chunk.results[lo:hi] = [_HANDED_OUT] * (hi - lo)
        blobs = [result for result in results if not isinstance(result, MaruError)]
        batch = Batch(
            ids=chunk.ids[lo:hi],
            blobs=blobs,
            columns=chunk.columns.slice(lo, hi - lo),
            positions=chunk.rows[lo:hi],
            epoch=step.epoch,
            step=step.number,
        )
        skipped: tuple[Skipped, ...] = ()
        if len(blobs) < len(results):
            batch, skipped = self._without_bad(batch, results, chunk.order_positions[lo:hi])
        return Ready(batch, step, sum(map(len, blobs)), skipped)

    def _without_bad(
        self, batch: Batch, results: list[memoryview | MaruError], positions: Positions
    ) -> tuple[Batch, tuple[Skipped, ...]]:
        bad = {i: result for i, result in enumerate(results) if isinstance(result, MaruError)}
        if self.on_error == "raise":
            first, error = next(iter(bad.items()))
            hint = f"{error.hint} Or pass on_error='skip' to pass over unreadable samples.".strip()
            raise type(error)(f"sample {batch.ids[first]}: {error.what}", hint=hint) from error
        good = np.array([i for i in range(len(results)) if i not in bad], dtype=np.int64)
        skipped = tuple(Skipped(batch.ids[i], str(bad[i]), batch.epoch, int(positions[i])) for i in bad)
        kept = replace(
            batch,
            ids=[batch.ids[i] for i in good],
            columns=batch.columns.take(good),
            positions=batch.positions[good],
        )
        return kept, skipped


_HANDED_OUT = memoryview(b"")


def _take(steps: Iterator[Step], samples: int) -> Iterator[Step]:
    """Whole steps until they hold ``samples`` samples, at least one step."""
    taken = 0
    while taken < samples and (step := next(steps, None)) is not None:
        taken += step.stop - step.start
        yield step


def _by_epoch(steps: list[Step], runs: list[Positions]) -> Iterator[tuple[int, Positions]]:
    """The steps' positions, joined for each run of steps of one epoch."""
    at = 0
    while at < len(steps):
        epoch, end = steps[at].epoch, at
        while end < len(steps) and steps[end].epoch == epoch:
            end += 1
        yield epoch, np.concatenate(runs[at:end])
        at = end


def cut(blobs: Blobs, window: Window) -> Iterator[tuple[int, int]]:
    """Cuts blobs into runs of at most the window's extents and bytes, at least one blob."""
    extents = blobs.starts
    size_bytes = np.concatenate(([0], np.cumsum(blobs.sizes())))
    lo, n = 0, len(blobs)
    while lo < n:
        by_extents = int(np.searchsorted(extents, extents[lo] + window.piece_extents, side="right")) - 1
        by_bytes = int(np.searchsorted(size_bytes, size_bytes[lo] + window.piece_bytes, side="right")) - 1
        hi = min(n, max(lo + 1, min(by_extents, by_bytes)))
        yield lo, hi
        lo = hi


def read_by_place(store: Store, blobs: Blobs, *, verify: bool) -> list[memoryview | MaruError]:
    """Reads blobs in the order of their addresses; results stand in the order asked."""
    order = place_order(blobs)
    results = store.read_many(take_blobs(blobs, order), verify=verify)
    in_order: list[memoryview | MaruError] = [_HANDED_OUT] * len(results)
    for i, result in zip(order.tolist(), results, strict=True):
        in_order[i] = result
    return in_order


def place_order(blobs: Blobs) -> npt.NDArray[np.int64]:
    """Indices that sort blobs by the segment and offset of their first extent."""
    if not len(blobs.extents):
        return np.arange(len(blobs))
    first = blobs.extents[np.minimum(blobs.starts[:-1], len(blobs.extents) - 1)]
    return np.lexsort((first["offset"], first["segment"]))


def take_blobs(blobs: Blobs, indices: npt.NDArray[np.int64]) -> Blobs:
    """The blobs at ``indices``, with extents copied into a new array."""
    counts = np.diff(blobs.starts)[indices]
    starts = np.zeros(len(indices) + 1, dtype=np.int64)
    np.cumsum(counts, out=starts[1:])
    shift = np.repeat(blobs.starts[:-1][indices] - starts[:-1], counts)
    return Blobs(blobs.extents[np.arange(starts[-1]) + shift], starts)


def check_on_error(on_error: str) -> OnError:
    """Raises InvalidInput unless it is one of the policies."""
    if on_error == "raise":
        return "raise"
    if on_error == "skip":
        return "skip"
    raise InvalidInput(f"on_error {on_error!r} is not known.", hint="Use 'raise' or 'skip'.")
