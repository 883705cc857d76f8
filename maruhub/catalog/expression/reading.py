"""From the text of a filter to its tree: DuckDB parses it and runs nothing.

The parser itself is not bounded: 8,000 open brackets take it 43 s and 10 GB, and it copies the
subject of ``CASE x WHEN …`` for each WHEN, also of those inside it. So the text is looked through
first. That look needs to know where strings are, so whatever makes that hard is refused: comments,
dollar quotes, and letters that change what a quote means.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final

from maruhub.errors import InvalidInput

LONGEST_BYTES: Final = 32 << 10
"""Of the text: some 2,000 values in a list. The worst that was found then takes DuckDB's parser 0.3 s and 130 MB."""

NESTED: Final = 64
"""Brackets in each other."""

TABLE: Final = "__samples"
"""What the statement reads from. No filter names a column by it: its own name says which is meant."""

_LEXEME: Final = re.compile(
    r"""'[^']*' | "[^"]*" | (?P<opened>[(\[{]) | (?P<closed>[)\]}])
    | (?P<copying> \bcase\b (?!\s+when\b) ) | (?P<bad> -- | /\* | [$;'"\\] | \w(?=') )""",
    re.VERBOSE | re.IGNORECASE,
)
_WRONG: Final = {
    "'": "a string without its end",
    '"': "a name without its end",
    "--": "a comment",
    "/*": "a comment",
    "$": "a parameter or a dollar quote",
    ";": "a semicolon",
    "\\": "a backslash outside of a string",
}


@dataclass(frozen=True, slots=True)
class Read:
    """A filter that was read.

    Args:
        statement: What is to be run: this very text was parsed.
        tree: Its filter, as DuckDB serialises it.
    """

    statement: str
    tree: dict[str, Any]


def read(connection: Any, text: str, wanted: str) -> Read:
    """The tree of a filter, which selects the column ``wanted`` of :data:`TABLE`.

    Raises:
        InvalidInput: It is too long or nested too deeply, holds what hides where strings end, or
            is not one expression.
        duckdb.Error: DuckDB can't read it.
    """
    _look_through(text)
    beginning = f"SELECT {wanted} FROM {TABLE} WHERE "  # noqa: S608 - names of ours
    plain, asked = (_parsed(connection, beginning + end) for end in ("true", text))
    frame = [{"node": {**each["node"], "where_clause": None}} for each in (*plain, *asked)]
    # Anything behind the expression (GROUP BY, LIMIT, UNION …) shows here, as it is not in the plain one.
    if len(frame) != 2 or frame[0] != frame[1]:
        raise InvalidInput("a filter is one expression, and nothing behind it.")
    return Read(beginning + text, asked[0]["node"]["where_clause"])


def _look_through(text: str) -> None:
    if len(text.encode(errors="replace")) > LONGEST_BYTES:
        raise InvalidInput(
            f"an expression over HTTP has at most {LONGEST_BYTES} bytes.",
            hint="Rows can be chosen by their positions too, with select().",
        )
    depth = 0
    for lexeme in _LEXEME.finditer(text):
        kind, found = lexeme.lastgroup, lexeme.group()
        if kind == "bad":
            raise InvalidInput(
                f"an expression over HTTP can't hold {_WRONG.get(found, f'{found} before a quote')}."
            )
        if kind == "copying":
            raise InvalidInput(
                "CASE over HTTP begins with WHEN.", hint="Such as: CASE WHEN label = 'cat' THEN …"
            )
        depth += (kind == "opened") - (kind == "closed")
        if depth < 0:
            raise InvalidInput("the expression closes a bracket that it did not open.")
        if depth > NESTED:
            raise InvalidInput(f"an expression over HTTP nests brackets at most {NESTED} deep.")


def _parsed(connection: Any, statement: str) -> list[dict[str, Any]]:
    ((told,),) = connection.execute("SELECT json_serialize_sql(?)", [statement]).fetchall()
    try:
        found = json.loads(told)
    except RecursionError:
        raise InvalidInput("the expression is nested too deeply.") from None
    if found["error"]:
        connection.extract_statements(statement)  # raises the same, but shows the place
        raise InvalidInput(f"the expression can't be read: {found['error_message']}.")
    statements: list[dict[str, Any]] = found["statements"]
    return statements
