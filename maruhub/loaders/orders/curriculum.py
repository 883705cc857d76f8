"""A curriculum: the easy ones first, by a column; random within each stage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from maruhub import argument
from maruhub.errors import InvalidInput
from maruhub.loaders.lanes import base_key, keyed, permute_each
from maruhub.loaders.order import Order, ReadSpan, whole_source
from maruhub.loaders.orders.policy import Told, column_of
from maruhub.loaders.permutation import Positions

if TYPE_CHECKING:
    import numpy.typing as npt

    from maruhub.loaders.source import SampleSource


@dataclass(frozen=True, slots=True)
class Curriculum(Told):
    """Every sample once an epoch, in ``stages`` equal stages from the column's least values up.

    Within a stage the order is random, another one each epoch. Holds 4 bytes a sample in
    memory (8 from four billion samples on).

    Args:
        column: What can be sorted, such as a loss or a length.
        stages: 1 … 65,536; more than there are samples: a plain sort.
        descending: From the greatest values down.
    """

    column: str
    stages: int = 10
    descending: bool = False
    kind: ClassVar[str] = "curriculum"

    def __post_init__(self) -> None:
        argument.text("column", self.column)
        argument.whole("stages", self.stages, low=1, high=1 << 16)
        argument.flag("descending", self.descending)

    def order(self, source: SampleSource, seed: int) -> Order:
        """See :class:`maruhub.loaders.order.Policy`."""
        listed = _sorted_rows(source, self.column, descending=self.descending)
        return CurriculumOrder(listed, min(self.stages, max(1, len(listed))), seed)


@dataclass(frozen=True, slots=True)
class CurriculumOrder:
    """The order of :class:`Curriculum`; ``listed`` are the rows by their value."""

    listed: npt.NDArray[Any]
    stages: int
    seed: int
    together: int = 1

    @property
    def size(self) -> int:
        """Every row once."""
        return len(self.listed)

    def rows(self, epoch: int, positions: Positions) -> Positions:
        """See :class:`Order`."""
        bounds = np.array([self.size * i // self.stages for i in range(self.stages + 1)], dtype=np.uint64)
        stages = np.searchsorted(bounds, positions, side="right").astype(np.uint64) - np.uint64(1)
        starts = bounds[stages]
        key = base_key(self.seed, b"curriculum", epoch)
        sizes = bounds[stages + np.uint64(1)] - starts
        places: Positions = starts + permute_each(positions - starts, sizes, keyed(key, stages))
        rows: Positions = self.listed[places].astype(np.uint64)
        return rows

    def spans(self, epoch: int, start: int, stop: int) -> list[ReadSpan]:
        """See :class:`Order`."""
        return whole_source(self.size)


def _sorted_rows(source: SampleSource, name: str, *, descending: bool) -> npt.NDArray[Any]:
    """Rows by their value; equal values in the source's sequence."""
    import pyarrow as pa
    import pyarrow.compute as pc

    rows = np.arange(len(source), dtype=np.uint32 if len(source) < 1 << 32 else np.uint64)
    keys = [("value", "descending" if descending else "ascending"), ("row", "ascending")]
    try:
        table = pa.table({"value": column_of(source, name), "row": rows})
        listed: npt.NDArray[Any] = rows[pc.sort_indices(table, sort_keys=keys).to_numpy()]
        return listed
    except pa.ArrowException as error:
        raise InvalidInput(f"column {name!r} can't be sorted: {error}") from error
