"""A batch: what a trainer gets at one step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Skipped:
    """A sample that could not be read and was passed over; its position counts as consumed."""

    id: str
    reason: str
    epoch: int
    position: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Samples in the order of the plan; all parts have the same length m.

    Attributes:
        ids: The samples' ids.
        blobs: Their bytes: read-only views as the store gave them, alive as long as
            they are referenced.
        columns: Labels and attributes, a row a sample.
        positions: ``uint64[m]``, rows of the view (not positions of the order).
        epoch: Which epoch, from 0.
        step: Which step of the epoch, from 0; equal on all ranks.
    """

    ids: list[str]
    blobs: list[memoryview]
    columns: pa.Table
    positions: npt.NDArray[np.uint64]
    epoch: int
    step: int

    def __len__(self) -> int:
        return len(self.ids)
