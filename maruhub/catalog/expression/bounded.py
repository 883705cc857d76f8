"""Runs a filter of strangers: read, measured, and given so few rows at a time that it keeps its bounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from maruhub.catalog.expression.measure import Taken, taken
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
_VECTOR: Final = 2048
"""Rows that DuckDB takes at a time by itself."""
_BATCH: Final = 64 << 10
"""Rows of a batch of a manifest."""


def matching(
    connection: Any, text: str, names: Sequence[str], table_of: Callable[[list[str]], pa.Table], *, row: str
) -> pa.Table:
    """The column ``row`` of those rows for which an expression is true.

    Args:
        connection: A locked one, with :data:`SETTINGS`.
        text: The expression.
        names: All columns that it may be about.
        table_of: Makes a table of columns, and of ``row``. It is asked for nothing before the
            expression is found to be a bounded one.
        row: What numbers the rows.

    Raises:
        InvalidInput: It is not one bounded expression over these columns.
        duckdb.Error: DuckDB refuses it.
    """
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
    table = table_of(list(used))
    widths = {name: widest(table.column(name)) for name in used}
    found = taken(asked.tree, lambda name: widths[folded[name.casefold()]])
    rows = rows_at_a_time(found, sum(widths.values()))
    connection.register(TABLE, table if rows >= _BATCH else table.to_reader(max_chunksize=rows))
    return connection.sql(asked.statement).to_arrow_table()


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
