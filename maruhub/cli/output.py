"""What a command prints: tables for people, JSON for programs, progress on stderr.

Results go to stdout, everything else to stderr. People get names with control
characters made visible, so that a key cannot play with their terminal; JSON is exact.
"""

from __future__ import annotations

import contextlib
import datetime
import itertools
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Final

import click

Fields = Mapping[str, object]
Advance = Callable[[int, int | None], None]
"""``advance(done, total)``: how far a long work is, in its own unit."""

_PAGE: Final = 500
"""Results printed in one write."""

_WIDE: Final = 100_000
"""Columns of a console that is a file or a pipe: never wrapped."""


def printable(text: str) -> str:
    """``text`` with control characters as escapes."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def size_text(size_bytes: int) -> str:
    """Bytes for people, in powers of 1000."""
    from rich.filesize import decimal

    return decimal(size_bytes)


def count_text(number: int, noun: str) -> str:
    """A number with its noun: ``1 object``, ``2 objects``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def time_text(time: int | datetime.datetime) -> str:
    """A time, or microseconds since 1970, as local time to the second."""
    if isinstance(time, int):
        time = datetime.datetime.fromtimestamp(time / 1e6, datetime.UTC)
    return time.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def to_json(value: object) -> object:
    """What ``json`` cannot write by itself: bytes as hex, arrays as lists, times as ISO."""
    if isinstance(value, bytes | memoryview):
        return value.hex()
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    for name in ("tolist", "to_json", "as_py"):
        if hasattr(value, name):
            return getattr(value, name)()
    return str(value)


def dumps(value: object, *, indent: int | None = 2) -> str:
    """One JSON text; names stay readable, numbers that JSON has no word for become text."""
    try:
        return json.dumps(value, indent=indent, ensure_ascii=False, default=to_json, allow_nan=False)
    except ValueError:
        finite = json.loads(json.dumps(value, default=to_json), parse_constant=str)
        return json.dumps(finite, indent=indent, ensure_ascii=False)


class Output:
    """Prints the result of one command.

    Args:
        as_json: JSON on stdout instead of text.
    """

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json

    def line(self, text: str) -> None:
        """A line for people; nothing in JSON."""
        if not self.as_json:
            click.echo(printable(text))

    def note(self, text: str) -> None:
        """A line for people on stderr: not part of the result."""
        if not self.as_json:
            click.echo(printable(text), err=True)

    def record(self, fields: Fields, text: str | None = None) -> None:
        """One result: an object in JSON; for people ``text``, or a line a field."""
        if self.as_json:
            click.echo(dumps(dict(fields)))
        elif text is not None:
            click.echo("\n".join(map(printable, text.splitlines())))
        else:
            width = max((len(name) for name in fields), default=0)
            for name, value in fields.items():
                click.echo(f"{name.ljust(width)}  {_cell(value)}")

    def stream(self, rows: Iterable[Fields], text: Callable[[Fields], str]) -> int:
        """Any number of results as they come: a JSON array, or a line each; how many."""
        rows, count = iter(rows), 0
        while page := list(itertools.islice(rows, _PAGE)):
            if self.as_json:
                lines = [dumps(dict(row), indent=None) for row in page]
                click.echo(("[" if count == 0 else ",") + ",\n".join(lines), nl=False)
            else:
                click.echo("\n".join(printable(text(row)) for row in page))
            count += len(page)
        if self.as_json:
            click.echo("]" if count else "[]")
        return count

    def table(self, rows: Sequence[Fields], columns: Mapping[str, str], *, empty: str = "Nothing.") -> None:
        """A few results: a JSON array of all fields; for people ``columns`` (name: heading)."""
        if self.as_json:
            click.echo(dumps([dict(row) for row in rows]))
        elif rows:
            self._rich_table(rows, columns)
        else:
            self.note(empty)

    def _rich_table(self, rows: Sequence[Fields], columns: Mapping[str, str]) -> None:
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, header_style="bold")
        for name, heading in columns.items():
            numeric = all(isinstance(row.get(name), int | float) for row in rows)
            table.add_column(heading, justify="right" if numeric else "left", overflow="fold")
        for row in rows:
            table.add_row(*(Text(_cell(row.get(name))) for name in columns))
        Console(width=None if sys.stdout.isatty() else _WIDE).print(table, soft_wrap=False)

    @contextlib.contextmanager
    def progress(self, what: str, *, unit: str = "") -> Iterator[Advance]:
        """A bar on stderr while the body runs, only where a person watches."""
        if not sys.stderr.isatty():
            yield _no_bar
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        parts = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn(unit))
        with Progress(*parts, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bars:
            task = bars.add_task(what, total=None)

            def advance(done: int, total: int | None) -> None:
                bars.update(task, completed=done, total=total)

            yield advance


def _no_bar(done: int, total: int | None) -> None:
    """Nobody watches."""


def _cell(value: object) -> str:
    """One value in a table."""
    if value is None:
        return ""
    if isinstance(value, datetime.datetime):
        return time_text(value)
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return printable(", ".join(value))
    if isinstance(value, Mapping | list | tuple):
        return printable(dumps(value, indent=None))
    if isinstance(value, bytes | memoryview):
        return value.hex()
    return printable(str(value))
