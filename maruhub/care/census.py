"""What the rows of a hub add up to: objects and bytes by what they are for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from maruhub.store.format.extent import EXTENT_DTYPE
from maruhub.store.protocol import Store

_PAGE: Final = 5000

STAGES: Final = {
    "objects": b"K",
    "restorable": b"V",
    "datasets": b"DMFTLW",
    "runs": b"R",
    "ingest": b"I",
}
"""Stage of the data's life → first bytes of its rows' keys."""


@dataclass(frozen=True, slots=True)
class StageCount:
    """Rows of one stage, and the bytes that they keep alive (copies by reference count each)."""

    rows: int
    size_bytes: int


def take_census(store: Store, progress: Callable[[int], None] | None = None) -> dict[str, StageCount]:
    """Counts every stage; ``progress`` hears of the rows met so far."""
    counts = {}
    seen = 0
    for stage, prefixes in STAGES.items():
        rows = size_bytes = 0
        for prefix in prefixes:
            start, stop = bytes([prefix]), bytes([prefix + 1])
            while page := store.scan(start, stop, _PAGE):
                raw = b"".join([row.extents_raw for row in page])
                size_bytes += int(np.frombuffer(raw, EXTENT_DTYPE)["length"].sum(dtype=np.int64))
                rows += len(page)
                start = page[-1].key + b"\0"
                if progress:
                    progress(seen + rows)
        seen += rows
        counts[stage] = StageCount(rows, size_bytes)
    return counts
