"""SQL over Arrow tables through DuckDB, with nothing but those tables in reach.

The text is hostile. So: a database in memory a call; no files, network, extensions,
settings or Python variables in reach (DuckDB's own switches, locked); one filter
expression or one SELECT, nothing else. What a filter takes of memory and processor is its
author's affair on a machine of theirs; of strangers' it is bounded (:mod:`maruhub.catalog.expression`).
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from maruhub import argument
from maruhub.catalog.expression import bounded
from maruhub.catalog.name import free_column
from maruhub.errors import InvalidInput

if TYPE_CHECKING:
    import pyarrow as pa

_LOCKED: Final[dict[str, str | bool | int | float | list[str]]] = {
    "enable_external_access": False,
    "autoload_known_extensions": False,
    "autoinstall_known_extensions": False,
    "allow_community_extensions": False,
    "python_enable_replacements": False,
    "temp_directory": "",
    "lock_configuration": True,
}
_END_S: Final[ContextVar[float | None]] = ContextVar("end_s", default=None)
_AGAIN_S: Final = 0.05
_ROW: Final = "__row"
_QUOTED: Final = re.compile(r'"((?:[^"]|"")+)"')
_BARE: Final = re.compile(r"[^\W\d]\w*")
_TABLES_MAX: Final = 10_000
_SHOWN: Final = 2_000


def connect() -> Any:
    """A locked, empty DuckDB connection; the caller closes it."""
    import duckdb

    own = {"memory_limit": _memory_limit()} if _END_S.get() is None else bounded.SETTINGS
    return duckdb.connect(":memory:", config={**_LOCKED, **own})


@contextmanager
def for_strangers(seconds: float) -> Iterator[None]:
    """In this thread the text of a block's queries is a stranger's.

    They take so long together, those of an outer block included, or one is InvalidInput; a
    filter holds what is known to be bounded, or is InvalidInput.
    """
    outer_s = _END_S.get()
    end_s = time.monotonic() + seconds
    before = _END_S.set(end_s if outer_s is None else min(outer_s, end_s))
    try:
        yield
    finally:
        _END_S.reset(before)


def check_time() -> None:
    """Raises InvalidInput where the time of strangers' queries is over: for what nothing interrupts."""
    end_s = _END_S.get()
    if end_s is not None and time.monotonic() > end_s:
        raise _late()


def _late() -> InvalidInput:
    return InvalidInput("this takes longer than it may.", hint="Ask for less at a time.")


@contextmanager
def _in_time(connection: Any) -> Iterator[None]:
    """Ends what runs on a connection when its time is over; raises InvalidInput then."""
    import duckdb

    end_s = _END_S.get()
    if end_s is None:
        yield
        return
    done = threading.Event()
    ending = threading.Thread(target=_interrupt_late, args=(connection, end_s, done), daemon=True)
    ending.start()
    try:
        yield
    except duckdb.InterruptException as error:
        raise _late() from error
    finally:
        done.set()
        ending.join()


def _interrupt_late(connection: Any, end_s: float, done: threading.Event) -> None:
    wait_s = max(end_s - time.monotonic(), 0.0)
    while not done.wait(wait_s):
        # Again and again: what prepares a query passes over an interrupt, and the query then begins.
        connection.interrupt()
        wait_s = _AGAIN_S


def _memory_limit() -> str:
    """Half of this machine's memory: a query that wants more ends with an error, not the machine."""
    half = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    return f"{half // (1 << 20)}MiB"


def matching(
    expression: str, names: list[str], part: bounded.Part, *, rows: int, shown: Sequence[str]
) -> npt.NDArray[np.int64]:
    """Rows for which the SQL ``expression`` is true, ascending, ``int64[m]``.

    Args:
        expression: The text.
        names: All columns that there are.
        part: Makes a table of columns, from a row to another: of those that are mentioned.
        rows: How many there are.
        shown: The columns that a message names.

    Raises:
        InvalidInput: It is not one filter expression over these columns, or a stranger's and
            not a bounded one.
    """
    import duckdb
    import pyarrow as pa

    row = free_column(_ROW, names)

    def numbered(columns: list[str], begin: int, end: int) -> pa.Table:
        return part(columns, begin, end).append_column(row, pa.array(np.arange(begin, end)))

    check_time()
    try:
        with connect() as connection, _in_time(connection):
            if _END_S.get() is None:
                connection.register("samples", numbered(mentioned(names, expression), 0, rows))
                found = connection.table("samples").filter(expression).project(row).to_arrow_table()
            else:
                found = bounded.matching(connection, expression, names, numbered, rows=rows, row=row)
    except (duckdb.Error, pa.ArrowException, UnicodeError) as error:
        raise InvalidInput(
            f"the expression {expression[:200]!r} can't be used: {str(error)[:_SHOWN]}",
            hint=f"Columns: {', '.join(shown[:30])}.",
        ) from error
    matched: npt.NDArray[np.int64] = found.column(0).to_numpy()
    return np.sort(matched)


def mentioned(names: list[str], text: str) -> list[str]:
    """Those column ``names`` that an expression may refer to: a superset, by its text alone."""
    folded = text.casefold()
    if "*" in folded or "columns" in folded:
        return names
    return [name for name in names if name.casefold().replace('"', '""') in folded]


def table_words(query: str) -> list[str]:
    """Every word of a query that might name a table."""
    argument.text("a query", query, hint="Such as: SELECT count(*) FROM cats")
    words = [word.replace('""', '"') for word in _QUOTED.findall(query)] + _BARE.findall(query)
    return list(dict.fromkeys(words))[:_TABLES_MAX]


def select(query: str, tables: Mapping[str, pa.Table]) -> pa.Table:
    """The answer to one SELECT over ``tables``.

    Raises:
        InvalidInput: not exactly one SELECT, or DuckDB refuses it (its message is shown).
    """
    import duckdb
    import pyarrow as pa

    try:
        with connect() as connection, _in_time(connection):
            statements = connection.extract_statements(query)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                raise InvalidInput("only one SELECT can be asked.", hint="Datasets are read-only here.")
            for name, table in tables.items():
                connection.register(name, table)
            return connection.sql(query).to_arrow_table()
    except (duckdb.Error, pa.ArrowException, UnicodeError) as error:
        raise InvalidInput(f"the query can't be answered: {error}") from error
