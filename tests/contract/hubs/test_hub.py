"""What a hub does, wherever it is: the same suite over a local and a remote one."""

from __future__ import annotations

import io
import json
import multiprocessing
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from maruhub import errors
from maruhub.loaders import orders
from maruhub.namespace import PutItem

DATA = {f"{i:03}.jpg": f"bytes {i} ".encode() * (i % 9) for i in range(60)}


@pytest.fixture
def photos(hub: Any) -> Any:
    bucket = hub.bucket("photos")
    bucket.put_many(DATA)
    return bucket


def test_a_bucket_is_a_mapping(photos: Any) -> None:
    photos["new"] = b"fresh"
    assert photos["new"] == b"fresh"
    assert isinstance(photos["new"], memoryview)
    assert photos["new"].readonly
    assert ("new" in photos, "old" in photos, 3 in photos) == (True, False, False)
    assert len(photos) == 61
    assert list(photos) == sorted([*DATA, "new"])
    del photos["new"]
    assert "new" not in photos
    for act in (lambda: photos["new"], lambda: photos.__delitem__("new"), lambda: photos.stat("new")):
        with pytest.raises(errors.NoSuchKey, match="maru://photos/new"):
            act()
    with pytest.raises(KeyError):
        photos["new"]
    assert photos.get("new") is None


def test_a_bucket_is_made_by_the_first_put(hub: Any) -> None:
    fresh = hub.bucket("fresh")
    assert "x" not in fresh
    with pytest.raises(KeyError):
        fresh["x"]
    with pytest.raises(errors.NoSuchBucket):
        fresh.read_many(["x"])
    fresh["x"] = b""
    assert fresh["x"] == b""
    assert [bucket.name for bucket in hub.buckets()] == ["fresh"]


def test_many_are_read_at_once_and_a_bad_one_spares_the_others(photos: Any) -> None:
    keys = [*list(DATA)[::-1], "gone", "", "001.jpg"]
    found = photos.read_many(keys)
    assert [type(found[i]) for i in (60, 61)] != [memoryview, memoryview]
    assert isinstance(found[60], errors.NoSuchKey)
    assert isinstance(found[61], errors.InvalidName)
    assert [bytes(each) for each in found[:60]] == [DATA[key] for key in keys[:60]]
    assert photos.get_many(["001.jpg"]) == [DATA["001.jpg"]]
    with pytest.raises(KeyError, match="gone"):
        photos.get_many(["001.jpg", "gone"])
    assert photos.read_many([]) == photos.get_many([]) == []


def test_an_object_says_what_it_is(photos: Any) -> None:
    put = photos.put("a", b"abc", content_type="text/plain", metadata={"who": "mé"}, mtime_ns=-7)
    info = photos.stat("a")
    assert (info.bucket, info.key, info.size, info.etag) == (
        "photos",
        "a",
        3,
        "900150983cd24fb0d6963f7d28e17f72",
    )
    assert (info.content_type, info.metadata, info.mtime_ns) == ("text/plain", {"who": "mé"}, -7)
    assert info.sha256.hex().startswith("ba7816bf")
    assert (info.version_id, info.created_us) == (put.version_id, put.created_us)
    assert [each.key for each in photos.list("00")] == [f"00{i}.jpg" for i in range(10)]
    assert photos.list()[-1].key == "a"


def test_conditions_hold(photos: Any) -> None:
    first = photos.put("a", b"1", if_none_match=True)
    with pytest.raises(errors.PreconditionFailed):
        photos.put("a", b"2", if_none_match=True)
    with pytest.raises(errors.PreconditionFailed):
        photos.put("a", b"2", if_match="0" * 32)
    photos.put("a", b"2", if_match=first.etag)
    with pytest.raises(errors.PreconditionFailed):
        photos.put_items([PutItem("b", b"3"), PutItem("a", b"4", if_none_match=True)])
    assert photos["a"] == b"2"
    assert "b" not in photos


@pytest.mark.parametrize("size", [(1 << 20) - 1, 1 << 20, (5 << 20) + 3])
def test_a_large_object_goes_in_and_out(photos: Any, size: int) -> None:
    data = np.random.default_rng(size).bytes(size)
    photos.put("large", io.BytesIO(data))
    assert photos["large"] == data
    pieces = list(photos.pieces("large"))
    assert b"".join(pieces) == data
    assert max(map(len, pieces)) <= 1 << 20
    assert list(photos.pieces(photos.stat("large"))) == pieces
    ranges = [
        (0, 5),
        (7, None),
        (1 << 20, 1),
        ((1 << 20) - 3, 9),
        (len(data) - 4, 99),
        (len(data), None),
        (3, 0),
    ]
    for offset, length in ranges:
        stop = None if length is None else offset + length
        read = b"".join(photos.pieces("large", offset=offset, length=length))
        assert read == data[offset:stop], (offset, length)
    with pytest.raises(errors.InvalidInput, match="offset"):
        photos.pieces("large", offset=-1)


def test_folders_copies_deletes_and_the_past(photos: Any, hub: Any) -> None:
    photos.put_many({"a/1": b"1", "a/2": b"2", "b": b"3"})
    assert list(photos.folders("a/")) == [photos.stat("a/1"), photos.stat("a/2")]
    assert [each if isinstance(each, str) else each.key for each in photos.folders()][-2:] == ["a/", "b"]
    assert photos.copy("b", "c", bucket="other").key == "c"
    assert photos.copy_all("a/", "x/") == 2
    assert hub.bucket("other")["c"] == b"3"
    assert photos["x/2"] == b"2"
    assert photos.delete_many(["b", "gone"]) == [True, False]
    assert photos.undelete("b").key == "b"
    assert [event.what for event in photos.history("b")][:1] == ["put"]


def test_wrong_arguments_are_named(photos: Any, hub: Any) -> None:
    for act in (
        lambda: photos[3],
        lambda: photos.put("a", "text"),
        lambda: photos.put_many(["a"]),
        lambda: photos.put_items(None),
        lambda: photos.get_many("abc"),
        lambda: photos.pieces(3),
        lambda: photos.put_many({"": b"1"}),
        lambda: hub.bucket("BAD NAME").put("a", b"1"),
        lambda: hub.dataset("../x"),
        lambda: hub.view("no digest"),
        lambda: hub.batches(3, 4),
    ):
        with pytest.raises(errors.InvalidInput):
            act()


@pytest.fixture
def version(hub: Any, photos: Any) -> Any:
    cats = hub.dataset("cats")
    ids = cats.commit("photos", "first").ids()
    report = cats.label(pa.table({"id": ids, "label": [i % 3 for i in range(60)]}), message="labels")
    assert (report.matched, report.unmatched) == (60, [])
    return report.version


def test_a_dataset_has_versions(hub: Any, version: Any, photos: Any) -> None:
    cats = hub.dataset("cats")
    assert not hub.dataset("dogs").exists
    assert cats.exists
    assert [each.name for each in hub.datasets()] == ["cats"]
    assert [info.name for info in cats.versions()] == ["v1", "v2"]
    assert (version.name, version.number, version.message, len(version)) == ("v2", 2, "labels", 60)
    assert cats.commit("photos").is_new is False
    photos["060.jpg"] = b"later"
    third = cats.commit()
    assert (third.is_new, third.name, len(third)) == (True, "v3", 61)
    cats.tag("golden", "v2")
    with pytest.raises(errors.AlreadyExists):
        cats.tag("golden", "v3")
    assert cats["golden"].digest == cats["v2"].digest == cats[2].digest == hub.version("cats@v2").digest
    assert cats.latest.digest == hub.version("cats").digest == third.digest
    assert cats.info("v2").tags == ("golden",)
    cats.untag("golden")
    cats.drop("v3")
    assert cats.latest.name == "v2"
    assert cats.info("v3").restorable_until is not None
    assert [info.name for info in cats.versions(dropped=True)] == ["v1", "v2", "v3"]
    with pytest.raises(errors.NoSuchVersion):
        cats["v3"]
    assert cats.undrop("v3").name == "v3"
    with pytest.raises(errors.NoSuchVersion):
        cats["v9"]
    with pytest.raises(errors.NoSuchDataset):
        _ = hub.dataset("dogs").latest
    with pytest.raises(errors.InvalidInput):
        cats.commit("photos/none/")


def test_views_are_narrowed(hub: Any, version: Any) -> None:
    assert version.column_names[-1] == "label"
    ones = version.where("label = 1").sort("size", descending=True)
    assert len(ones) == 20
    table = ones.table(["id", "size", "label"])
    assert table.column_names == ["id", "size", "label"]
    assert set(table.column("label").to_pylist()) == {1}
    assert ones.ids([2, 0]) == [table.column("id")[2].as_py(), table.column("id")[0].as_py()]
    assert ones.sizes().tolist() == table.column("size").to_pylist()
    assert ones.sha256([0]).shape == (1, 32)
    assert len(version.sample(7, 3)) == 7
    assert version.sample(7, 3).digest == version.sample(7, seed=3).digest
    assert version.select(range(60)).digest == version.digest
    splits = [version.split(name) for name in ("train", "validation", "test")]
    assert sum(map(len, splits)) == 60
    assert splits[0].is_split == "train"
    with pytest.raises(errors.Refused):
        version.split("train", (0.5, 0.25, 0.25))
    with pytest.raises(errors.InvalidInput):
        version.where("nonsense ((")
    assert hub.view(ones.save().digest).ids() == ones.ids()
    assert hub.sql("SELECT count(*) AS n FROM cats").column("n").to_pylist() == [60]


def test_rows_are_read_in_any_order(version: Any) -> None:
    view = version.where("label = 1")
    rows = [5, 0, 5, 3]
    assert [f"photos/{key}" for key in DATA if f"photos/{key}" in view.ids(rows)] == sorted(
        set(view.ids(rows))
    )
    assert view.read_many(np.array(rows)) == [DATA[name.removeprefix("photos/")] for name in view.ids(rows)]
    assert view.columns(rows).to_pylist() == [{"label": 1}] * 4
    assert (view.read_many([]), view.columns([]).num_rows) == ([], 0)
    assert len(view.read_many()) == len(view)
    with pytest.raises(errors.InvalidInput):
        view.read_many([len(view)])


def state(batches: Any) -> Any:
    return json.loads(json.dumps(batches.state_dict()))


def flat(batches: Any) -> list[tuple[Any, ...]]:
    return [
        (
            batch.epoch,
            batch.step,
            batch.ids,
            list(map(bytes, batch.blobs)),
            batch.columns,
            batch.positions.tolist(),
        )
        for batch in batches
    ]


@pytest.mark.parametrize("prefetch", [0, 1 << 20])
def test_batches_are_those_of_a_local_hub(hub: Any, version: Any, served: Any, prefetch: int) -> None:
    chosen: list[dict[str, Any]] = [
        {},
        {"rank": 1, "world": 3},
        {"epochs": 2},
        {"shuffle": False},
        {"order": orders.Blocks(rows=3, window=2), "samples_per_epoch": 25, "epochs": 2},
        {"order": orders.Balanced("label"), "rank": 1, "world": 2, "remainder": "pad"},
        {"order": orders.Curriculum("size", stages=3), "world": 2, "remainder": "drop"},
        {"order": orders.Weighted("size"), "epochs": 2},
    ]
    for options in chosen:
        here = served.local.version("cats@v2").where("label < 2").batches(7, seed=5, **options)
        there = version.where("label < 2").batches(7, seed=5, prefetch=prefetch, **options)
        assert len(there) == len(here)
        assert flat(there) == flat(here)
        assert state(there) == state(here)
        assert flat(there) == flat(here), "the next epoch"


def test_a_state_goes_on_anywhere(hub: Any, version: Any, served: Any) -> None:
    whole = flat(served.local.version("cats@v2").batches(7, seed=5))
    seen = [each for batch in whole for each in batch[2]]
    for stop in range(len(whole)):
        first = served.local.version("cats@v2").batches(7, seed=5)
        begun = [each for _ in range(stop) for each in next(first).ids]
        saved = state(first)
        first.close()
        ranks = [version.batches(4, seed=5, rank=rank, world=2) for rank in range(2)]
        for rank in ranks:
            rank.load_state_dict(saved)
        rest = [sample for rank in ranks for batch in rank for sample in batch.ids]
        assert sorted(begun + rest) == sorted(seen)
    with pytest.raises(errors.StateMismatch):
        version.where("label = 1").batches(7, seed=5).load_state_dict(saved)


def test_an_unreadable_sample_is_raised_or_skipped(
    hub: Any, version: Any, served: Any, tmp_path: Path
) -> None:
    for log in tmp_path.rglob("*.log"):
        raw = bytearray(log.read_bytes())
        at = raw.find(DATA["005.jpg"])
        if at >= 0:
            raw[at : at + 4] = b"rott"
            log.write_bytes(raw)
    batches = version.batches(8, seed=1, on_error="skip")
    ids = [each for batch in batches for each in batch.ids]
    assert len(ids) == 59
    assert [each.id for each in batches.skipped] == ["photos/005.jpg"]
    assert batches.stats().skipped == 1
    with pytest.raises(errors.Corrupt, match=r"photos/005\.jpg"):
        flat(version.batches(8, seed=1))
    row = version.ids().index("photos/005.jpg")
    assert hub.bucket("photos").read_many(["005.jpg", "004.jpg"])[1] == DATA["004.jpg"]
    assert row == 5


def _ids(batches: Any) -> list[list[str]]:
    return [batch.ids for batch in batches]


def test_batches_go_to_another_process(hub: Any, version: Any) -> None:
    batches = version.batches(8, seed=1)
    expected = _ids(version.batches(8, seed=1))
    next(batches)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(_ids, [batches]) == expected[1:]


def test_items_may_come_one_by_one(hub: Any) -> None:
    photos = hub.bucket("photos")
    made = photos.put_items(PutItem(key, key.encode()) for key in ("a", "b"))
    assert [info.key for info in made] == ["a", "b"] == sorted(photos)
    assert photos.put_items(iter(())) == []
