"""Reading a table of labels: CSV, JSON lines, Parquet or an Arrow table.

The file is hostile: whatever is wrong with it is an InvalidData that names the file, the
column, the row and the value. Rows count as an editor shows them: in CSV the header is
row 1.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from maruhub import argument
from maruhub.catalog.labels.typed_column import cast, duplicates, infer, parse_types, plain
from maruhub.catalog.name import check_column
from maruhub.errors import InvalidData, InvalidInput, NotFound

if TYPE_CHECKING:
    import pyarrow as pa

JOINS: Final = ("id", "key", "digest")
"""Columns that say which sample a row belongs to, in order of preference."""

_BLOCK_BYTES: Final = 64 << 20


@dataclass(frozen=True, slots=True)
class LabelFile:
    """Labels as read: ``keys`` (text, no nulls, no duplicates) and the other columns.

    ``by`` says what the keys are: id (bucket/key), key, digest (64 hex digits).
    """

    source: str
    by: str
    keys: pa.ChunkedArray
    columns: pa.Table


def read_labels(
    source: str | os.PathLike[str] | pa.Table,
    *,
    by: str | None = None,
    types: Mapping[str, Any] | None = None,
    rename: Mapping[str, str] | None = None,
) -> LabelFile:
    """Reads, types and checks a table of labels; raises InvalidData, InvalidInput, NotFound."""
    renamed = {} if rename is None else argument.mapping("rename", rename)
    argument.texts("the names in rename", renamed.values())
    table, name, first_row = _open(source)
    by = _join_column(table, name, by)
    wanted = parse_types(types)
    unknown = [column for column in (*wanted, *renamed) if column not in table.column_names]
    if unknown:
        raise InvalidInput(f"{name} has no column {unknown[0]!r}.", hint=f"It has {table.column_names}.")
    keys = _keys(table.column(by), by, name=name, first_row=first_row)
    columns = {}
    for column in table.column_names:
        if column not in JOINS:
            values = _typed(
                table.column(column), wanted.get(column), name=column, first_row=first_row, file=name
            )
            columns[renamed.get(column, column)] = values
    _check_columns(list(columns), name)
    import pyarrow as pa

    return LabelFile(name, by, keys, pa.table(columns))


def _open(source: str | os.PathLike[str] | pa.Table) -> tuple[pa.Table, str, int]:
    """The table as read, what to call it, and the number of its first row."""
    import pyarrow as pa

    if isinstance(source, pa.Table):
        return source, "the table", 0
    path = Path(argument.path("labels", source))
    if not path.is_file():
        raise NotFound(f"{path} is not a file.", hint="Give a CSV, JSON lines or Parquet file.")
    kind = path.suffix.lower()
    try:
        if kind in (".csv", ".tsv"):
            return _read_csv(path, "\t" if kind == ".tsv" else ","), str(path), 2
        if kind in (".jsonl", ".ndjson", ".json"):
            return _read_json_lines(path), str(path), 1
        if kind in (".parquet", ".pq"):
            return _read_parquet(path), str(path), 0
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise InvalidData(f"{path}: {error}", hint="Correct the file; nothing was changed.") from error
    except OSError as error:
        raise InvalidData(f"{path} can't be read: {error}", hint="Check the file and its rights.") from error
    raise InvalidInput(f"{path}: labels come as .csv, .tsv, .jsonl, .parquet.", hint="Convert or rename it.")


def _read_csv(path: Path, delimiter: str) -> pa.Table:
    """Everything as text; an empty field is null."""
    import pyarrow as pa
    from pyarrow import csv

    parsing = csv.ParseOptions(delimiter=delimiter, newlines_in_values=True)
    with csv.open_csv(path, parse_options=parsing) as reader:
        names = reader.schema.names
    convert = csv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()), null_values=[""], strings_can_be_null=True
    )
    reading = csv.ReadOptions(block_size=_BLOCK_BYTES)
    return csv.read_csv(path, read_options=reading, parse_options=parsing, convert_options=convert)


def _read_json_lines(path: Path) -> pa.Table:
    import pyarrow as pa
    from pyarrow import json as arrow_json

    size = min(max(path.stat().st_size, 1 << 16), _BLOCK_BYTES)
    try:
        return arrow_json.read_json(path, read_options=arrow_json.ReadOptions(block_size=size))
    except pa.ArrowException as error:
        _explain_json(path)
        raise InvalidData(f"{path}: {error}", hint="Write one JSON object a line.") from error


def _explain_json(path: Path) -> None:
    """Raises what is wrong with the first bad line, by the standard library's reader."""
    kinds: dict[str, tuple[str, int]] = {}
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                fields = json.loads(line)
            except ValueError as error:
                raise InvalidData(
                    f"{path}, row {number}: {error}.", hint="Write one JSON object a line."
                ) from error
            if not isinstance(fields, dict):
                raise InvalidData(
                    f"{path}, row {number}: not a JSON object.", hint="Write one object a line."
                )
            for name, value in fields.items():
                _same_kind(kinds, name, value, row=number, path=path)


def _same_kind(kinds: dict[str, tuple[str, int]], name: str, value: Any, *, row: int, path: Path) -> None:
    if value is None:
        return
    kind = (
        "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__
    )
    first, first_row = kinds.setdefault(name, (kind, row))
    if first != kind:
        raise InvalidData(
            f"{path}: column {name!r}, row {row}: {value!r:.80} is a {kind}, but row {first_row} has a {first}.",
            hint="Give a column values of one type.",
        )


def _read_parquet(path: Path) -> pa.Table:
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        return file.read()


def _join_column(table: pa.Table, name: str, by: str | None) -> str:
    if by is not None and by not in JOINS:
        raise InvalidInput(f"labels can't be joined by {by!r}.", hint="Join by id, key or digest.")
    found = next((column for column in ([by] if by else JOINS) if column in table.column_names), None)
    if found is None:
        raise InvalidData(
            f"{name} has no column {by or 'key, id or digest'}: nothing says which sample a row belongs to.",
            hint=f"It has {', '.join(table.column_names[:20])}; name one `key` (the key in the bucket).",
        )
    if table.column_names.count(found) > 1:
        raise InvalidData(f"{name} has two columns {found!r}.", hint="Rename or remove one.")
    return found


def _keys(column: pa.ChunkedArray, by: str, *, name: str, first_row: int) -> pa.ChunkedArray:
    import pyarrow as pa
    import pyarrow.compute as pc

    keys = plain(column)
    if by == "digest" and pa.types.is_fixed_size_binary(keys.type):
        keys = pa.chunked_array(
            [[value.hex() for value in keys.to_pylist() if value is not None]], pa.string()
        )
    keys = cast(keys, pa.string(), name=by, first_row=first_row)
    if keys.null_count:
        row = pc.index(keys.is_null(), True).as_py()
        raise InvalidData(
            f"{name}: column {by!r}, row {row + first_row} is empty.", hint="Say which sample it belongs to."
        )
    keys = pc.utf8_lower(keys) if by == "digest" else keys
    doubled = duplicates(keys)
    if doubled:
        first = "; ".join(
            f"{v!r} in rows {', '.join(str(r + first_row) for r in rows)}" for v, rows in doubled
        )
        raise InvalidData(f"{name} says more than one thing about {first}.", hint="Keep one row a sample.")
    return keys


def _typed(
    column: pa.ChunkedArray, wanted: pa.DataType | None, *, name: str, first_row: int, file: str
) -> pa.ChunkedArray:
    import pyarrow as pa

    try:
        column = plain(column)
        if wanted is not None:
            return cast(column, wanted, name=name, first_row=first_row)
        return infer(column) if first_row == 2 and pa.types.is_string(column.type) else column
    except InvalidData as error:
        raise InvalidData(f"{file}: {error.what}", hint=error.hint) from error


def _check_columns(names: list[str], file: str) -> None:
    if not names:
        raise InvalidData(f"{file} has no label column.", hint="Add a column beside the one that joins.")
    seen: dict[str, str] = {}
    for name in names:
        check_column(name)
        if name.casefold() in seen:
            raise InvalidData(
                f"{file} has two columns {seen[name.casefold()]!r} and {name!r}.",
                hint="SQL ignores case: rename one.",
            )
        seen[name.casefold()] = name
