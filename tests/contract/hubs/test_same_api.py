"""What a hub in a folder has, one elsewhere has too: what is left out is named here, with its reason."""

from __future__ import annotations

import datetime
import inspect
from typing import Any

import pytest

from maruhub import errors
from maruhub.api.bucket import BucketView
from maruhub.api.hub import Hub
from maruhub.catalog import Dataset, Version, View
from maruhub.remote.bucket import RemoteBucket
from maruhub.remote.dataset import RemoteDataset
from maruhub.remote.hub import RemoteHub
from maruhub.remote.view import RemoteVersion, RemoteView

OF_THE_MACHINE = {"blades", "care", "reclaim", "check", "speed", "status", "users"}
"""Drives and keys are where the hub is."""
INNER = {
    *(
        "catalog",
        "lab",
        "open_version",
        "open_view",
        "save_view",
        "split_rule",
        "fixed_split",
        "home",
        "mapped",
    ),
    *("blobs", "columns", "positions", "root_hash"),
}
"""Seams between layers, which users have no need of."""


@pytest.mark.parametrize(
    ("local", "remote"),
    [
        (Hub, RemoteHub),
        (BucketView, RemoteBucket),
        (Dataset, RemoteDataset),
        (View, RemoteView),
        (Version, RemoteVersion),
    ],
)
def test_both_have_the_same_names(local: type, remote: type) -> None:
    missing = _public(local) - _public(remote)
    if local is Dataset:
        missing -= {"read_many"}  # what its views read with
    assert missing <= OF_THE_MACHINE | INNER
    for name in _public(local) & _public(remote):
        here, there = getattr(local, name), getattr(remote, name)
        if inspect.isfunction(here):
            names = [each for each in inspect.signature(here).parameters if each != "progress"]
            told = inspect.signature(there).parameters
            assert set(names) <= set(told) or any(each.kind is each.VAR_KEYWORD for each in told.values()), (
                name
            )


def _public(of: type) -> set[str]:
    return {name for name in dir(of) if not name.startswith("_")}


@pytest.fixture
def cats(served: Any, hub: Any) -> Any:
    served.local.bucket("photos").put_many({f"{i:02}.jpg": b"x" * i for i in range(20)})
    served.local.dataset("cats").commit("photos")
    return hub.dataset("cats")


def test_versions_are_compared(cats: Any, served: Any, tmp_path: Any) -> None:
    photos = served.local.bucket("photos")
    photos.put_many({"new.jpg": b"new", "01.jpg": b"other"})
    del photos["02.jpg"]
    cats.commit()
    (tmp_path / "labels.csv").write_text("key,label\n03.jpg,1\n")
    cats.label(tmp_path / "labels.csv", by="key")
    found = cats.diff("v1")
    assert (found.before, found.after) == ("cats@v1", "cats@v3")
    assert found.summary() == {"added": 1, "removed": 1, "changed": 1, "columns": 1}
    assert found.added.column("id").to_pylist() == ["photos/new.jpg"]
    assert found.columns.to_pylist() == [{"column": "label", "change": "added", "rows": 19}]
    assert not cats.diff("v1", "v1")
    assert cats.diff(cats["v1"].where("size > 3"), cats["v1"]).summary()["added"] == 4
    revisions = cats.label_sets()
    assert revisions == served.local.dataset("cats").label_sets()
    assert [(each.name, each.matched) for each in revisions] == [("labels", 1)]


def test_all_versions_are_hidden_and_brought_back(cats: Any) -> None:
    assert cats.drop_all() == ["v1"]
    assert (cats.drop_all(), cats.versions()) == ([], [])
    assert cats.undrop_all() == ["v1"]
    assert [info.number for info in cats.versions()] == [1]


def test_what_is_retained_stays(cats: Any, hub: Any) -> None:
    until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=3)
    assert abs(cats.retain("v1", until=until) - until) < datetime.timedelta(seconds=2)
    with pytest.raises(errors.Refused):
        cats.drop("v1")
    assert hub.bucket("photos").retain(for_s=3600) > datetime.datetime.now(datetime.UTC)
    for wrong in ({}, {"for_s": -1}, {"until": until, "for_s": 3}, {"until": until.replace(year=2001)}):
        with pytest.raises(errors.InvalidInput):
            cats.retain("v1", **wrong)
        with pytest.raises(errors.InvalidInput):
            hub.bucket("photos").retain(**wrong)
