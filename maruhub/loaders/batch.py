"""A batch: what a trainer gets at one step."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Skipped:
    """A sample that could not be read and was passed over; its position counts as consumed.

    ``substitute`` is the sample that came in its place (``on_error="substitute"``).
    """

    id: str
    reason: str
    epoch: int
    position: int
    substitute: str | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """Samples in the order of the plan; all parts have the same length m.

    Attributes:
        ids: The samples' ids.
        blobs: Their bytes: read-only views as the store gave them, alive as long as
            they are referenced. Empty where a decoded value was held (``cache_bytes``).
        values: What ``decode`` and ``transform`` made of them; the blobs themselves without.
        columns: Labels and attributes, a row a sample.
        positions: ``uint64[m]``, rows of the view (not positions of the order).
        epoch: Which epoch, from 0.
        step: Which step of the epoch, from 0; equal on all ranks.
        padding: How many of the last samples only fill the batch up (``remainder="pad"``): they
            have come before in this epoch. Leave them out of a score.
    """

    ids: list[str]
    blobs: list[memoryview]
    columns: pa.Table
    positions: npt.NDArray[np.uint64]
    epoch: int
    step: int
    padding: int = 0
    values: list[Any] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.ids)
