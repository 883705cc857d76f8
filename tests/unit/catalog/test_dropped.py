"""What is left of a dataset all of whose versions were dropped, and how it goes on."""

from __future__ import annotations

import datetime
from dataclasses import replace

import pyarrow as pa
import pytest

from maruhub.catalog.row import VersionRow, version_key
from maruhub.errors import InvalidInput, NoSuchDataset, NoSuchVersion
from maruhub.store.protocol import get


@pytest.fixture
def ds(catalog, cats):
    """v1 of ten samples, v2 with labels of two of them."""
    made = catalog.dataset("cats")
    made.commit("photos/cats/", "one")
    made.label(pa.table({"key": ["cats/01.jpg", "cats/02.jpg"], "n": [1, 2]}))
    return made


def labels(version):
    table = version.table(["id", "n"])
    return dict(zip(*table.to_pydict().values(), strict=True))


def outlive(store, dataset, number):
    """Ends the delay of a dropped version, as a day's wait does."""
    key = version_key(dataset, number)
    row = get(store, key)
    payload = replace(VersionRow.decode(row), eradicate_us=1)
    store.commit(lambda rows: rows.put(key, payload.encode(), extents=row.extents))


def test_a_list_of_dropped_versions_says_how_long_each_stays(ds):
    now = datetime.datetime.now(datetime.UTC)
    ds.drop("v1")
    ds.drop("v2", delay_s=2 * 86_400)
    assert ds.versions() == []
    first, second = ds.versions(dropped=True)
    minute = datetime.timedelta(minutes=1)
    assert abs(first.restorable_until - now - datetime.timedelta(days=1)) < minute
    assert abs(second.restorable_until - now - datetime.timedelta(days=2)) < minute
    ds.undrop("v1")
    assert [info.restorable_until is None for info in ds.versions(dropped=True)] == [True, False]
    assert (ds.info("v2").dropped, ds.info(1).dropped, ds.info().name) == (True, False, "v1")


def test_all_versions_are_dropped_and_brought_back_at_once(ds, catalog):
    ds.drop("v1")
    assert ds.drop_all() == ["v2"]
    assert ds.drop_all() == []
    with pytest.raises(NoSuchVersion, match="every version") as told:
        _ = ds.latest
    assert "maru drop cats --all --undo" in told.value.hint
    assert "undrop_all" in told.value.python_hint
    assert ds.undrop_all() == ["v1", "v2"]
    assert ds.undrop_all() == []
    assert ds.latest.number == 2
    assert labels(ds.latest)["photos/cats/01.jpg"] == 1
    for change in (catalog.dataset("none").drop_all, catalog.dataset("none").undrop_all):
        with pytest.raises(NoSuchDataset):
            change()


def test_a_commit_after_all_were_dropped_keeps_labels_and_sources(ds, put):
    before = labels(ds.latest)
    ds.drop_all()
    put({"cats/x.jpg": b"x"})
    version = ds.commit()
    assert (version.number, version.is_new, version.info.dropped) == (3, True, False)
    assert labels(version) == {**before, "photos/cats/x.jpg": None}
    assert [info.name for info in ds.versions()] == ["v3"]
    assert ds.undrop_all() == ["v1", "v2"]
    assert ds.latest.number == 3


def test_a_commit_of_the_same_samples_is_a_version_of_its_own(ds, catalog):
    kept = ds.latest.sample(3).save().digest
    whole = ds.latest.save().digest
    ds.drop_all()
    version = ds.commit("photos/cats/")
    assert (version.name, version.is_new, version.digest) == ("v3", True, whole)
    assert not ds.commit().is_new
    with pytest.raises(NoSuchVersion, match="was dropped"):
        catalog.view(kept)
    version.save()
    version.sample(3).save()
    assert catalog.view(whole).number == 3
    assert catalog.view(kept).version_name == "v3"


def test_a_version_past_its_delay_is_not_gone_on_from(ds, store):
    ds.drop_all()
    outlive(store, "cats", 2)
    assert ds.commit().column_names == ds["v3"].column_names
    assert "n" not in ds["v3"].column_names
    ds.drop_all()
    for number in (1, 2, 3):
        outlive(store, "cats", number)
    with pytest.raises(InvalidInput, match="no version yet"):
        ds.commit()
    assert "n" not in ds.commit("photos/cats").column_names


def test_a_delay_that_ends_while_a_commit_is_made_starts_it_again(ds, store, monkeypatch):
    ds.drop_all()
    line = type(ds._line)
    basis = line.basis

    def slow(self, seen):
        found = basis(self, seen)
        for number in (1, 2):
            outlive(store, "cats", number)
        return found

    monkeypatch.setattr(line, "basis", slow)
    assert "n" not in ds.commit("photos/cats/").column_names


def test_revisions_of_labels_are_never_numbered_twice(ds):
    ds.drop("v2")
    ds.label(pa.table({"key": ["cats/03.jpg"], "n": [3]}))
    assert [(r.name, r.revision, r.version) for r in ds.label_sets()] == [("labels", 1, 2), ("labels", 2, 3)]


@pytest.mark.parametrize("wrong", ["photos/none/", "photos/none*", "photos/cats/none"])
def test_a_source_that_holds_nothing_is_named(ds, put, wrong):
    put({"cats/x.jpg": b"x"})
    with pytest.raises(InvalidInput, match=r"nothing below photos/(none|cats/none)"):
        ds.commit(["photos/cats/", wrong])
    assert ds.latest.number == 2
    assert len(ds.commit(["photos/cats/", wrong], allow_empty=True)) == 11
    with pytest.raises(InvalidInput, match="no source"):
        ds.commit([])


def test_a_source_of_the_version_before_may_be_empty_by_now(catalog, ns, cats):
    ds = catalog.dataset("both")
    assert len(ds.commit(["photos/cats/", "photos/dogs/"])) == 11
    ns.objects.delete_many("photos", ["dogs/1.jpg"])
    assert len(ds.commit()) == 10


def test_hints_serve_the_command_line_and_python(ds):
    from maruhub.errors import Refused

    ds.latest.split("train")
    with pytest.raises(Refused) as told:
        ds.latest.split("train", (0.5, 0.2, 0.3))
    assert "--group" in told.value.hint
    assert "replace=True" in told.value.python_hint
    with pytest.raises(InvalidInput) as told:
        ds.label(pa.table({"key": ["cats/01.jpg"], "n": [5]}), name="other")
    assert "--name labels" in told.value.hint
    assert "name='labels'" in told.value.python_hint
