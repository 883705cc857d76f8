"""What comes, without reading it: for whoever reads elsewhere, such as a framework's workers.

A walk hands out each step with its rows, and moves nothing. Whoever hands batches on tells the
loader what the trainer has (``Batches.consumed``); what was planned, sent out or read ahead does
not count. Any process may read a planned batch (:func:`read_planned`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from maruhub.loaders.order import rows_of
from maruhub.loaders.plan import Place, Step, StepWalk, take
from maruhub.loaders.reading import Fetched, Samples

if TYPE_CHECKING:
    import pyarrow as pa

    from maruhub.errors import MaruError
    from maruhub.loaders.assembly import Assembly, Ready
    from maruhub.loaders.decoding import Decoding
    from maruhub.loaders.order import Order
    from maruhub.loaders.permutation import Positions

_CHUNK_SAMPLES: Final = 2048


class Planned(NamedTuple):
    """A batch before it is read: small, and may go to another process.

    Attributes:
        step: Which step of the plan it is; ``step.after`` is the place behind it.
        rows: ``uint64[m]``, rows of the view, in their order.
        assembly: What becomes of samples that can't be read.
        decoding: What values are made of their bytes, in the thread that reads.
    """

    step: Step
    rows: Positions
    assembly: Assembly
    decoding: Decoding | None = None


class Walk:
    """The planned batches of one rank, lazily.

    Args:
        steps: The steps with samples.
        order: Which rows they are.
        assembly: Handed on with each.
        end: The place once all of them are consumed; None: it never ends.
        record: Told of each step before it is handed out.
        decoding: Handed on with each.
    """

    def __init__(
        self,
        steps: StepWalk,
        order: Order,
        assembly: Assembly,
        *,
        end: Place | None,
        record: Callable[[Step], None],
        decoding: Decoding | None = None,
    ) -> None:
        self.end = end
        self._steps = steps
        self._order = order
        self._assembly = assembly
        self._record = record
        self._decoding = decoding

    def __iter__(self) -> Iterator[Planned]:
        while chunk := list(take(self._steps, _CHUNK_SAMPLES)):
            stops = np.cumsum([step.stop - step.start for step in chunk])
            for step, rows in zip(chunk, np.split(rows_of(self._order, chunk), stops[:-1]), strict=True):
                self._record(step)
                yield Planned(step, rows, self._assembly, self._decoding)


class Rows(Protocol):
    """What can be read by its rows: a version or view, here or elsewhere."""

    def ids(self, rows: npt.NDArray[np.uint64]) -> list[str]:
        """Ids, ``bucket/key``."""

    def columns(self, rows: npt.NDArray[np.uint64]) -> pa.Table:
        """Attributes and labels."""

    def read_many(
        self, rows: npt.NDArray[np.uint64], *, announce: bool = True
    ) -> list[memoryview | MaruError]:
        """The bytes, or the error of each; ``announce=False``: they were just read."""


def read_planned(view: Rows, planned: Planned) -> Ready:
    """Reads a planned batch now, in this thread; raises what its assembly says."""
    (ready,) = read_each(view, [planned])
    return ready


def read_each(view: Rows, planned: Sequence[Planned]) -> list[Ready]:
    """Reads planned batches in one call, in this thread; raises what the assembly of any says."""
    return [
        each.assembly.ready(fetched if each.decoding is None else each.decoding.of(fetched))
        for each, fetched in zip(planned, fetch_planned(view, planned), strict=True)
    ]


def fetch_planned(view: Rows, planned: Sequence[Planned]) -> list[Fetched]:
    """Reads planned batches in one call, in this thread; nothing is decoded, raised or left out yet."""
    rows = np.concatenate([each.rows for each in planned])
    ids, columns, results = view.ids(rows), view.columns(rows), view.read_many(rows)
    ends = np.cumsum([len(each.rows) for each in planned]).tolist()
    return [
        Fetched(each.step, Samples(ids[lo:hi], each.rows, columns.slice(lo, hi - lo)), results[lo:hi])
        for each, lo, hi in zip(planned, [0, *ends], ends, strict=False)
    ]
