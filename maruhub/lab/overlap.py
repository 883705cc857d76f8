"""Which samples of one view another view holds too: by root id, and by bytes.

Vectorised and in blocks: memory is that of one block of the asked view and one chunk of
the read one, whatever their sizes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from maruhub.lab.source import ReadView, Rows

BLOCK: Final = 1 << 18
CHUNK: Final = 1 << 16
EXAMPLES: Final = 3

Indices = npt.NDArray[np.int64]
_DERIVED: Final = re.compile(r"#\d+$")


@dataclass(frozen=True, slots=True)
class Example:
    """One sample that was seen: ``id`` of the asked view, ``read_id`` as it was read."""

    id: str
    read_id: str
    same_sample: bool

    def told(self, *, name_read: bool) -> str:
        """For people; without ``name_read`` only by the name in the asked view."""
        if self.id == self.read_id:
            return f"{self.id} (the same sample)"
        how = "derived from the same sample as" if self.same_sample else "the same bytes as"
        return f"{self.id} ({how} {self.read_id if name_read else 'one that was read'})"


@dataclass(slots=True)
class Overlap:
    """Samples of the asked view that were read.

    ``samples`` counts each once; ``by_sample`` those whose root was read, ``by_bytes`` the
    rest: other samples with the same bytes.
    """

    samples: int = 0
    by_sample: int = 0
    by_bytes: int = 0
    examples: list[Example] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ReadPart:
    """A view of which some rows were read: ``mask(rows)`` tells which, ``bool[m]``."""

    view: ReadView
    mask: Callable[[Rows], npt.NDArray[np.bool_]]

    def chunks(self) -> Iterator[Rows]:
        """The rows that were read, a chunk at a time."""
        for at in range(0, len(self.view), CHUNK):
            rows = np.arange(at, min(at + CHUNK, len(self.view)), dtype=np.uint64)
            if len(read := rows[self.mask(rows)]):
                yield read


def find_overlap(asked: ReadView, parts: list[ReadPart]) -> Overlap:
    """Which samples of ``asked`` are among what was read."""
    overlap = Overlap()
    for at in range(0, len(asked), BLOCK):
        _Block(asked, np.arange(at, min(at + BLOCK, len(asked)), dtype=np.uint64)).search(parts, overlap)
    return overlap


class _Block:
    """Some rows of the asked view, with what they are compared by."""

    def __init__(self, view: ReadView, rows: Rows) -> None:
        self._view = view
        self._rows = rows
        self._roots = view.root_hash(rows)
        self._digests = view.sha256(rows)
        self._by_sample = np.zeros(len(rows), dtype=np.bool_)
        self._by_bytes = np.zeros(len(rows), dtype=np.bool_)

    def search(self, parts: list[ReadPart], overlap: Overlap) -> None:
        """Compares with everything read and adds what it finds."""
        for part in parts:
            for rows in part.chunks():
                self._same_samples(part.view, rows, overlap)
                self._same_bytes(part.view, rows, overlap)
        by_sample = int(self._by_sample.sum())
        either = int((self._by_sample | self._by_bytes).sum())
        overlap.samples += either
        overlap.by_sample += by_sample
        overlap.by_bytes += either - by_sample

    def _same_samples(self, view: ReadView, rows: Rows, overlap: Overlap) -> None:
        mine, theirs = match(self._roots, view.root_hash(rows))
        new = ~self._by_sample[mine]
        mine, theirs = mine[new], theirs[new]
        if not len(mine):
            return
        asked, read = self._view.ids(self._rows[mine]), view.ids(rows[theirs])
        # A hash of 64 bits may meet another's by chance; ids decide.
        same = np.array([same_root(a, b) for a, b in zip(asked, read, strict=True)])
        self._by_sample[mine[same]] = True
        self._note(overlap, [(asked[i], read[i]) for i in np.flatnonzero(same)[:EXAMPLES]], same_sample=True)

    def _same_bytes(self, view: ReadView, rows: Rows, overlap: Overlap) -> None:
        digests = view.sha256(rows)
        mine, theirs = match(first_word(self._digests), first_word(digests))
        equal = (self._digests[mine] == digests[theirs]).all(axis=1)
        new = equal & ~self._by_bytes[mine]
        mine, theirs = mine[new], theirs[new]
        self._by_bytes[mine] = True
        others = np.flatnonzero(~self._by_sample[mine])[:EXAMPLES]
        if len(others):
            asked, read = self._view.ids(self._rows[mine[others]]), view.ids(rows[theirs[others]])
            self._note(overlap, list(zip(asked, read, strict=True)), same_sample=False)

    def _note(self, overlap: Overlap, pairs: list[tuple[str, str]], *, same_sample: bool) -> None:
        known = {example.id for example in overlap.examples}
        fresh = [Example(a, b, same_sample) for a, b in pairs if a not in known]
        overlap.examples += fresh[: EXAMPLES - len(overlap.examples)]


def match(mine: npt.NDArray[np.uint64], theirs: npt.NDArray[np.uint64]) -> tuple[Indices, Indices]:
    """Pairs (i, j) with ``mine[i] == theirs[j]``: each i that has a partner, once."""
    if not len(mine) or not len(theirs):
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    order = np.argsort(theirs, kind="stable")
    at = np.searchsorted(theirs, mine, sorter=order)
    partner = order[np.minimum(at, len(theirs) - 1)]
    found = np.flatnonzero(theirs[partner] == mine)
    return found, partner[found]


def first_word(digests: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint64]:
    """The first 8 bytes of each digest as a number, ``uint64[m]``."""
    return np.ascontiguousarray(digests[:, :8]).view("<u8").reshape(-1).astype(np.uint64)


def same_root(a: str, b: str) -> bool:
    """Whether two ids with one root hash stand for one sample (``parent#n`` is its parent's)."""
    return a == b or bool(_roots(a) & _roots(b))


def _roots(name: str) -> set[str]:
    """An id and all that it may be derived from: a key may contain ``#1`` of its own."""
    names = {name}
    while shorter := _DERIVED.sub("", name):
        if shorter == name:
            break
        names.add(shorter)
        name = shorter
    return names
