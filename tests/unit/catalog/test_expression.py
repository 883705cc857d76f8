"""Filters of strangers: what they may hold gives the same rows, and all else is refused before it runs."""

from __future__ import annotations

import pyarrow as pa
import pytest

from maruhub.catalog import query
from maruhub.catalog.expression import words
from maruhub.catalog.expression.bounded import rows_at_a_time
from maruhub.catalog.expression.measure import Taken
from maruhub.catalog.expression.reading import read
from maruhub.catalog.expression.width import NUMBER, widest
from maruhub.errors import InvalidInput
from tests.unit.catalog.filters import BAD, GOOD, ROWS, UNPARSED, found, parts_of, table

COLUMNS = table()
MANY_S = 60.0
_OF_FIXED_SIZE = """
    BOOLEAN TINYINT SMALLINT INTEGER BIGINT HUGEINT UTINYINT USMALLINT UINTEGER UBIGINT UHUGEINT
    FLOAT DOUBLE DECIMAL DATE TIME TIMESTAMP INTERVAL STRUCT
"""


def asked(text: str, columns: pa.Table = COLUMNS) -> list[int]:
    with query.for_strangers(MANY_S):
        return found(columns, text)


@pytest.mark.parametrize("text", GOOD)
def test_a_bounded_filter_gives_the_rows_of_an_open_one(text: str) -> None:
    assert asked(text) == found(COLUMNS, text)


def test_the_good_ones_tell_rows_apart() -> None:
    told = [len(asked(text)) for text in GOOD]
    assert sum(0 < count < ROWS for count in told) > len(GOOD) * 2 // 3, dict(zip(GOOD, told, strict=True))


@pytest.mark.parametrize("text", BAD, ids=lambda text: text[:60])
def test_what_has_no_bound_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        asked(text)


@pytest.mark.parametrize("text", UNPARSED, ids=lambda text: text[:60])
def test_the_parser_is_not_given_what_it_cannot_bound(text: str) -> None:
    with pytest.raises(InvalidInput):
        read(None, text, "x")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("repeat(label, 9) = 'x'", "repeat()"),
        ("(SELECT 1) = 1", "a query in the filter"),
        ("len(list_filter(tags, x -> true)) = 1", "an arrow"),
        ("label::BIT = 1", "cast to BIT"),
        ("regexp_matches(id, label)", "pattern"),
        ("nope = 1", "nope"),
        ("label = 'x", "string without its end"),
        ("label = 'x' -- y", "comment"),
        ("nonsense ((", "syntax error"),
        ("size > 'x'", "Could not convert"),
        ("box" + ".a" * 400 + " = 1", "401 steps"),
        ("(" * 65 + "size" + ")" * 65 + " = 1", "64 deep"),
    ],
)
def test_a_refusal_names_what_it_is_about_and_says_what_to_do(text: str, named: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        asked(text)
    assert named in refused.value.what
    assert len(refused.value.what) < 3000


def test_refusals_say_what_may_be_used() -> None:
    with pytest.raises(InvalidInput) as refused:
        asked("repeat(label, 9) = 'x'")
    assert "docs/reference/filters.md" in refused.value.hint
    with pytest.raises(InvalidInput) as refused:
        asked("nope = 1")
    assert "label" in refused.value.hint


NAMED = ["__samples", "__row", "main", "temp", "memory", "samples", "rowid"]


def test_columns_may_have_the_names_of_the_table_and_of_what_is_around_it() -> None:
    columns = pa.table({"id": ["x", "y"], **{name: [1, 2] for name in NAMED}})
    for name in NAMED:
        assert asked(f'"{name}" = 2', columns) == found(columns, f'"{name}" = 2') == [1], name


@pytest.mark.parametrize("name", ["__samples", "main.__samples", "temp.main.__samples", '"Main"."__SAMPLES"'])
def test_no_column_is_measured_as_another_by_the_name_of_the_table(name: str) -> None:
    """main.__samples.id was measured as the column main, some 80 bytes, and took gigabytes."""
    columns = pa.table({"id": ["x" * 1000], **{name: [1] for name in NAMED}})
    with pytest.raises(InvalidInput, match="by its table"):
        asked(f"id IS NULL OR length({name}.id) > 1", columns)


def test_nothing_is_fetched_for_what_is_refused() -> None:
    fetched: list[list[str]] = []
    names, part = COLUMNS.column_names, parts_of(COLUMNS, fetched)
    with query.for_strangers(MANY_S):
        with pytest.raises(InvalidInput):
            query.matching("repeat(id, 9) = 'x' AND size > 1", names, part, rows=ROWS, shown=names)
        assert fetched == []
        query.matching("SIZE * 2 > 1 AND label = 'size'", names, part, rows=ROWS, shown=names)
    assert fetched == [["size", "label"]] * 2, "a * is no reason to fetch all"


def test_without_strangers_nothing_is_bounded() -> None:
    assert len(found(COLUMNS, "len(range(size)) > 10 AND repeat(label, 2) = 'catcat'")) > 100
    assert len(found(COLUMNS, "size > (SELECT 2990)")) == 9


def test_long_values_are_filtered_a_few_rows_at_a_time() -> None:
    long = pa.table({"id": [f"{i:03}" + "Ab" * 400_000 for i in range(20)]})
    assert asked("lower(id) LIKE '00%' AND length(upper(id) || id) > 9", long) == list(range(10))
    with pytest.raises(InvalidInput, match="too long"):
        asked("regexp_matches(id, '[a-z]{1,1000}!')", long)
    with pytest.raises(InvalidInput, match="too long"):
        asked("contains(id, id || 'x')", long)
    assert asked("regexp_matches(id, 'bA') AND contains(id, 'bAb') AND id >= '019'", long) == [19]


@pytest.mark.parametrize(
    "form",
    ["LIKE '{}b'", "ILIKE '{}b'", "LIKE '{}b' ESCAPE '!'", "LIKE (left(id, 0) || '{}b')", "GLOB '{}b'"],
)
@pytest.mark.parametrize("piece", ["%a", "%a_", "*a", "*[ac]", "*?"])
def test_a_pattern_does_not_try_all_ways(form: str, piece: str) -> None:
    """Their steps are counted as length × length; a pattern that goes back at each % has no end here."""
    assert asked(f"id {form.format(piece * 40)}", pa.table({"id": ["a" * 3000]})) == []


def test_wide_rows_are_taken_some_megabytes_at_a_time() -> None:
    wide = pa.table({"id": [f"{i:04}" + "x" * 100_000 for i in range(3000)]})
    asked_for: list[int] = []

    def part(names: list[str], begin: int, end: int) -> pa.Table:
        asked_for.append(end - begin)
        return wide.select(names).slice(begin, end - begin)

    with query.for_strangers(MANY_S):
        found_rows = query.matching("id < '0003' OR id > '2997'", ["id"], part, rows=3000, shown=[])
    assert found_rows.tolist() == [0, 1, 2, 2997, 2998, 2999]
    assert sum(asked_for) == 3000
    assert max(asked_for[1:]) * 100_000 < 128 << 20


def test_there_may_be_no_rows() -> None:
    assert asked("label = 'cat' AND len(tags) > 3", COLUMNS.slice(0, 0)) == []
    assert asked("true", COLUMNS.slice(0, 0)) == []


def test_a_message_that_is_cut_in_a_letter_is_a_refusal() -> None:
    """DuckDB shows the beginning of a value, by bytes."""
    letters = pa.table({"id": ["Ⱥb" * 100]})
    with pytest.raises(InvalidInput):
        asked("unhex(id) IS NULL", letters)
    with pytest.raises(InvalidInput):
        found(letters, "unhex(id) IS NULL")
    with pytest.raises(InvalidInput):
        asked("id = '\ud800'", letters)


def test_rows_at_a_time_keep_the_bounds() -> None:
    assert rows_at_a_time(Taken(1, made=16, steps=100), 100) == 64 << 10
    few = rows_at_a_time(Taken(1, made=1 << 20, steps=100), 100)
    assert few << 20 <= 32 << 20
    assert rows_at_a_time(Taken(1, made=16, steps=1 << 29), 100) == 2
    assert rows_at_a_time(Taken(1, made=16, steps=100), 8 << 20) == 4, "Arrow may copy what it filters"
    with pytest.raises(InvalidInput):
        rows_at_a_time(Taken(1, made=1 << 30), 100)


ODD = {
    "named in large letters": pa.chunked_array([[{"🐈" * 110: 1}]]),
    "named in quotes": pa.chunked_array([[{"'" * 500: "'" * 500}]]),
    "quoted in lists": pa.chunked_array([[[["'\\" * 100] * 9] * 9]]),
    "no letters": pa.chunked_array([[{"x": [b"\x00" * 500]}]]),
}


@pytest.mark.parametrize("name", [*COLUMNS.column_names, *ODD])
def test_no_value_is_wider_than_said(name: str) -> None:
    import duckdb

    column = ODD[name] if name in ODD else COLUMNS.column(name)
    with duckdb.connect() as connection:
        connection.register("t", pa.table({"x": column}))
        longest = connection.execute("SELECT max(strlen(x::VARCHAR)) FROM t").fetchone()[0]
    assert (longest or 0) <= widest(column)
    assert widest(column.slice(0, 0)) <= NUMBER + 1000


def test_functions_of_fixed_size_are_just_that() -> None:
    """By DuckDB's own list: a new form of one that returns a text or a list would be no bounded one."""
    import duckdb

    query_ = "SELECT function_type, return_type FROM duckdb_functions() WHERE function_name = ?"
    with duckdb.connect() as connection:
        for name in sorted(words.FIXED | words.SEARCHES):
            forms = connection.execute(query_, [name]).fetchall()
            assert forms, name
            for kind, returned in forms:
                assert kind == "scalar", name
                assert str(returned).split("(")[0].split(" ")[0] in _OF_FIXED_SIZE.split(), (name, returned)


def test_no_word_is_a_macro_or_missing() -> None:
    """A macro is replaced by text in which an argument may stand twice."""
    import duckdb

    with duckdb.connect() as connection:
        for name in sorted({*words.TEXTS, *words.REGEXES, *words.JSON}):
            rows = connection.execute(
                "SELECT DISTINCT function_type FROM duckdb_functions() WHERE function_name = ?", [name]
            ).fetchall()
            assert rows == [("scalar",)], name


def test_tables_do_not_overlap() -> None:
    tables = [words.FIXED, words.SEARCHES, words.REGEXES, words.JSON, words.TEXTS.keys()]
    assert sum(map(len, tables)) == len(frozenset().union(*tables))
