"""An argument of the wrong kind is one InvalidInput that names it, at every method."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import maruhub
from maruhub import errors

Call = Callable[["Door", Any], object]


class Door:
    """A hub with a bucket, a dataset, a view and a run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.hub = maruhub.create(path / "hub")
        self.photos = self.hub.bucket("photos")
        self.photos.put_many({f"{i}.jpg": b"x" * i for i in range(20)})
        self.pets = self.hub.dataset("pets")
        self.view = self.pets.commit("photos")
        self.run = self.hub.run(self.view, name="a")
        self.labels = pa.table({"key": ["1.jpg"], "a": ["b"]})


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    made = Door(tmp_path_factory.mktemp("arguments"))
    yield made
    made.hub.close()


THING = object()
NOT_TEXT = (5, 1.5, b"x", None, [1], THING, True)
NOT_WHOLE = ("a", 1.5, b"x", [1], THING, True)

CALLS: dict[str, tuple[Call, tuple[object, ...], str]] = {
    "key": (lambda d, w: d.photos[w], NOT_TEXT, "a key"),
    "get": (lambda d, w: d.photos.get(w), NOT_TEXT, "a key"),
    "set": (lambda d, w: d.photos.put(w, b""), NOT_TEXT, "a key"),
    "bytes": (lambda d, w: d.photos.put("k", w), (5, "text", None), "bytes or an open"),
    "delete": (lambda d, w: d.photos.__delitem__(w), NOT_TEXT, "a key"),
    "get_many": (lambda d, w: d.photos.get_many(w), (5, "1.jpg", None, [5]), "keys"),
    "read_many": (lambda d, w: d.photos.read_many(w), (5, "1.jpg", None, [5]), "keys"),
    "delete_many": (lambda d, w: d.photos.delete_many(w), (5, "1.jpg", None, [5]), "keys"),
    "list": (lambda d, w: d.photos.list(w), NOT_TEXT, "prefix"),
    "place": (lambda d, w: d.photos.list()[w], NOT_WHOLE, "a place"),
    "folders": (lambda d, w: list(d.photos.folders(w)), NOT_TEXT, "prefix"),
    "delimiter": (lambda d, w: list(d.photos.folders(delimiter=w)), (5, None), "delimiter"),
    "pieces": (lambda d, w: list(d.photos.pieces(w)), (5, None, b"x"), "item"),
    "metadata": (lambda d, w: d.photos.put("k", b"", metadata=w), (5, "x", [1]), "metadata"),
    "put_many": (lambda d, w: d.photos.put_many(w), (5, "xyz", [1], None), "items"),
    "put_items": (lambda d, w: d.photos.put_items(w), (5, "xyz", [1], None), "items"),
    "stat": (lambda d, w: d.photos.stat(w), NOT_TEXT, "a key"),
    "copy": (lambda d, w: d.photos.copy("1.jpg", w), NOT_TEXT, "a key"),
    "copy_to": (lambda d, w: d.photos.copy("1.jpg", "k", bucket=w), (5, b"x"), "bucket"),
    "copy_all": (lambda d, w: d.photos.copy_all("1", w), NOT_TEXT, "to must"),
    "undelete": (lambda d, w: d.photos.undelete("1.jpg", w), (5, b"x"), "version_id"),
    "history": (lambda d, w: d.photos.history(w), NOT_TEXT, "a key"),
    "bucket": (lambda d, w: d.hub.bucket(w), NOT_TEXT, "a bucket's name"),
    "ingest": (lambda d, w: d.hub.ingest(w, "photos"), (5, None, [1]), "source"),
    "into": (lambda d, w: d.hub.ingest(d.path, w), NOT_TEXT, "into"),
    "option": (lambda d, w: d.hub.ingest(d.path, "photos", **w), ({"worker": 2},), "no option 'worker'"),
    "dataset": (lambda d, w: d.hub.dataset(w), NOT_TEXT, "a dataset's name"),
    "address": (lambda d, w: d.hub.version(w), NOT_TEXT, "address"),
    "view": (lambda d, w: d.hub.view(w), NOT_TEXT, "digest"),
    "sql": (lambda d, w: d.hub.sql(w), NOT_TEXT, "a query"),
    "of": (lambda d, w: d.hub.batches(w, 4), (5, "pets", None), "view"),
    "run": (lambda d, w: d.hub.run(w, name="x"), (5, "pets", None), "view"),
    "run_name": (lambda d, w: d.hub.run(d.view, name=w), NOT_TEXT, "name"),
    "parameters": (lambda d, w: d.hub.run(d.view, name="x", parameters=w), (5, "x", [1]), "parameters"),
    "run_seed": (lambda d, w: d.hub.run(d.view, name="x", seed=w), NOT_WHOLE, "seed"),
    "parents": (lambda d, w: d.hub.run(d.view, name="x", parents=w), (5, "x", None), "parents"),
    "evaluate": (lambda d, w: d.hub.evaluate(w, d.view, {"a": 1}), (5, None, [1]), "run"),
    "metrics": (lambda d, w: d.hub.evaluate(d.run, d.view, w), (5, "x", None), "metrics"),
    "commit": (lambda d, w: d.pets.commit(w), (5, [5], THING), "source"),
    "message": (lambda d, w: d.pets.commit("photos", w), (5, None, b"x"), "message"),
    "progress": (lambda d, w: d.pets.commit("photos", progress=w), (5, "x"), "progress"),
    "label": (lambda d, w: d.pets.label(w), (5, b"x", None, [1]), "labels"),
    "label_set": (lambda d, w: d.pets.label(d.labels, name=w), NOT_TEXT, "a label set's name"),
    "by": (lambda d, w: d.pets.label(d.labels, by=w), (5, "x"), "joined by"),
    "types": (lambda d, w: d.pets.label(d.labels, types=w), (5, "x", [1]), "types"),
    "type": (lambda d, w: d.pets.label(d.labels, types={"a": w}), (5, "x", [1]), "not a type"),
    "rename": (lambda d, w: d.pets.label(d.labels, rename={"a": w}), (5, [1], None), "rename"),
    "version": (lambda d, w: d.pets[w], (1.5, b"x", None, [1], True), "a version"),
    "tag": (lambda d, w: d.pets.tag(w, "v1"), NOT_TEXT, "a tag's name"),
    "drop": (lambda d, w: d.pets.drop(w), (1.5, None, True), "a version"),
    "delay": (lambda d, w: d.pets.drop("v1", delay_s=w), ("a", None, True), "delay_s"),
    "diff": (lambda d, w: d.pets.diff(w), (1.5, None), "a version"),
    "fractions": (lambda d, w: d.pets.set_split(w), (5, "x", ["a"] * 3), "fractions"),
    "group": (lambda d, w: d.view.split("train", group=w), (5, [1]), "a column"),
    "columns": (lambda d, w: d.view.table(w), (5, "id", [5]), "columns"),
    "ids": (lambda d, w: d.view.ids(w), (5, "x", [1.5], [True], [[1], [1, 2]], [None]), "rows"),
    "blobs": (lambda d, w: d.view.blobs(w), (5, "x", [1.5]), "rows"),
    "select": (lambda d, w: d.view.select(w), (5, "x", np.ones(20, bool)), "rows"),
    "where": (lambda d, w: d.view.where(w), NOT_TEXT, "an expression"),
    "sample": (lambda d, w: d.view.sample(w), NOT_WHOLE, "n must"),
    "sample_seed": (lambda d, w: d.view.sample(2, w), NOT_WHOLE, "seed"),
    "sort": (lambda d, w: d.view.sort(w), NOT_TEXT, "a column"),
    "split": (lambda d, w: d.view.split(w), NOT_TEXT, "a split"),
    "batch_size": (lambda d, w: d.view.batches(w), (*NOT_WHOLE, 0, -1, None), "batch_size"),
    "seed": (lambda d, w: d.view.batches(4, seed=w), (*NOT_WHOLE, -1, 1 << 64, None), "seed"),
    "rank": (lambda d, w: d.view.batches(4, rank=w, world=2), (*NOT_WHOLE, -1, 2, None), "rank"),
    "world": (lambda d, w: d.view.batches(4, world=w), (*NOT_WHOLE, 0, -1, None), "world"),
    "epochs": (lambda d, w: d.view.batches(4, epochs=w), (*NOT_WHOLE, 0, -1), "epochs"),
    "prefetch": (lambda d, w: d.view.batches(4, prefetch=w), (*NOT_WHOLE, -1, None), "prefetch"),
    "shuffle": (lambda d, w: d.view.batches(4, shuffle=w), ("no", None, 0), "shuffle"),
    "verify": (lambda d, w: d.view.batches(4, verify=w), ("no", None, 0), "verify"),
    "on_error": (lambda d, w: d.view.batches(4, on_error=w), ("no", None, 0), "on_error"),
    "recorder": (lambda d, w: d.view.batches(4, recorder=w), ("no", 5), "recorder"),
    "window": (lambda d, w: d.view.batches(4, window=w), ("no", 5), "window"),
    "of_run": (lambda d, w: d.view.batches(4, run=w), (1.5, 5), "run"),
    "unknown": (lambda d, w: d.view.batches(4, **w), ({"sed": 1},), "no option 'sed'"),
    "state": (lambda d, w: d.view.batches(4).load_state_dict(w), (5, "x", None, {}), "state"),
    "connect": (lambda d, w: maruhub.connect(w), (5, b"x", None, [1]), "path"),
    "actor": (lambda d, w: maruhub.connect(d.path / "hub", actor=w), (5, b"x"), "actor"),
    "create": (lambda d, w: maruhub.create(w), (5, b"x", None, [1]), "path"),
    "blades": (lambda d, w: maruhub.create(d.path / "new", blades=w), (1.5, "x", [1], 0, True), "blades"),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_wrong_argument_is_named(door: Door, name: str) -> None:
    call, values, named = CALLS[name]
    before = len(door.photos), [info.name for info in door.pets.versions()]
    for value in values:
        with pytest.raises(errors.InvalidInput) as told:
            call(door, value)
        assert named in told.value.what, value
        assert len(told.value.what) < 200
    assert (len(door.photos), [info.name for info in door.pets.versions()]) == before


def test_whole_numbers_of_numpy_are_whole_numbers(door: Door) -> None:
    batches = door.view.batches(np.int64(4), seed=np.uint32(3), rank=np.int8(0), world=np.int16(1))
    assert len(next(iter(batches))) == 4
    assert len(door.view.sample(np.int32(3), seed=np.int64(1))) == 3
    assert door.view.ids(np.array([3], dtype=np.uint8)) == door.view.ids([3])


def test_what_is_not_there_is_shown_by_the_name_in_the_reference(door: Door) -> None:
    with pytest.raises(KeyError) as missing:
        door.photos["none"]
    with pytest.raises(KeyError) as nowhere:
        door.hub.bucket("nothing-yet")["none"]
    assert [type(told.value).__name__ for told in (missing, nowhere)] == ["NoSuchKey", "NoSuchBucket"]
    assert isinstance(missing.value, errors.NoSuchKey)
    assert str(missing.value).startswith("maru://photos/none does not exist")
    again = pickle.loads(pickle.dumps(missing.value))
    assert (type(again), str(again)) == (type(missing.value), str(missing.value))
    assert door.photos.get("none") is None
    assert 5 not in door.photos
