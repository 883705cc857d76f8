"""Decision 9: what may be called held-out.

Reads what a run and its ancestry claim to have read, and compares it with the view that
was asked about. It decides and explains; it writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from maruhub.errors import NotFound
from maruhub.lab.claim import Claim
from maruhub.lab.overlap import Overlap, ReadPart, find_overlap
from maruhub.lab.reads import Reads
from maruhub.lab.run import Run
from maruhub.lab.runs import Runs
from maruhub.lab.score import Verdict
from maruhub.lab.source import LabView, Order, ReadView, Rows, Views


@dataclass(slots=True)
class Finding:
    """What an evaluation found: the overlap, and what nobody can tell."""

    overlap: Overlap
    unknown: list[str] = field(default_factory=list)

    @property
    def verdict(self) -> Verdict:
        """A leak is a leak, whatever else isn't known."""
        if self.overlap.samples:
            return "leaked"
        return "unverified" if self.unknown else "held-out"

    def why(self, run: str, asked: str, total: int, *, examples: Iterable[str] = ()) -> list[str]:
        """What stands against "held-out", in sentences; samples are named only as ``examples``."""
        if not self.overlap.samples:
            return self.unknown
        return [leak_text(self.overlap, run, asked, total, examples=examples), *self.unknown]

    def examples(self, *, name_read: bool) -> list[str]:
        """Up to three of the samples, as :meth:`maruhub.lab.overlap.Example.told` names them."""
        return [example.told(name_read=name_read) for example in self.overlap.examples]

    def hint(self, *, group: str, allow: str) -> str:
        """What to do about a leak, in the words in which a caller groups a split and allows leaks."""
        if self.overlap.by_bytes:
            instead = f"Give duplicates one value in a column and split by it ({group}), or drop them"
        else:
            instead = "Evaluate on a split that the run has not read"
        return f"{instead}; {allow} keeps it, marked."


def leak_text(overlap: Overlap, run: str, asked: str, total: int, *, examples: Iterable[str]) -> str:
    """One sentence: how many, how, and which for example."""
    hows = []
    if overlap.by_sample:
        hows.append(f"{overlap.by_sample} as the same sample")
    if overlap.by_bytes:
        hows.append(f"{overlap.by_bytes} as the same bytes under another name")
    named = ", ".join(examples)
    return (
        f"run {run} has read {overlap.samples} of the {total} samples of {asked} "
        f"({' and '.join(hows)}){', such as ' if named else ''}{named}."
    )


def investigate(run: Run, view: LabView, *, runs: Runs, views: Views, order: Order | None) -> Finding:
    """Compares ``view`` with everything that ``run`` and its ancestors have read."""
    unknown: list[str] = []
    claims: list[Claim] = []
    for one in ancestry(run, runs, unknown):
        own = one.reads()
        claims += own
        if not any(claim.reads for claim in own):
            unknown.append(f"Run {one.id} recorded no reading, so nobody can tell what it has read.")
    parts = list(_parts(claims, views, order, unknown))
    return Finding(find_overlap(view, parts), unknown)


def ancestry(run: Run, runs: Runs, unknown: list[str]) -> Iterator[Run]:
    """The run and all that its model began with; what is no run is told in ``unknown``."""
    waiting, seen = [run.id], set[str]()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        one = run if name == run.id else runs.find(name)
        if one is None:
            unknown.append(f"The model began with {name!r}, which is no run of this hub.")
            continue
        waiting += one.info.parents
        yield one


def _parts(claims: list[Claim], views: Views, order: Order | None, unknown: list[str]) -> Iterator[ReadPart]:
    """One part a view: what all claims together have read of it."""
    merged: dict[str, Reads] = {}
    for claim in claims:
        merged.setdefault(claim.view, Reads(claim.reads.size)).update(claim.reads)
    for digest, reads in merged.items():
        try:
            view = views.view(digest)
        except NotFound:
            unknown.append(f"View {digest}, which was read, is not in the catalog any more.")
            continue
        yield ReadPart(view, _Mask(view, reads, order))


class _Mask:
    """Which rows of a view were read."""

    def __init__(self, view: ReadView, reads: Reads, order: Order | None) -> None:
        self._size = len(view)
        # Without the order, an epoch that was begun counts as read whole: never less.
        self._all = order is None or reads.whole() or reads.size != self._size
        self._reads = reads
        self._order = order

    def __call__(self, rows: Rows) -> npt.NDArray[np.bool_]:
        if self._all or self._order is None:
            return np.ones(len(rows), dtype=np.bool_)
        read = np.zeros(len(rows), dtype=np.bool_)
        for seed, epoch, intervals in self._reads.epochs():
            positions = self._order(self._size, seed, epoch, rows)
            for start, stop in intervals:
                read |= (positions >= np.uint64(start)) & (positions < np.uint64(stop))
        return read
