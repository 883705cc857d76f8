"""Runs a filter of strangers: read, measured, and given so few rows at a time that it keeps its bounds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from maruhub.catalog.expression.measure import Node, Taken, taken
from maruhub.catalog.expression.reading import TABLE, read
from maruhub.catalog.expression.width import widest
from maruhub.errors import InvalidInput

if TYPE_CHECKING:
    import pyarrow as pa

SETTINGS: Final[Mapping[str, str | int]] = {
    "threads": 1,
    "memory_limit": "256MiB",
    "max_expression_depth": 250,
}
"""For DuckDB. A filter streams: what it holds beside the rows it is at are a list of constants and the numbers
of the rows found. One thread, as there may be others who wait for the machine's cores."""

_BYTES: Final = 32 << 20
"""Of the values that are made at a time, and of those that Arrow may copy ahead."""
_STEPS: Final = 1 << 30
"""That are done at a time: no query can be ended between them. About a second."""
_PART_BYTES: Final = 64 << 20
_FIRST: Final = 1024
_GROWTH: Final = 1024
_VECTOR: Final = 2048
"""Rows that DuckDB takes at a time by itself."""
_BATCH: Final = 64 << 10
"""Rows of a batch of a manifest."""


Part = Callable[[list[str], int, int], "pa.Table"]
"""Makes a table of columns, of rows from the second to before the third argument."""


def matching(
    connection: Any, text: str, names: Sequence[str], part: Part, *, rows: int, row: str
) -> pa.Table:
    """The column ``row`` of those rows for which an expression is true.

    Args:
        connection: A locked one, with :data:`SETTINGS`.
        text: The expression.
        names: All columns that it may be about.
        part: Makes a table of columns, and of ``row``. It is asked for nothing before the
            expression is found to be a bounded one.
        rows: How many there are.
        row: What numbers the rows.

    Raises:
        InvalidInput: It is not one bounded expression over these columns.
        duckdb.Error: DuckDB refuses it.
    """
    import pyarrow as pa

    folded = {name.casefold(): name for name in names}
    asked, used = read(connection, text, row), dict[str, None]()

    def noted(name: str) -> int:
        found = folded.get(name.casefold())
        if found is None:
            raise InvalidInput(
                f"there is no column {name[:80]!r}.", hint=f"Columns: {', '.join(names[:30])}."
            )
        used[found] = None
        return 0

    taken(asked.tree, noted)
    found: list[pa.Table] = []
    for table in _parts(part, list(used), rows):
        at_a_time = _given(asked.tree, table, list(used))
        connection.register(TABLE, table if at_a_time >= _BATCH else table.to_reader(max_chunksize=at_a_time))
        found.append(connection.sql(asked.statement).to_arrow_table())
    return pa.concat_tables(found)


def _given(tree: Node, table: pa.Table, columns: list[str]) -> int:
    widths = {name.casefold(): widest(table.column(name)) for name in columns}
    return rows_at_a_time(taken(tree, lambda name: widths[name.casefold()]), sum(widths.values()))


def _parts(part: Part, columns: list[str], rows: int) -> Iterator[pa.Table]:
    """All rows, in tables of about :data:`_PART_BYTES`: those of a view are copied out of its version."""
    begin, size = 0, _FIRST
    while begin < rows or not begin:
        table = part(columns, begin, min(begin + size, rows))
        yield table
        begin += max(table.num_rows, 1)
        size = min(size * _GROWTH, max(_PART_BYTES * table.num_rows // max(table.nbytes, 1), 1))


def rows_at_a_time(found: Taken, width: int) -> int:
    """How many rows a filter may be given, of columns that are ``width`` bytes wide together.

    Raises:
        InvalidInput: One row is too many.
    """
    rows = min(_BYTES // max(found.made, 1), _STEPS // max(found.steps, 1))
    if not rows:
        raise InvalidInput(
            "the values of these columns are too long for this expression.",
            hint="Use fewer functions in each other, shorter patterns, or a column of shorter values.",
        )
    # From a vector's worth on a filter sees no more than that; the scan before it may copy whole batches.
    return min(rows if rows < _VECTOR else _BATCH, max(_BYTES // max(width, 1), 1))
