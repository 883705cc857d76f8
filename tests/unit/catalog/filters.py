"""A table of every kind of column, filters of it, and what ends a server that runs them as they come."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
import pyarrow as pa

from maruhub.catalog import query

ROWS: Final = 3000

GOOD: Final = [
    "label = 'cat'",
    "LABEL <> 'cat' AND Size > 1000",
    '"we ird""name" = 3',
    "label IS NOT NULL OR size IS NULL",
    "NOT (label IN ('cat', 'dog'))",
    "id IN ('photos/000007.jpg', 'photos/000008.jpg', 'x')",
    "size NOT IN (1, 2, 3, 4, 5, 6, 7, 8, 9, 10)",
    "size BETWEEN 10 AND 20 AND quality NOT BETWEEN 0.1 AND 0.9",
    "id LIKE '%/00000_.jpg'",
    "id NOT LIKE 'photos/%7%'",
    "label ILIKE 'C%' AND label NOT ILIKE '%x%'",
    "label LIKE 'c$%' ESCAPE '$' OR id GLOB '*7.jpg'",
    "id SIMILAR TO 'photos/0+7.*' AND id ~ 'photos'",
    "regexp_matches(id, '[0-9]{4}7') AND regexp_full_match(label, 'c.*')",
    "regexp_extract(id, '([0-9]+)', 1)::INTEGER % 100 = 7",
    "lower(label) = 'cat' AND upper(label) || '!' = 'CAT!'",
    "length(trim(label)) = 3 AND strlen(label) = 3 AND left(label, 1) = 'c'",
    "contains(id, '77') AND starts_with(id, 'photos') AND ends_with(id, '.jpg')",
    "substr(id, 8, 6)::BIGINT > 100 AND position('7' IN id) > 0",
    "concat(label, '-', size::VARCHAR) = 'cat-100' OR reverse(label) = 'tac'",
    "size + 1 > 2 * size - 3 AND size % 7 = 3 AND -size < 0 AND size // 2 = 5",
    "abs(quality - 0.5) < 0.1 AND round(quality, 1) = 0.5 AND sqrt(size) > 3 AND ln(size + 1) > 1",
    "greatest(size, 10) = least(size, 100) AND floor(quality) = 0 AND NOT isnan(quality)",
    "coalesce(label, 'none') = 'none' OR ifnull(label, 'x') = 'x'",
    "CASE WHEN label = 'cat' THEN size > 3 WHEN label = 'dog' THEN true ELSE false END",
    "label IS NOT DISTINCT FROM NULL",
    "truth AND truth IS TRUE AND NOT (truth IS NULL)",
    "created > TIMESTAMP '2020-01-01' AND created - INTERVAL 1 DAY < TIMESTAMP '2020-01-02 12:00:00'",
    "created >= DATE '2020-01-01' AND year(created) = 2020 AND extract(hour FROM created) = 3",
    "date_trunc('day', created) = DATE '2020-01-01' AND date_diff('day', DATE '2020-01-01', created) = 0",
    "len(tags) = 3 AND list_contains(tags, 'x') AND 'y' IN tags AND tags[3] = '7'",
    "list_has_any(tags, ['3', '4']) OR tags = ['x', 'y', '5']",
    "list_cosine_similarity(vector, [0.1, 0.2]) > 0.5 AND vector[1] > 0.3",
    "box.left > 5 AND box.name = '7' AND box['name'] IS NOT NULL AND (box).left < 100",
    "info->>'$.a.b' = '7' AND json_extract_string(info, '$.a.b') = '7'",
    "lower(hex(sum)) LIKE '07%' AND sum = unhex('07070707')",
    "kind = 'k1' AND lower(kind) = 'k1'",
    "try_cast(label AS INTEGER) IS NULL AND CAST(size AS DECIMAL(18, 3)) > 2.5 AND size::DOUBLE > 2e0",
    "(size, label) = (7, 'cat') OR (size, label) IN ((8, 'dog'), (9, 'cat'))",
    "size & 1 = 1 AND size << 1 > 8 AND xor(size, 1) > 3",
    "mtime IS NULL AND nothing IS NULL",
    "true",
    "label = 'it''s (((((('",
]

UNPARSED: Final = [
    "(" * 100_000 + "1" + ")" * 100_000 + " = 1",
    "(" * 8_000,
    "[{" * 4_000,
    ")" * 8_000 + "(" * 8_000,
    "f(" * 2_000,
    "label = '" + "x" * 1_000_000 + "'",
    "size IN (" + ",".join(map(str, range(100_000))) + ")",
    "CASE " * 16 + "size" + " WHEN 1 THEN 2 WHEN 3 THEN 4 END" * 16,
    "CASE label WHEN 'cat' THEN true WHEN 'dog' THEN false END",
    'case\n"size" when 1 then true end',
    "true; SELECT 1",
    "true;",
    "true -- and more",
    "true /* and more */",
    "label = $$x$$ OR '$$((((((((((",
    "label = E'\\' OR '((((((((((",
    "label = 'it''s (",
    "label = $1",
    "label = 'x",
    'label = "x',
]
"""What the parser must not be given: it takes too much of it, or it hides where strings end."""

BAD: Final = [
    *UNPARSED,
    # much of little
    "repeat(label, 1000000000) = 'x'",
    "length(repeat('x', 4000000000)) > 1",
    "lpad(label, 1000000000, 'x') = 'x'",
    "rpad(label, 1000000000, 'x') = 'x'",
    "len(range(1000000000)) > 1",
    "len(generate_series(1, 1000000000)) > 1",
    "len(list_transform(range(1000000000), x -> x + 1)) > 1",
    "len(list_transform(range(1000000000), lambda x: x + 1)) > 1",
    "len([x for x in range(1000000000)]) > 1",
    "len(list_resize([1], 1000000000)) > 1",
    "len(list_repeat([1], 1000000000)) > 1",
    "array_to_string(range(1000000000), ',') = 'x'",
    "printf('%1000000000d', size) = 'x'",
    "format('{:>1000000000}', label) = 'x'",
    "bitstring('1', 1000000000)::VARCHAR = 'x'",
    "bar(size, 0, 1, 1000000000) = 'x'",
    "strftime(created, repeat('%A', 100000000)) = 'x'",
    # many times over
    "replace(replace(replace(label, '', 'aaaaaaaa'), 'a', 'aaaaaaaa'), 'a', 'aaaaaaaa') = 'x'",
    "regexp_replace(label, '', repeat('x', 1000000), 'g') = 'x'",
    "translate(label, 'a', 'bb') = 'x'",
    "len(string_split(id, '')) > 1",
    "len(regexp_extract_all(id, '')) > 1",
    "len(list_zip(tags, tags, tags)) > 1",
    "len(flatten([tags, tags])) > 1",
    "len(list_concat(tags, tags)) > 1",
    "to_json(box) = 'x'",
    "info->>'$..*' IS NULL",
    "info->>['$.a', '$.a', '$.a'] IS NULL",
    # queries in the filter
    "(SELECT count(*) FROM range(1000000000000)) > 0",
    "EXISTS (SELECT * FROM range(1000000000000) a, range(1000000000000) b)",
    "size IN (SELECT unnest(range(1000000000)))",
    "size = ANY (SELECT 1)",
    "size = ANY ([1, 2])",
    "(SELECT string_agg(i::VARCHAR, ',') FROM range(1000000000) t(i)) = 'x'",
    "(WITH RECURSIVE t(s) AS (SELECT 'x' UNION ALL SELECT s || s FROM t) SELECT max(s) FROM t) = 'x'",
    "(SELECT sum(size) FROM __samples) > 1",
    "sum(size) > 1",
    "count(*) > 1",
    "sum(size) OVER () > 1",
    "row_number() OVER (ORDER BY id) > 1",
    "list_sum(tags) > 1",
    "list_aggregate(tags, 'string_agg', ',') = 'x'",
    "unnest(tags) = 'x'",
    # a square, or worse
    "levenshtein(id, id) > 1",
    "damerau_levenshtein(id, id) > 1",
    "jaccard(id, id) > 1",
    "nullif(nullif(nullif(label, 'a'), 'b'), 'c') = 'x'",
    "regexp_matches(id, label)",
    "regexp_matches(id, 'a' || label)",
    " OR ".join(f"regexp_matches(id, '{i}.*{i}')" for i in range(20)),
    # not one expression, or none that reads the same twice
    "1 = 1) OR (1 = 1",
    "true UNION ALL SELECT i FROM range(1000000000) t(i)",
    "true GROUP BY size",
    "true ORDER BY repeat(id, 1000000000)",
    "true LIMIT 1",
    "true OFFSET 1",
    "true QUALIFY row_number() OVER () = 1",
    "true HAVING true",
    "true USING SAMPLE 1",
    "label = ?",
    "#1 = 1",
    "COLUMNS(*) IS NOT NULL",
    "COLUMNS(c -> c LIKE 'l%') = 'x'",
    "__samples IS NULL",
    "__samples.label = 'cat'",
    "main.__samples.label = 'cat'",
    "temp.main.__samples.label = 'cat'",
    "__row = 1",
    "samples.label = 'cat'",
    "random() < 0.5",
    "created < now()",
    "created < current_timestamp",
    "size > getenv('HOME')",
    "current_setting('memory_limit') = 'x'",
    "sleep_ms(100000) IS NULL",
    "getvariable('x') = 1",
    "nextval('x') = 1",
    "error('x') IS NULL",
    "main.lower(label) = 'x'",
    "label.lower() = 'x'",
    "lower(label ORDER BY size) = 'x'",
    "lower(DISTINCT label) = 'x'",
    "label COLLATE nocase = 'x'",
    "TRY(size / 0) IS NULL",
    "tags[1:2] = ['x']",
    "{'a': 1} = box",
    # types without a bound, or that take more than they say
    "label::BIT = '1'",
    "label::BIGNUM = 1",
    "label::JSON = '1'",
    "label::VARCHAR[] = ['x']",
    "label::STRUCT(a INTEGER) IS NULL",
    "label::ENUM('a', 'b') = 'a'",
    "label::read_csv = 'a'",
    # too much of it
    "NOT " * 7_000 + "true",
    "- " * 7_000 + "1 = 1",
    " OR ".join(f"size = {i}" for i in range(2_000)),
    " + ".join("size" for _ in range(2_000)) + " = 1",
    "||".join("label" for _ in range(2_000)) + " = 'x'",
    "concat(" + ",".join(["label"] * 3_000) + ") = 'x'",
    "size IN (" + ",".join(["size"] * 3_000) + ")",
    "size" + ".a" * 16_000,
    "lower(" * 60 + "label" + ")" * 60 + " = 'x'",
    "(" * 20 + "size" + " BETWEEN 1 AND 2)::INTEGER" * 20 + " = 1",
    "(" * 20 + "size" + " IN (1, 2))::INTEGER" * 20 + " = 1",
    "",
    "nope = 1",
]


def table() -> pa.Table:
    """Columns as datasets have them."""
    at = np.arange(ROWS)
    begin = datetime(2020, 1, 1, tzinfo=UTC)
    return pa.table(
        {
            "id": [f"photos/{i:06}.jpg" for i in at],
            "size": at,
            "label": [None if i % 11 == 0 else ("cat", "dog", "Cow")[i % 3] for i in at],
            'we ird"name': at % 7,
            "quality": np.random.default_rng(1).random(ROWS),
            "truth": [None if i % 5 == 0 else i % 2 == 0 for i in at],
            "created": pa.array([begin + timedelta(minutes=int(i)) for i in at], pa.timestamp("us", "UTC")),
            "mtime": pa.nulls(ROWS, pa.timestamp("us")),
            "nothing": pa.nulls(ROWS),
            "tags": [["x", "y", str(i % 9)] if i % 13 else None for i in at],
            "vector": pa.array([[i / ROWS, 0.5] for i in at], pa.list_(pa.float32())),
            "box": [{"left": i, "name": str(i % 9)} for i in at],
            "info": [f'{{"a": {{"b": {i % 9}}}}}' for i in at],
            "sum": [bytes([i % 256]) * 4 for i in at],
            "kind": pa.array([f"k{i % 3}" for i in at]).dictionary_encode(),
        }
    )


def found(columns: pa.Table, text: str) -> list[int]:
    """The rows that a filter finds."""

    names = columns.column_names
    asked: list[list[str]] = []
    rows: list[int] = query.matching(
        text, names, parts_of(columns, asked), rows=columns.num_rows, shown=names
    ).tolist()
    return rows


def parts_of(columns: pa.Table, asked: list[list[str]]) -> Callable[[list[str], int, int], pa.Table]:
    """Parts of a table; what columns were asked for is noted."""

    def part(names: list[str], begin: int, end: int) -> pa.Table:
        asked.append(names)
        return columns.select(names or ["id"]).slice(begin, end - begin)

    return part
