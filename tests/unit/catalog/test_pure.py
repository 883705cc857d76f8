"""The pure parts: digests, splits, draws. Golden values: they are formats."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from maruhub.catalog.drawing import draw, mix
from maruhub.catalog.manifests.digest import column_digest, version_digest, view_digest
from maruhub.catalog.name import free_column
from maruhub.catalog.query import mentioned, table_words
from maruhub.catalog.split import SplitRule, group_hashes, text_hashes
from maruhub.errors import InvalidInput

COLUMNS = [
    pa.array(["a", None, "", "bc", "a"]),
    pa.array([1, None, 0, -3, 1], pa.int32()),
    pa.array([1.5, None, 0.0, float("inf"), 2.0]),
    pa.array([True, None, False, True, True]),
    pa.array([b"12", None, b"34", b"56", b"12"], pa.binary(2)),
    pa.array([[1, 2], None, [], [None], [3]], pa.list_(pa.int64())),
    pa.array([[1, 2], None, [3, 4], [5, None], [1, 1]], pa.list_(pa.int64(), 2)),
    pa.array([{"x": 1, "y": "a"}, None, {"x": None, "y": "b"}, {"x": 2, "y": None}, {"x": 1, "y": "a"}]),
    pa.array([0, None, 10**15, 5, 5], pa.timestamp("us", "UTC")),
    pa.array(["1.50", None, "2.25", "0.00", "9.99"]).cast(pa.decimal128(10, 2)),
    pa.array([[("k", 1)], None, [], [("k", 2), ("l", None)], [("m", 3)]], pa.map_(pa.string(), pa.int64())),
    pa.nulls(5),
]


@pytest.mark.parametrize("column", COLUMNS, ids=lambda c: str(c.type))
def test_a_column_digest_knows_no_chunks(column):
    whole = column_digest("x", [column])
    for cut in range(6):
        assert column_digest("x", [column.slice(0, cut), column.slice(cut)]) == whole
    copy = pa.concat_arrays([column.slice(2), column.slice(0, 2)])
    assert column_digest("x", [copy.slice(3), copy.slice(0, 3)]) == whole


@pytest.mark.parametrize("column", COLUMNS[:-1], ids=lambda c: str(c.type))
def test_a_column_digest_sees_every_change(column):
    digests = {column_digest("x", [column]), column_digest("y", [column]), column_digest("x", [column[:4]])}
    for i, j in ((0, 1), (0, 2), (1, 2), (2, 3)):
        order = list(range(5))
        order[i], order[j] = order[j], order[i]
        digests.add(column_digest("x", [column.take(pa.array(order))]))
    assert len(digests) == 7


def test_text_does_not_run_together():
    assert column_digest("x", [pa.array(["ab", "c"])]) != column_digest("x", [pa.array(["a", "bc"])])


def test_digests_are_a_format():
    column = column_digest("id", [pa.array(["photos/a", None])])
    assert column.hex() == "63e77a98cfc7d78a93173209b6e3111fc08bca6f394ef0e131a05e3de9be0caf"
    version = version_digest(2, b"\x01", [column])
    assert version == "689883629e45865d1a4e8869a8b9ec0908021a7615f48b4ce5063ff674ad6838"
    assert (
        view_digest(version, np.array([1, 0], dtype=np.uint64))
        == "659fded0e39666bd67523703ff719317eb4eb32bd728b3ee96ef43b24911890b"
    )


def test_splits_are_a_format():
    hashes = text_hashes([f"photos/{i}" for i in range(8)], key=7)
    assert [hex(h) for h in hashes[:2].tolist()] == ["0xcc438b3cf43df18b", "0x84659fa372fd3a37"]
    rule = SplitRule((0.5, 0.25, 0.25))
    sides = [
        "".join("01"[int(b)] for b in rule.mask(name, hashes)) for name in ("train", "validation", "test")
    ]
    assert sides == ["00111011", "01000100", "10000000"]


def test_split_bounds():
    top = (1 << 64) - 1
    hashes = np.array([0, 1 << 63, top], dtype=np.uint64)
    assert SplitRule((1, 0, 0)).mask("train", hashes).all()
    assert SplitRule((0, 0, 1)).mask("test", hashes).all()
    assert SplitRule((0, 1, 0)).mask("validation", hashes).all()
    assert SplitRule((0.5, 0.5, 0)).mask("validation", hashes).tolist() == [False, True, True]
    assert not SplitRule((0.5, 0.5, 0)).mask("test", hashes).any()
    for fractions in ((0.5, 0.5), (0.5, 0.6, 0.1), (-0.1, 0.6, 0.5), (1, 1, 1), (float("nan"), 0, 0)):
        with pytest.raises(InvalidInput):
            SplitRule.of(fractions, None)


def test_shares_come_out_as_asked():
    hashes = text_hashes((f"photos/{i}" for i in range(20_000)), key=99)
    rule = SplitRule()
    counts = [int(rule.mask(name, hashes).sum()) for name in ("train", "validation", "test")]
    assert sum(counts) == 20_000
    # Five standard deviations of a binomial.
    assert abs(counts[0] - 16_000) < 5 * (20_000 * 0.8 * 0.2) ** 0.5
    assert abs(counts[1] - 2_000) < 5 * (20_000 * 0.1 * 0.9) ** 0.5


def test_a_key_changes_sides():
    ids = [f"photos/{i}" for i in range(100)]
    one, two = (SplitRule().mask("test", text_hashes(ids, key)) for key in (1, 2))
    assert not np.array_equal(one, two)


def test_groups_hash_by_value_and_nulls_by_sample():
    own = np.arange(5, dtype=np.uint64)
    found = group_hashes(pa.chunked_array([[1, None, 2], [1, None]]), own, 3)
    assert found[0] == found[3] == text_hashes(["1"], 3)[0]
    assert found[[1, 4]].tolist() == [1, 4]
    assert group_hashes(pa.chunked_array([pa.nulls(5, pa.string())]), own, 3).tolist() == own.tolist()


def test_draws_are_a_format():
    assert [hex(v) for v in mix(np.array([0, 1], dtype=np.uint64)).tolist()] == [
        # The first outputs of SplitMix64 seeded with 0, and with 1.
        "0xe220a8397b1dcdaf",
        "0x910a2dec89025cc1",
    ]
    assert draw(np.arange(1000, dtype=np.uint64), 5, 42).tolist() == [74, 208, 553, 972, 994]


def test_draws_are_even():
    counts = np.zeros(100, dtype=int)
    for seed in range(400):
        counts[draw(np.arange(100, dtype=np.uint64), 10, seed)] += 1
    assert counts.sum() == 4000
    assert counts.min() > 40 - 5 * 6
    assert counts.max() < 40 + 5 * 6


def test_free_column():
    assert free_column("label", []) == "label"
    assert free_column("Size", ["size"]) == "user_Size"
    assert free_column("size", ["size", "user_SIZE"]) == "user_size_2"
    assert free_column("", []) == "user_"
    assert free_column("a\0b", []) == "a_b"


def test_mentioned_is_a_superset():
    names = ["id", "label", 'we"ird', "size"]
    assert mentioned(names, "LABEL = 'x'") == ["label"]
    assert mentioned(names, '"we""ird" > 1') == ['we"ird']
    assert mentioned(names, "COLUMNS(*) > 1") == names
    assert mentioned(names, "true") == []


def test_table_words():
    assert table_words('SELECT a FROM "cats@v3" JOIN dogs') == [
        "cats@v3",
        "SELECT",
        "a",
        "FROM",
        "cats",
        "v3",
        "JOIN",
        "dogs",
    ]
