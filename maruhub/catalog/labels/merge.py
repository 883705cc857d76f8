"""A label set's next state: a file's values over those that were there. Pure: columns in, table out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from maruhub.catalog.labels.file import LabelFile
from maruhub.catalog.labels.typed_column import cast
from maruhub.catalog.manifests.column_group import ColumnGroup, RowArray
from maruhub.errors import InvalidData

if TYPE_CHECKING:
    import pyarrow as pa


def merge(
    positions: int,
    labels: LabelFile,
    rows: RowArray,
    old: ColumnGroup | None,
) -> pa.Table:
    """The set's columns over all positions: the file's values over those before."""
    import pyarrow as pa
    import pyarrow.compute as pc

    named = pa.array(rows >= 0)
    picks = pa.array(rows, mask=rows < 0)
    columns: dict[str, pa.ChunkedArray] = {}
    before = {name.casefold(): name for name in old.names} if old else {}
    for name in labels.columns.column_names:
        values = labels.columns.column(name)
        own = before.pop(name.casefold(), name)
        previous = old.column(own) if old and own in old.names else None
        if previous is not None:
            values, previous = _agree(values, previous, name=name, source=labels.source)
        taken = values.combine_chunks().take(picks)
        columns[own] = pa.chunked_array([taken]) if previous is None else pc.if_else(named, taken, previous)
    kept = {name: old.column(name) for name in before.values()} if old else {}
    order = [
        *(name for name in (old.names if old else ())),
        *(n for n in columns if not old or n not in old.names),
    ]
    return pa.table({name: columns.get(name, kept.get(name)) for name in order})


def _agree(
    values: pa.ChunkedArray, previous: pa.ChunkedArray, *, name: str, source: str
) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    """Both in one type: the column's, unless it had no type yet."""
    import pyarrow as pa

    if pa.types.is_null(previous.type):
        return values, previous.cast(values.type)
    try:
        return cast(values, previous.type, name=name), previous
    except InvalidData as error:
        raise InvalidData(
            f"{source}: {error.what}",
            hint=f"The column is {previous.type}; use another label set or column name.",
        ) from error
