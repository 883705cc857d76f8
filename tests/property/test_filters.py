"""Any filter of what a stranger may use gives the rows that it gives without bounds, and any other text none."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from maruhub.catalog import query
from maruhub.errors import InvalidInput
from tests.unit.catalog.filters import found, table

COLUMNS = table().slice(0, 300)
MANY_S = 60.0

NUMBERS = ["size", "quality", "1", "-2.5", "length(id)", "box.left", "year(created)", "len(tags)", "size % 7"]
TEXTS = ["id", "label", "'x'", "tags[1]", "box.name", "hex(sum)", "size::VARCHAR", "info->>'$.a.b'", "kind"]
TRUTHS = ["size > 5", "id LIKE '%1_.jpg'", "label IS NULL", "truth", "list_contains(tags, 'x')", "NULL"]

FORMS = {
    "number": """
        ({n} + {n}); ({n} * {n}); -({n}); abs({n}); round({n}, 1); greatest({n}, {n}); coalesce({n}, {n})
        ({b})::INTEGER; length({t}); strpos({t}, {t}); CASE WHEN {b} THEN {n} ELSE {n} END
    """,
    "text": """
        lower({t}); upper({t}); ({t} || {t}); trim({t}); left({t}, 3); reverse({t}); coalesce({t}, {t})
        ({n})::VARCHAR; regexp_extract({t}, '[a-z]+'); CASE WHEN {b} THEN {t} ELSE {t} END
    """,
    "truth": """
        ({b} AND {b}); ({b} OR {b}); (NOT {b}); (({b}) IS NULL); ({b} = {b}); ({n} < {n}); ({t} = {t})
        ({n} BETWEEN {n} AND {n}); ({n} IN ({n}, 1, {n})); ({t} IN ('a', 'cat')); ({t} NOT IN ({t}, {t}))
        ({t} ILIKE '%a_%'); ({t} LIKE {t}); contains({t}, {t}); regexp_matches({t}, '(a|b)*c')
        ({t} IS DISTINCT FROM {t}); list_contains([{t}, {t}], {t})
    """,
}
PIECES = """
    ( ) [ ] { } , . ; : :: + - * / = < > || -> ->> ? $1 $$ ' " 'x' id label size tags 1 -1 1e308 NULL AND OR NOT IN IS LIKE
    BETWEEN CASE WHEN THEN ELSE END CAST( AS VARCHAR) SELECT FROM WHERE UNION GROUP BY LIMIT EXISTS( lower( COLUMNS(*) x->
    lambda OVER() DISTINCT -- /* */ E' \\ \x00 \u200b é 🐈 repeat(id,999999999) range(9999999999)
"""


@st.composite
def filters(draw: st.DrawFn, kind: str = "truth", depth: int = 4) -> str:
    if depth == 0 or draw(st.integers(0, 4)) == 0:
        return draw(st.sampled_from({"number": NUMBERS, "text": TEXTS, "truth": TRUTHS}[kind]))
    form = draw(st.sampled_from(FORMS[kind].strip().replace("\n", ";").split(";"))).strip()
    for short, wanted in (("{n}", "number"), ("{t}", "text"), ("{b}", "truth")):
        while short in form:
            form = form.replace(short, draw(filters(wanted, depth - 1)), 1)
    return form


def rows_or_none(text: str) -> list[int] | None:
    """The rows; None where DuckDB can't work it out, as for a text that is no number."""
    try:
        return found(COLUMNS, text)
    except InvalidInput:
        return None


@settings(max_examples=100, deadline=None)
@given(filters())
def test_bounds_change_no_rows(text: str) -> None:
    with query.for_strangers(MANY_S):
        bounded = rows_or_none(text)
    assert bounded == rows_or_none(text), text


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(PIECES.split()) | filters(depth=1) | st.text(max_size=3), max_size=12))
def test_any_text_is_rows_or_a_refusal(pieces: list[str]) -> None:
    with query.for_strangers(MANY_S):
        rows_or_none(" ".join(pieces))


@settings(max_examples=100, deadline=None)
@given(filters(depth=3), st.data())
def test_a_filter_with_something_broken_is_rows_or_a_refusal(text: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(text)))
    cut = data.draw(st.integers(0, 3))
    broken = text[:at] + data.draw(st.sampled_from(PIECES.split())) + text[at + cut :]
    with query.for_strangers(MANY_S):
        rows_or_none(broken)
