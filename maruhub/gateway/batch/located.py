"""From a request to addresses: runs of items whose places are known, and pieces of them to read.

A *run* is some thousand items located in one go. A *piece* is a part of its rows, small enough
to be announced and sent together. A row is an extent, so that no object is ever held whole,
and the sums that the store keeps are the sums that are sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import xxhash

from maruhub.errors import InvalidInput, MaruError
from maruhub.gateway.batch.request import Keys, ReadEpoch, ReadObjects
from maruhub.gateway.batch.rights import Allowed, refusal
from maruhub.gateway.need import Need
from maruhub.loaders.ahead import Window, cut
from maruhub.loaders.order import rows_of
from maruhub.loaders.plan import Place, Plan, Step, take
from maruhub.store.format.extent import Blobs
from maruhub.wire.frame import MORE, ROW_DTYPE, RowTable
from maruhub.wire.table import encode_table

if TYPE_CHECKING:
    from maruhub.loaders.following import Course
    from maruhub.loaders.source import SampleSource
    from maruhub.namespace import Namespace

RUN_ITEMS: Final = 2048
ARROW_BYTES: Final = 32 << 20
"""Labels of one run; one with more is cut in two."""

WINDOW: Final = Window(chunk_samples=RUN_ITEMS, piece_extents=1024, piece_bytes=8 << 20, pieces_ahead=4)
_FIRST_BYTES: Final = 1 << 20

_EMPTY_SUM: Final = xxhash.xxh3_64_intdigest(b"")

Names = Callable[[], list[str]]


@dataclass(frozen=True)
class Run:
    """Items that follow each other.

    Attributes:
        blobs: Where their bytes are; nothing for a failed one.
        faults: Errors by place in the run.
        names: Their names, for archives; made when asked for.
        arrow: What they are, or None.
        skip_bytes: Left out of the first item, whose extents before are not in ``blobs``.
    """

    blobs: Blobs
    faults: dict[int, MaruError]
    names: Names
    arrow: bytes | None = None
    skip_bytes: int = 0

    def __len__(self) -> int:
        return len(self.blobs)

    @cached_property
    def rows(self) -> Blobs:
        """A blob a row: an extent, or nothing."""
        counts = np.diff(self.blobs.starts)
        has_bytes = np.ones(int(self.rows_of_item.sum()), np.int64)
        first = self.item_ends - self.rows_of_item
        has_bytes[first[counts == 0]] = 0
        return Blobs(self.blobs.extents, np.concatenate(([0], np.cumsum(has_bytes))))

    @cached_property
    def rows_of_item(self) -> npt.NDArray[np.int64]:
        """How many rows each item has, at least one."""
        return np.maximum(np.diff(self.blobs.starts), 1)

    @cached_property
    def item_ends(self) -> npt.NDArray[np.int64]:
        """Behind which row each item ends."""
        return np.cumsum(self.rows_of_item)

    def table(self, base: int) -> RowTable:
        """Item, sum and flags of every row; ``base`` is the number of the first item."""
        counts = self.rows_of_item
        table = np.zeros(len(self.rows), ROW_DTYPE)
        table["item"] = np.repeat(np.arange(base, base + len(counts), dtype=np.uint64), counts)
        table["flags"] = MORE
        table["flags"][self.item_ends - 1] = 0
        has_bytes = np.diff(self.rows.starts) > 0
        table["sum"] = _EMPTY_SUM
        table["sum"][has_bytes] = self.rows.extents["checksum"]
        return table


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows ``lo … hi`` of a run, announced, read and sent together."""

    run: Run
    table: RowTable
    lo: int
    hi: int
    base: int

    def blobs(self) -> Blobs:
        """Their addresses; views of the run's arrays."""
        starts = self.run.rows.starts[self.lo : self.hi + 1]
        return Blobs(self.run.rows.extents[starts[0] : starts[-1]], starts - starts[0])


@dataclass
class Pieces:
    """Cuts runs into pieces, lazily, and numbers their items.

    The first pieces are small: so something comes soon, and over a line that breaks again and again too.
    One ends where an item does, if any does: whoever receives it has that in one piece, and copies nothing.
    """

    runs: Iterator[Run]
    window: Window = field(default_factory=lambda: WINDOW)
    _reach_bytes: int = field(default=_FIRST_BYTES, init=False)

    def __iter__(self) -> Iterator[Piece]:
        base = 0
        for run in self.runs:
            table = run.table(base)
            for lo, hi in self._cut(run):
                yield Piece(run, table[lo:hi], lo, hi, base)
            base += len(run)

    def _cut(self, run: Run) -> Iterator[tuple[int, int]]:
        rows, lo = run.rows, 0
        while lo < len(rows):
            window = replace(self.window, piece_bytes=min(self._reach_bytes, self.window.piece_bytes))
            hi = lo + next(cut(_some(rows, lo, window.piece_extents), window))[1]
            ended = int(np.searchsorted(run.item_ends, hi, side="right"))
            whole = int(run.item_ends[ended - 1]) if ended else 0
            hi = whole if whole > lo else hi
            yield lo, hi
            lo, self._reach_bytes = hi, min(2 * self._reach_bytes, self.window.piece_bytes)


def _some(rows: Blobs, lo: int, count: int) -> Blobs:
    """At most so many from ``lo`` on."""
    starts = rows.starts[lo : lo + count + 1]
    return Blobs(rows.extents[starts[0] : starts[-1]], starts - starts[0])


def object_runs(ns: Namespace, request: ReadObjects, allowed: Allowed) -> Iterator[Run]:
    """The objects of a request, located a run at a time as they are now."""
    several = len({group.bucket for group in request.groups}) > 1
    skip, skip_bytes = request.skip, request.skip_bytes
    for group in request.groups:
        for at in range(skip, len(group.keys), RUN_ITEMS):
            part = Keys(group.bucket, group.keys[at : at + RUN_ITEMS], group.version_ids[at : at + RUN_ITEMS])
            blobs, faults = locate(ns, part, allowed)
            if skip_bytes and 0 not in faults:
                blobs = without_beginning(blobs, skip_bytes)
            prefix = f"{group.bucket}/" if several else ""
            yield Run(blobs, faults, _names(prefix, part.keys), skip_bytes=skip_bytes)
            skip_bytes = 0
        skip = max(0, skip - len(group.keys))


def _names(prefix: str, keys: Sequence[str]) -> Names:
    return lambda: [prefix + key for key in keys]


def locate(ns: Namespace, part: Keys, allowed: Allowed) -> tuple[Blobs, dict[int, MaruError]]:
    """Where the bytes of keys are, and the errors of those that have none or may not be read."""
    bucket, keys = part.bucket, part.keys
    try:
        if part.version_ids:
            return _locate_versions(ns, part, allowed)
        denied = [i for i, key in enumerate(keys) if not allowed(Need("s3:GetObject", bucket, key))]
        if not denied:
            return ns.objects.locate_many(bucket, keys)
        return _locate_but(ns, part, denied)
    except MaruError as error:  # of the bucket itself: it is each item's error
        return Blobs.of([()] * len(keys)), dict.fromkeys(range(len(keys)), error)


def _locate_but(ns: Namespace, part: Keys, denied: Sequence[int]) -> tuple[Blobs, dict[int, MaruError]]:
    keys, counts = part.keys, np.zeros(len(part.keys), np.int64)
    open_ = np.setdiff1d(np.arange(len(keys)), denied).tolist()
    found, missing = ns.objects.locate_many(part.bucket, [keys[i] for i in open_])
    counts[open_] = np.diff(found.starts)
    faults: dict[int, MaruError] = {i: refusal(Need("s3:GetObject", part.bucket, keys[i])) for i in denied}
    faults |= {open_[i]: error for i, error in missing.items()}
    return Blobs(found.extents, np.concatenate(([0], np.cumsum(counts)))), faults


def _locate_versions(ns: Namespace, part: Keys, allowed: Allowed) -> tuple[Blobs, dict[int, MaruError]]:
    raws: list[bytes] = []
    faults: dict[int, MaruError] = {}
    for i, (key, version_id) in enumerate(zip(part.keys, part.version_ids, strict=True)):
        raw = b""
        action = "s3:GetObjectVersion" if version_id else "s3:GetObject"
        need = Need(action, part.bucket, key, version_id or None)
        try:
            if not allowed(need):
                raise refusal(need)
            raw = _version_extents(ns, part.bucket, key, version_id)
        except MaruError as error:
            faults[i] = error
        raws.append(raw)
    return Blobs.of_raw(raws), faults


def _version_extents(ns: Namespace, bucket: str, key: str, version_id: str | None) -> bytes:
    current = ns.objects.head_many(bucket, [key])[0]
    # Also in a bucket that keeps no versions: so a long read of what is current can go on.
    if current is not None and version_id in (None, current.version_id):
        return current.extents_raw
    if version_id is None:
        return ns.objects.head(bucket, key).extents_raw
    return ns.versions.head(bucket, key, version_id).info.extents_raw


def without_beginning(blobs: Blobs, size: int) -> Blobs:
    """Without the first ``size`` bytes of the first blob; InvalidInput within an extent."""
    count = int(blobs.starts[1])
    ends = np.cumsum(blobs.extents["length"][:count], dtype=np.int64)
    left_out = int(np.searchsorted(ends, size, side="left")) + 1
    if left_out > count or ends[left_out - 1] != size:
        raise InvalidInput(f"no extent of the first item begins at byte {size}.")
    starts = np.maximum(blobs.starts - left_out, 0)
    return Blobs(blobs.extents[left_out:], starts)


def row_runs(view: SampleSource, rows: npt.NDArray[np.uint64], *, columns: bool) -> Iterator[Run]:
    """Rows of a view as runs."""
    for at in range(0, len(rows), RUN_ITEMS):
        yield from _sample_runs(view, rows[at : at + RUN_ITEMS], columns=columns)


def epoch_runs(course: Course, request: ReadEpoch) -> Iterator[Run]:
    """A rank's samples in its plan's order, as a loader reads them; InvalidInput at once."""
    plan = Plan.of(
        course.order.size,
        request.batch_size,
        rank=request.rank,
        world=request.world,
        remainder=request.remainder,
    )
    if request.skip >= request.batch_size:
        raise InvalidInput(
            f"skip {request.skip} must be less than a batch.", hint="Begin 'from' a later step."
        )
    if not plan.batches_an_epoch():
        return iter(())  # no share in any epoch; there may be very many
    return _epoch_runs(course, request, plan)


def _epoch_runs(course: Course, request: ReadEpoch, plan: Plan) -> Iterator[Run]:
    steps = _slices(plan.walk(Place(request.epoch, request.position), request.epochs))
    skip, left = request.skip, request.count
    while left != 0 and (some := list(take(steps, RUN_ITEMS))):
        rows = rows_of(course.order, some)
        skip, rows = max(0, skip - len(rows)), rows[skip:]
        if left is not None:
            rows = rows[:left]
            left -= len(rows)
        yield from row_runs(course.source, rows, columns=request.columns)


def _slices(steps: Iterator[Step]) -> Iterator[Step]:
    """The same positions in steps of bounded length: a client's batch may be as large as a view."""
    for step in steps:
        for start in range(step.start, step.stop, RUN_ITEMS):
            yield step._replace(start=start, stop=min(start + RUN_ITEMS, step.stop))


def _sample_runs(view: SampleSource, rows: npt.NDArray[np.uint64], *, columns: bool) -> Iterator[Run]:
    import pyarrow as pa

    ids = view.ids(rows)
    table = view.columns(rows) if columns else None
    labels = [] if table is None else list(zip(table.column_names, table.columns, strict=True))
    fields = [("id", pa.array(ids, pa.string())), ("row", pa.array(rows)), *labels]
    named = pa.Table.from_arrays([column for _, column in fields], names=[name for name, _ in fields])
    arrow = encode_table(named)
    if len(arrow) > ARROW_BYTES and len(rows) > 1:
        half = len(rows) // 2
        yield from _sample_runs(view, rows[:half], columns=columns)
        yield from _sample_runs(view, rows[half:], columns=columns)
        return
    yield Run(view.blobs(rows), {}, lambda: ids, arrow)
