"""What the rows of a hub add up to: objects and bytes by what they are for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from maruhub.namespace.hidden import is_listed
from maruhub.store.format.extent import EXTENT_DTYPE
from maruhub.store.format.row import Row
from maruhub.store.protocol import Store

_PAGE: Final = 5000

VERSIONS: Final = "versions"
RESTORABLE: Final = "restorable"
STAGES: Final = {
    "objects": b"K",
    RESTORABLE: b"V",
    "uploads": b"UP",
    "datasets": b"DMFTLW",
    "runs": b"R",
    "ingest": b"I",
}
"""Stage of the data's life → first bytes of its rows' keys; of rows V some are ``VERSIONS``."""


@dataclass(frozen=True, slots=True)
class StageCount:
    """Rows of one stage, and the bytes that they keep alive (copies by reference count each)."""

    rows: int
    size_bytes: int

    def with_rows(self, rows: Sequence[Row]) -> StageCount:
        """This and so many rows more."""
        raw = b"".join([row.extents_raw for row in rows])
        size_bytes = int(np.frombuffer(raw, EXTENT_DTYPE)["length"].sum(dtype=np.int64))
        return StageCount(self.rows + len(rows), self.size_bytes + size_bytes)


def take_census(store: Store, progress: Callable[[int], None] | None = None) -> dict[str, StageCount]:
    """Counts every stage; ``progress`` hears of the rows met so far."""
    counts = dict.fromkeys(["objects", VERSIONS, *STAGES], StageCount(0, 0))
    seen = 0
    for stage, page in _pages(store):
        groups = {stage: page}
        if stage == RESTORABLE:
            groups = {VERSIONS: [], RESTORABLE: []}
            for row in page:
                groups[VERSIONS if is_listed(row) else RESTORABLE].append(row)
        for name, rows in groups.items():
            counts[name] = counts[name].with_rows(rows)
        seen += len(page)
        if progress:
            progress(seen)
    return counts


def _pages(store: Store) -> Iterator[tuple[str, list[Row]]]:
    for stage, prefixes in STAGES.items():
        for prefix in prefixes:
            start, stop = bytes([prefix]), bytes([prefix + 1])
            while page := store.scan(start, stop, _PAGE):
                yield stage, page
                start = page[-1].key + b"\0"
