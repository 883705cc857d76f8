"""Lists of versions, tags, dropping and bringing back, and differences."""

from __future__ import annotations

import pyarrow as pa
import pytest

from maruhub.catalog.manifests.root import Root
from maruhub.catalog.row import DatasetRow, VersionRow
from maruhub.errors import (
    AlreadyExists,
    Corrupt,
    InvalidName,
    NoSuchVersion,
    Refused,
    UnsupportedFormat,
)
from maruhub.store.format.row import Row, encode_row
from maruhub.store.protocol import get


@pytest.fixture
def ds(catalog, cats, put):
    made = catalog.dataset("cats")
    made.commit("photos/cats/", "one")
    put({"cats/x.jpg": b"x"})
    made.commit(message="two")
    return made


def test_versions_say_who_when_and_why(ds):
    ds.tag("good", "v1")
    first, second = ds.versions()
    assert (first.name, first.rows, first.message, first.tags) == ("v1", 10, "one", ("good",))
    assert (second.name, second.rows, second.message, second.tags) == ("v2", 11, "two", ())
    assert first.actor == "tester@here"
    assert first.created <= second.created
    assert first.digest == ds["v1"].digest != second.digest
    assert first.sources == second.sources == ("photos/cats/",)


def test_names_of_versions(ds):
    ds.tag("good", "v1")
    assert ds["good"].number == ds["v1"].number == ds[1].number == 1
    assert ds["latest"].number == ds.latest.number == 2


def test_tags(ds):
    ds.tag("good", "v1")
    ds.tag("good", "v1")
    with pytest.raises(AlreadyExists, match="points to v1"):
        ds.tag("good", "v2")
    ds.tag("good", "v2", move=True)
    assert ds["good"].number == 2
    ds.untag("good")
    with pytest.raises(NoSuchVersion):
        _ = ds["good"]
    with pytest.raises(NoSuchVersion):
        ds.untag("good")
    for name in ("latest", "v3", "a b", ""):
        with pytest.raises(InvalidName):
            ds.tag(name, "v1")
    with pytest.raises(NoSuchVersion):
        ds.tag("good", "v9")


def test_a_dropped_version_is_hidden_and_comes_back(ds):
    ds.tag("good", "v2")
    before = ds["v2"].ids()
    ds.drop("v2")
    assert ds.latest.number == 1
    assert [info.name for info in ds.versions()] == ["v1"]
    assert [(i.name, i.dropped, i.actor, i.message) for i in ds.versions(dropped=True)][1] == (
        "v2",
        True,
        "tester@here",
        "two",
    )
    for name in ("v2", "good"):
        with pytest.raises(NoSuchVersion, match="was dropped"):
            _ = ds[name]
    with pytest.raises(NoSuchVersion, match="was dropped"):
        ds.drop("v2")
    with pytest.raises(NoSuchVersion, match="was dropped"):
        ds.tag("other", "v2")
    assert ds.undrop("v2").ids() == before
    assert ds.latest.number == 2
    assert ds.undrop("v2").number == 2


def test_a_drop_keeps_who_made_the_version(ds, ns, catalog):
    from maruhub.catalog import Catalog
    from maruhub.namespace import Namespace

    created = ds.versions()[1].created
    other = Catalog(Namespace(ns.store, "somebody else")).dataset("cats")
    other.drop("v2")
    other.undrop("v2")
    info = ds.versions()[1]
    assert (info.actor, info.created) == ("tester@here", created)


def test_the_delay_of_a_drop_is_on_the_pool_clock(ds, store):
    ds.drop("v1", delay_s=2 * 86_400)
    payload = VersionRow.decode(get(store, b"Mcats\0\0\0\0\1"))
    left = payload.eradicate_us - store.pool_time_us()
    assert 2 * 86_400e6 - 60e6 < left <= 2 * 86_400e6
    with pytest.raises(Refused):
        ds.drop("v2", delay_s=10)
    with pytest.raises(Refused):
        ds.drop("v2", delay_s=float("nan"))


def test_numbers_are_never_used_again(ds, put):
    ds.drop("v2")
    put({"cats/y.jpg": b"y"})
    version = ds.commit()
    assert version.number == 3
    ds.drop("v3")
    ds.drop("v1")
    with pytest.raises(NoSuchVersion, match="every version"):
        _ = ds.latest
    assert ds.commit("photos/cats").number == 4


def test_diff(ns, ds, cats, put):
    ds.label(pa.table({"key": ["cats/01.jpg", "cats/02.jpg"], "n": [1, 2]}))
    put({"cats/03.jpg": b"other"})
    ns.objects.delete_many("photos", ["cats/04.jpg"])
    put({"cats/new.jpg": b"new"}, colour="red")
    ds.commit()
    ds.label(pa.table({"key": ["cats/02.jpg"], "n": [7]}))
    diff = ds.diff("v3")
    assert (diff.before, diff.after) == ("cats@v3", "cats@v5")
    assert diff.added.column("id").to_pylist() == ["photos/cats/new.jpg"]
    assert diff.removed.column("id").to_pylist() == ["photos/cats/04.jpg"]
    assert diff.changed.select(["id", "size_before", "size"]).to_pylist() == [
        {"id": "photos/cats/03.jpg", "size_before": 300, "size": 5}
    ]
    assert diff.columns.to_pylist() == [
        {"column": "colour", "change": "added", "rows": 10},
        {"column": "n", "change": "changed", "rows": 1},
    ]
    assert diff.summary() == {"added": 1, "removed": 1, "changed": 1, "columns": 2}
    back = ds.diff("v5", "v3")
    assert back.added.column("id").to_pylist() == ["photos/cats/04.jpg"]
    assert {row["change"] for row in back.columns.to_pylist()} == {"removed", "changed"}
    assert not ds.diff("v3", "v3")
    assert not ds.diff(ds["v3"].sort("size"), "v3")


def test_datasets_are_listed(catalog, ds):
    catalog.dataset("another").commit("photos/dogs")
    assert catalog.datasets() == ["another", "cats"]


def test_payloads_of_other_releases():
    future = b'\x01{"head":1,"latest":1,"split":null,"added_later":true}'
    row = Row(b"Dx", encode_row(future, counter=1, time_us=1))
    assert DatasetRow.decode(row) == DatasetRow(1, 1, more={"added_later": True})
    assert DatasetRow.decode(row).encode() == b'\x01{"added_later":true,"head":1,"latest":1,"split":null}'
    row = Row(b"Dx", encode_row(b"\x02whatever", counter=1, time_us=1))
    with pytest.raises(UnsupportedFormat):
        DatasetRow.decode(row)


def test_roots_that_cannot_be_read(ds):
    root = ds.latest.manifest.root
    encoded = root.encode()
    assert Root.decode(encoded) == root
    with pytest.raises(UnsupportedFormat):
        Root.decode(encoded.replace(b'"format":1', b'"format":9'))
    for bad in (b"", b"[]", b"{}", encoded[:-5], b"\xff"):
        with pytest.raises(Corrupt):
            Root.decode(bad)
