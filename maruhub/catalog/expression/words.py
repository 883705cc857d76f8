"""The words of a bounded filter: functions, operators, types.

The rule: a word stands here if what it makes of a row is bounded by what the row holds, in a way
that the head of its table says, and if it gives the same for the same rows for ever (a view is
found again by its text, so there is no clock and no chance). Left out are, for instance,

- what makes much of little: ``repeat``, ``lpad``, ``range``, ``format``, ``list_resize``, ``bitstring``;
- what grows with a product, or many times over: ``replace``, ``translate``, ``string_split``, ``list_transform``;
- what takes time or memory that grows with a square: ``levenshtein``, ``jaccard``;
- macros, such as ``nullif``: they are replaced by text in which arguments stand twice, so that thirty in
  each other are a thousand million;
- whatever asks for the clock, chance, settings, or the machine.

Pure data; a test compares it with DuckDB's own list of what functions return.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


FIXED: Final = _words(
    """
    * / // % ** ^ @ abs sign ceil ceiling floor trunc round round_even even mod multiply divide
    sqrt cbrt exp ln log log2 log10 pow power pi sin cos tan asin acos atan atan2 degrees radians gcd lcm
    isnan isfinite isinf
    strlen length len char_length character_length bit_length octet_length ascii unicode ord
    array_length list_contains list_has array_contains array_has
    list_has_any list_has_all array_has_any array_has_all
    list_position list_indexof array_position array_indexof
    list_cosine_similarity list_cosine_distance list_distance list_inner_product list_dot_product
    year quarter month week day dayofmonth dayofyear dayofweek weekday isodow isoyear yearweek
    hour minute second millisecond microsecond decade century epoch epoch_ms epoch_us epoch_ns
    date_part datepart date_trunc datetrunc date_diff datediff date_sub datesub last_day make_date
    to_years to_months to_weeks to_days to_hours to_minutes to_seconds to_timestamp
    """
)
"""A number, a date or a truth value, after one look at each argument."""

SEARCHES: Final = _words(
    """
    ~~ !~~ ~~* !~~* ~~~ like_escape not_like_escape ilike_escape not_ilike_escape
    contains starts_with ends_with prefix suffix ^@ instr strpos position
    """
)
"""A truth value or a number, after at most length × length steps of the first two arguments."""

REGEXES: Final = _words("regexp_matches regexp_full_match regexp_extract")
"""No more than the first argument, after at most length × states steps. The pattern is a constant: each
value of a column would be another one to compile."""

JSON: Final = _words("->> json_extract_string")
"""No more than the document, which is parsed to some times its length. The path is a constant without
wildcards: those give each part of the document once for every level above it."""

TEXTS: Final[Mapping[str, int]] = {
    **dict.fromkeys(_words("trim ltrim rtrim substr substring left right reverse || concat"), 1),
    **dict.fromkeys(_words("+ add - subtract & | ~ xor << >>"), 1),
    **dict.fromkeys(_words("greatest least struct_extract list_extract list_element array_extract"), 1),
    **dict.fromkeys(_words("lower lcase upper ucase list_value row hex to_hex"), 2),
    **dict.fromkeys(_words("unhex from_hex"), 4),
}
"""So many times the arguments together, written out as text. (``ⱥ`` takes a byte more than ``Ⱥ``; ``+`` also joins
lists; a list quotes its texts; a byte that is no letter is written ``\\xNN``.)"""

FIXED_TYPES: Final = _words(
    """
    BOOLEAN BOOL LOGICAL TINYINT SMALLINT INTEGER BIGINT HUGEINT UTINYINT USMALLINT UINTEGER UBIGINT UHUGEINT
    INT INT1 INT2 INT4 INT8 SHORT LONG SIGNED REAL FLOAT FLOAT4 DOUBLE FLOAT8 DECIMAL NUMERIC UUID
    DATE TIME TIMESTAMP DATETIME TIMESTAMPTZ TIMESTAMP_S TIMESTAMP_MS TIMESTAMP_NS INTERVAL
    """
) | {"TIMESTAMP WITH TIME ZONE", "TIMESTAMP WITHOUT TIME ZONE", "DOUBLE PRECISION"}
"""What may be cast to, of fixed size."""

TEXT_TYPES: Final[Mapping[str, int]] = {
    **dict.fromkeys(_words("VARCHAR TEXT STRING CHAR BPCHAR"), 2),
    **dict.fromkeys(_words("BLOB BYTEA BINARY VARBINARY"), 4),
}
"""What may be cast to, at most so many times its argument, written out."""

CALLED: Final[Mapping[str, str]] = {
    "SUBQUERY": "a query in the filter",
    "LAMBDA": "a function with an arrow",
    "WINDOW": "a window function",
    "STAR": "* or COLUMNS()",
    "COLLATE": "COLLATE",
    "PARAMETER": "a parameter",
    "POSITIONAL_REFERENCE": "a column by its number",
    "DEFAULT": "DEFAULT",
    "ARRAY_SLICE": "a slice of a list",
    "OPERATOR_TRY": "TRY",
}
"""How people call what a tree may hold and a filter may not."""
