"""Text to typed columns, and the message when a value does not fit. Pure.

Types are inferred over the whole column, so a value in the last row counts as much as one
in the first; a value that fits no narrower type makes the column text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from maruhub import argument
from maruhub.errors import InvalidData, InvalidInput

if TYPE_CHECKING:
    import pyarrow as pa


def parse_types(types: Mapping[str, Any] | None) -> dict[str, pa.DataType]:
    """Wanted types by column: Arrow types or their names (``int32``, ``string``, ``date32`` …)."""
    import pyarrow as pa

    wanted = {}
    for name, kind in argument.mapping("types", {} if types is None else types).items():
        try:
            wanted[name] = kind if isinstance(kind, pa.DataType) else pa.type_for_alias(kind)
        except (ValueError, TypeError, AttributeError) as error:
            raise InvalidInput(
                f"{kind!r} (column {name!r}) is not a type.",
                hint="Use Arrow's names, such as int64 or string.",
            ) from error
    return wanted


def infer(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A text column as the narrowest of int64, float64, bool, date, timestamp that fits, or text."""
    import pyarrow as pa

    if column.null_count == len(column):
        return pa.chunked_array([pa.nulls(len(column))])
    for kind in (pa.int64(), pa.float64(), pa.bool_(), pa.date32(), pa.timestamp("us")):
        if pa.types.is_boolean(kind) and not _says_bool(column):
            continue
        try:
            return column.cast(kind)
        except pa.ArrowException:
            continue
    return column


def _says_bool(column: pa.ChunkedArray) -> bool:
    """Whether a text column holds the words true and false only."""
    import pyarrow as pa
    import pyarrow.compute as pc

    words = pa.array(["true", "false"])
    return bool(pc.all(pc.is_in(pc.utf8_lower(column.drop_null()), value_set=words)).as_py())


def cast(column: pa.ChunkedArray, kind: pa.DataType, *, name: str, first_row: int = 1) -> pa.ChunkedArray:
    """A column as another type.

    Args:
        column: Any column.
        kind: The type wanted.
        name: The column's name, for the message.
        first_row: What the first value's row is called in the message.

    Raises:
        InvalidData: naming the column, the first row that does not fit, and its value.
    """
    import pyarrow as pa

    if column.type == kind:
        return column
    try:
        return column.cast(kind)
    except (pa.ArrowException, TypeError) as error:
        row = _first_misfit(column, kind)
        value = column[row].as_py() if row < len(column) else None
        raise InvalidData(
            f"column {name!r}, row {row + first_row}: {value!r:.80} is not of type {kind}.",
            hint="Correct the value, or give the column another type.",
        ) from error


def _first_misfit(column: pa.ChunkedArray, kind: pa.DataType) -> int:
    """The first row that can't be cast, by halving."""
    low, high = 0, len(column)
    while high - low > 1:
        middle = (low + high) // 2
        if _casts(column.slice(low, middle - low), kind):
            low = middle
        else:
            high = middle
    return low


def _casts(column: pa.ChunkedArray, kind: pa.DataType) -> bool:
    import pyarrow as pa

    try:
        column.cast(kind)
    except (pa.ArrowException, TypeError):
        return False
    return True


def plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column in the type that manifests keep: no dictionaries, no large or view variants."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_dictionary(kind):
        return plain(column.cast(kind.value_type))
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return column.cast(pa.string())
    if pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind):
        return column.cast(pa.binary())
    return column


def duplicates(column: pa.ChunkedArray, limit: int = 5) -> list[tuple[str, list[int]]]:
    """The first values that occur twice or more, and their rows (0 …)."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pc.count_distinct(column).as_py() == len(column):
        return []
    counts = pc.value_counts(column)
    twice = counts.filter(pc.greater(counts.field("counts"), 1)).field("values")[:limit]
    found = []
    for value in twice:
        rows = np.flatnonzero(np.asarray(pc.equal(column, pa.scalar(value.as_py(), column.type))))
        found.append((str(value.as_py()), rows[:3].tolist()))
    return found
