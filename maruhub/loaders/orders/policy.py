"""What policies have in common: how they are told, and which column they go by."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from maruhub.errors import InvalidInput

if TYPE_CHECKING:
    import pyarrow as pa

    from maruhub.loaders.source import SampleSource


class Told:
    """A frozen dataclass of numbers, texts and tuples of them, told as JSON."""

    kind: ClassVar[str]
    shuffles: ClassVar[bool] = True

    def to_json(self) -> dict[str, Any]:
        """See :class:`maruhub.loaders.order.Policy`."""
        fields: dict[str, Any] = asdict(self)  # type: ignore[call-overload]
        return {"kind": self.kind} | {
            name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()
        }


def column_of(source: SampleSource, name: str) -> pa.Array:
    """A column of all rows, in one piece; InvalidInput if there is none or some row has no value."""
    table = getattr(source, "table", None)
    if table is not None:
        column = table([name]).column(0)
    else:
        found = source.columns(np.arange(len(source), dtype=np.uint64))
        if name not in found.column_names:
            raise InvalidInput(
                f"there is no column {name!r}.", hint=f"Columns: {', '.join(found.column_names)}."
            )
        column = found.column(name)
    if column.null_count:
        raise InvalidInput(
            f"{column.null_count} samples have no value of {name!r}: an order can't place them.",
            hint=f"Leave them out: view.where('{name} is not null').",
        )
    import pyarrow as pa

    combined = column.combine_chunks()
    return pa.concat_arrays(combined.chunks) if isinstance(combined, pa.ChunkedArray) else combined
