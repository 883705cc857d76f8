"""Views: rows, filters, draws, order, splits, saving; and hostile SQL."""

from __future__ import annotations

import numpy as np
import pytest

from maruhub.catalog import Catalog
from maruhub.errors import InvalidInput, NotFound, Refused
from maruhub.namespace import Namespace


@pytest.fixture
def version(catalog, put):
    for i in range(60):
        put({f"d/{i:02}": bytes(i)}, label="odd" if i % 2 else "even")
    return catalog.dataset("d").commit("photos/d/")


def keys(view):
    return [int(name[-2:]) for name in view.ids()]


def test_where_keeps_order_and_narrows(version):
    assert keys(version.where("label = 'odd' AND size < 8")) == [1, 3, 5, 7]
    backwards = version.sort("size", descending=True)
    assert keys(backwards)[:3] == [59, 58, 57]
    assert keys(backwards.where("size < 5").where("label = 'even'")) == [4, 2, 0]
    assert len(version.where("false")) == 0
    assert version.where("true").digest == version.digest


def test_where_over_the_base_columns(version):
    assert keys(version.where("id LIKE '%/07'")) == [7]
    assert len(version.where("created > TIMESTAMP '2020-01-01'")) == 60
    assert len(version.where("mtime IS NULL")) == 60
    assert keys(version.where("LABEL = 'odd' AND Size = 9")) == [9]
    assert len(version.where("len(blob) = 1")) == 59
    assert len(version.where("COLUMNS(['id', 'label']) IS NOT NULL")) == 60


@pytest.mark.parametrize(
    "expression",
    [
        "label = 'x",
        "nope > 3",
        "true; DROP TABLE samples",
        "1=1) OR (1=1",
        "true -- \n; select 1",
        "exists (SELECT * FROM read_csv('/etc/passwd'))",
        "exists (SELECT * FROM '/etc/passwd')",
        "exists (SELECT * FROM glob('/*'))",
        "size > getenv('HOME')",
        "size IN (SELECT * FROM np)",
        "CAST(label AS INTEGER) > 1",
        "sum(size) > 1",
        "size, id",
        "",
    ],
)
def test_what_is_not_a_filter_is_refused(version, expression):
    with pytest.raises(InvalidInput):
        version.where(expression)


def test_the_message_shows_the_columns(version):
    with pytest.raises(InvalidInput, match='"nope" not found') as caught:
        version.where("nope > 3")
    assert "label" in caught.value.hint


def test_sql_over_datasets(catalog, version, put):
    put({"d/99": b"x" * 99}, label="odd")
    catalog.dataset("d").commit()
    counts = catalog.sql("SELECT label, count(*) AS n FROM d GROUP BY label ORDER BY label").to_pydict()
    assert counts == {"label": ["even", "odd"], "n": [30, 31]}
    new = catalog.sql('SELECT id FROM d ANTI JOIN "d@v1" USING (id)').to_pydict()
    assert new == {"id": ["photos/d/99"]}


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM nothing",
        "SELECT * FROM read_text('/etc/passwd')",
        "COPY d TO '/tmp/maru-leak.csv'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "ATTACH '/tmp/maru-leak.db'",
        "SET enable_external_access = true",
        "SELECT 1; SELECT 2",
        "DROP TABLE d",
        "PRAGMA version",
        "not sql",
        "",
    ],
)
def test_sql_reaches_nothing_else(catalog, version, query):
    with pytest.raises(InvalidInput):
        catalog.sql(query)


def test_a_python_variable_is_out_of_reach(catalog, version):
    secret = __import__("pyarrow").table({"a": [1]})
    assert secret.num_rows
    with pytest.raises(InvalidInput):
        catalog.sql("SELECT * FROM secret")


def test_samples_are_nested_and_repeatable(version):
    small, large = version.sample(10, seed=3), version.sample(25, seed=3)
    assert set(keys(small)) < set(keys(large))
    assert keys(small) == keys(version.sample(10, seed=3))
    assert keys(small) == sorted(keys(small))
    assert keys(small) != keys(version.sample(10, seed=4))
    assert len(version.sample(0)) == 0
    assert len(version.sample(60)) == 60
    for n in (61, -1):
        with pytest.raises(InvalidInput):
            version.sample(n)


def test_rows_are_checked_and_keep_their_order(version):
    view = version.select([5, 3, 3])
    assert keys(view) == [5, 3, 3]
    assert view.ids([2, 0]) == ["photos/d/03", "photos/d/05"]
    assert view.positions.tolist() == [5, 3, 3]
    assert view.columns(np.array([0], dtype=np.uint64)).to_pylist() == [{"label": "odd"}]
    for rows in ([3], [-1], [0, 99]):
        with pytest.raises(InvalidInput, match="beyond the 3"):
            view.ids(rows)
    with pytest.raises(ValueError, match="read-only"):
        view.positions[0] = 1


def test_digests_say_content_and_order(version):
    assert version.select(range(60)).digest == version.digest
    assert version.select([1, 2]).digest == version.where("size IN (1, 2)").digest
    assert version.select([2, 1]).digest != version.select([1, 2]).digest
    assert len({version.select([i]).digest for i in range(60)}) == 60


def test_a_split_is_a_partition_that_survives_growth(catalog, version, put):
    parts = {name: set(version.split(name).ids()) for name in ("train", "validation", "test")}
    assert sum(map(len, parts.values())) == 60
    assert set().union(*parts.values()) == set(version.ids())
    for i in range(100, 150):
        put({f"d/{i}": b"new"})
    put({"d/05": b"changed"})
    grown = catalog.dataset("d").commit()
    for name, before in parts.items():
        assert before <= set(grown.split(name).ids())
    assert grown.split("test").is_split == "test"
    assert grown.split("test").where("size >= 0").sample(1).is_split == "test"
    assert grown.is_split is None


def test_a_split_of_a_split(version):
    train = version.split("train")
    assert train.split("train") is train
    with pytest.raises(InvalidInput, match="train split holds no test"):
        train.where("size > 1").split("test")
    with pytest.raises(InvalidInput, match="no split 'dev'"):
        version.split("dev")


def test_groups_stay_on_one_side(catalog, put):
    for i in range(90):
        put({f"g/{i:02}": bytes(i)}, patient=f"p{i // 9}")
    put({"g/alone": b""})
    version = catalog.dataset("g").commit("photos/g/")
    sides = {}
    for name in ("train", "validation", "test"):
        for patient in version.split(name, fractions=(0.4, 0.3, 0.3), group="patient").columns().column(0):
            sides.setdefault(patient.as_py(), set()).add(name)
    assert len(sides) == 11
    assert all(len(names) == 1 for names in sides.values())
    assert len({name for names in sides.values() for name in names}) > 1
    with pytest.raises(InvalidInput, match="no column 'nobody'"):
        version.split("train", group="nobody")


def test_the_first_split_fixes_the_rule_for_everybody(ns, catalog, version):
    first = version.split("train", fractions=(0.5, 0.25, 0.25))
    other = Catalog(Namespace(ns.store, "somebody else")).dataset("d")
    assert other.latest.split("train").digest == first.digest
    with pytest.raises(Refused, match=r"split by fractions \(0.5, 0.25, 0.25\)"):
        other.latest.split("train", fractions=(0.8, 0.1, 0.1))
    with pytest.raises(Refused):
        other.set_split((0.8, 0.1, 0.1))
    other.set_split((0.8, 0.1, 0.1), replace=True)
    assert len(version.split("train", fractions=(0.8, 0.1, 0.1))) > len(first)


def test_a_default_split_does_not_override_a_grouped_one(catalog, version):
    catalog.dataset("d").set_split((0.5, 0, 0.5), group="Label")
    assert len(version.split("validation")) == 0
    assert len(version.split("train")) in (0, 30, 60)
    with pytest.raises(Refused):
        version.split("train", group="size")


def test_saved_views(ns, catalog, version):
    view = version.split("train").sort("size", descending=True).save()
    opened = Catalog(ns).view(view.digest)
    assert opened.ids() == view.ids()
    assert opened.digest == view.digest
    assert opened.is_split == "train"
    assert view.save() is view
    version.save()
    assert Catalog(ns).view(version.digest).ids() == version.ids()
    everything = version.split("train").sort("size")
    assert everything.save().is_split == "train"
    version.select(range(60)).save()
    assert Catalog(ns).view(version.digest).is_split is None
    empty = version.where("false").save()
    assert len(catalog.view(empty.digest)) == 0
    with pytest.raises(NotFound):
        catalog.view("0" * 64)
    with pytest.raises(InvalidInput):
        catalog.view("../../etc")


def test_batches_come_from_the_loader_that_was_handed_in(ns, version):
    made = Catalog(ns, loader=lambda view, size, **options: (len(view), size, options)).dataset("d")
    assert made.latest.batches(64, seed=7) == (60, 64, {"seed": 7})
    with pytest.raises(InvalidInput, match="without a loader"):
        version.batches(64)


def test_views_over_removed_rows(ns, catalog, version):
    ns.objects.delete_many("photos", ["d/00", "d/31"])
    after = catalog.dataset("d").commit()
    assert len(after) == 58
    assert after.positions is None
    assert keys(after.where("size < 3")) == [1, 2]
    assert keys(after.select([0, 57])) == [1, 59]
    assert after.table(["size"]).column(0).to_pylist() == [*range(1, 31), *range(32, 60)]
    assert sum(len(after.split(name)) for name in ("train", "validation", "test")) == 58
    assert len(after.sample(58)) == 58
    assert after.select(range(58)).digest == after.digest


def test_internal_columns_are_shown_when_named(version):
    assert "blob" not in version.column_names
    assert version.table(["root_hash"]).column(0).to_pylist() == version.root_hash().tolist()
    assert version.table(["blob"]).num_rows == 60
    with pytest.raises(InvalidInput, match="no column"):
        version.table(["no"])
    with pytest.raises(InvalidInput):
        version.sort("blob")
