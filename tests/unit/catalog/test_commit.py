"""Committing: what a version names, and what the next one shares with it."""

from __future__ import annotations

import hashlib
import threading

import numpy as np
import pytest

from maruhub.catalog import commit as commit_module
from maruhub.catalog.manifests import fragment
from maruhub.catalog.source import Source, parse_sources
from maruhub.errors import InvalidInput, InvalidName, NoSuchBucket, NoSuchDataset, NoSuchVersion
from maruhub.store.format.extent import Blobs
from maruhub.store.protocol import scan_all


def contents(store, view):
    return dict(zip(view.ids(), map(bytes, store.read_many(view.blobs())), strict=True))


def test_a_version_names_the_exact_bytes(store, catalog, cats):
    version = catalog.dataset("cats").commit("photos/cats/", "first")
    assert contents(store, version) == {f"photos/{key}": data for key, data in cats.items()}
    assert version.name == "v1"
    assert version.is_new
    assert version.message == "first"
    assert version.actor == "tester@here"
    digests = [hashlib.sha256(data).digest() for data in cats.values()]
    assert [bytes(row) for row in version.sha256()] == digests
    assert version.sizes().tolist() == [len(data) for data in cats.values()]


def test_a_version_keeps_naming_them_after_the_bucket_changed(store, ns, catalog, cats):
    version = catalog.dataset("cats").commit("photos/cats/")
    before = contents(store, version)
    ns.objects.put("photos", "cats/01.jpg", b"other")
    ns.objects.delete_many("photos", ["cats/02.jpg"])
    assert contents(store, catalog.dataset("cats")["v1"]) == before


def test_nothing_changed_is_the_same_version(catalog, cats):
    ds = catalog.dataset("cats")
    first = ds.commit("photos/cats/")
    again = ds.commit("photos/cats/", "again")
    assert again.number == 1
    assert not again.is_new
    assert again.digest == first.digest
    assert len(ds.versions()) == 1


def test_new_changed_and_gone_samples(store, ns, catalog, cats, put):
    ds = catalog.dataset("cats")
    ds.commit("photos/cats/")
    put({"cats/new.jpg": b"new"})
    put({"cats/03.jpg": b"changed"})
    ns.objects.delete_many("photos", ["cats/05.jpg"])
    version = ds.commit()
    expected = {f"photos/{key}": data for key, data in cats.items()}
    expected |= {"photos/cats/03.jpg": b"changed", "photos/cats/new.jpg": b"new"}
    del expected["photos/cats/05.jpg"]
    assert contents(store, version) == expected
    assert len(version) == 10
    # In order of arrival: the changed one came last.
    assert version.ids()[-2:] == ["photos/cats/new.jpg", "photos/cats/03.jpg"]
    assert "photos/cats/05.jpg" in ds["v1"].ids()


def test_a_deleted_and_restored_object_is_the_same_sample(store, ns, catalog, cats):
    ds = catalog.dataset("cats")
    first = ds.commit("photos/cats/")
    ns.objects.delete_many("photos", ["cats/05.jpg"])
    second = ds.commit()
    ns.past.undelete("photos", "cats/05.jpg")
    third = ds.commit()
    assert len(second) == 9
    assert contents(store, third) == contents(store, first)


def test_a_restored_object_keeps_its_content_and_arrives_again(ns, catalog, cats):
    ds = catalog.dataset("cats")
    ds.commit("photos/cats/")
    ns.objects.delete_many("photos", ["cats/05.jpg"])
    ns.past.undelete("photos", "cats/05.jpg")
    version = ds.commit()
    assert version.ids()[-1] == "photos/cats/05.jpg"
    assert not ds.diff("v1", "v2")


def test_order_is_arrival_not_name(catalog, put):
    put({"x/b": b"1"})
    put({"x/a": b"2"})
    put({"x/c": b"3", "x/0": b"4"})
    version = catalog.dataset("d").commit("photos/x/")
    assert version.ids() == ["photos/x/b", "photos/x/a", "photos/x/0", "photos/x/c"]


def test_metadata_becomes_columns(catalog, put):
    put({"x/1": b"1"}, label="cat")
    put({"x/2": b"2"}, label="dog", size="huge")
    put({"x/3": b"3"})
    version = catalog.dataset("d").commit("photos/x/")
    table = version.table(["id", "label", "user_size"]).to_pydict()
    assert table["label"] == ["cat", "dog", None]
    assert table["user_size"] == [None, "huge", None]
    assert version.columns([2, 0]).column("label").to_pylist() == [None, "cat"]


def test_a_metadata_column_that_appears_later(catalog, put):
    ds = catalog.dataset("d")
    put({f"x/{i}": b"1" for i in range(5)})
    assert ds.commit("photos/x/").columns().num_columns == 0
    put({"x/9": b"2"}, label="cat")
    ds.commit()
    put({"x/8": b"2"}, Label="dog", **{"\n": "line"})
    version = ds.commit()
    assert version.columns().to_pydict() == {
        "label": [None] * 5 + ["cat", None],
        "_": [None] * 6 + ["line"],
        "user_Label": [None] * 6 + ["dog"],
    }
    put({"x/7": b"2"}, Label="fox", label="ant")
    assert ds.commit().columns([7]).to_pylist() == [{"label": "ant", "_": None, "user_Label": "fox"}]


def test_too_many_metadata_keys_are_refused(catalog, put, monkeypatch):
    monkeypatch.setattr("maruhub.catalog.arrival.ATTRIBUTES_MAX", 3)
    put({"x/1": b"1"}, a="1", b="2", c="3", d="4")
    with pytest.raises(InvalidInput, match="4 different metadata keys"):
        catalog.dataset("d").commit("photos/x/")
    assert not catalog.dataset("d").exists


def test_unchanged_fragments_are_shared_and_small_ones_merged(store, catalog, put, monkeypatch):
    monkeypatch.setattr("maruhub.catalog.manifests.draft.FRAGMENT_ROWS", 8)
    ds = catalog.dataset("d")
    put({f"x/{i:03}": bytes([i]) for i in range(20)})
    first = ds.commit("photos/x/").manifest.root.base.pieces
    assert [piece.rows for piece in first] == [8, 8, 4]
    for i in range(20, 30):
        put({f"x/{i:03}": bytes([i])})
        version = ds.commit()
    pieces = version.manifest.root.base.pieces
    assert pieces[:2] == first[:2]
    assert len(pieces) < 8
    assert [key[-3:] for key in version.ids()] == [f"{i:03}" for i in range(30)]
    assert [bytes(b) for b in store.read_many(version.blobs())] == [bytes([i]) for i in range(30)]


def test_a_fragment_names_the_segments_it_points_into(store, catalog, cats):
    version = catalog.dataset("cats").commit("photos/cats/")
    segments = set(version.blobs().extents["segment"].tolist())
    rows = list(scan_all(store, b"F", b"G"))
    assert segments
    assert {segment for row in rows for segment in row.segments} == segments


def test_mostly_removed_rows_are_laid_out_afresh(store, ns, catalog, monkeypatch, put):
    monkeypatch.setattr(commit_module, "_REPACK_ROWS", 3)
    ds = catalog.dataset("d")
    put({f"x/{i}": bytes([i]) for i in range(9)}, label="a")
    ds.commit("photos/x/")
    ds.label(table_of({"key": ["x/8", "x/1"], "score": [0.5, 1.5]}))
    ns.objects.delete_many("photos", [f"x/{i}" for i in range(6)])
    version = ds.commit()
    assert version.manifest.root.positions == 3
    assert version.manifest.root.removals is None
    assert version.columns().to_pydict() == {"label": ["a"] * 3, "score": [None, None, 0.5]}
    assert len(ds["v1"]) == 9


def table_of(columns):
    import pyarrow as pa

    return pa.table(columns)


def test_all_samples_gone_needs_a_word(ns, catalog, cats):
    ds = catalog.dataset("cats")
    ds.commit("photos/cats/")
    ns.objects.delete_many("photos", list(cats))
    with pytest.raises(InvalidInput, match="nothing below photos/cats/"):
        ds.commit()
    empty = ds.commit(allow_empty=True)
    assert len(empty) == 0
    assert empty.ids() == []
    assert empty.table().num_rows == 0
    assert len(empty.blobs()) == 0
    assert len(empty.where("size > 1")) == len(empty.split("test")) == 0


def test_mistakes_are_named(catalog, cats):
    ds = catalog.dataset("cats")
    with pytest.raises(NoSuchBucket):
        ds.commit("nowhere-at-all/x/")
    with pytest.raises(InvalidInput, match="nothing below photos/cows/"):
        ds.commit("photos/cows")
    with pytest.raises(InvalidInput, match="no version yet"):
        ds.commit()
    with pytest.raises(NoSuchDataset):
        _ = ds.latest
    for name in ("", "a@b", "a/b", "../x", ".hidden", "x" * 200, "a b"):
        with pytest.raises(InvalidName):
            catalog.dataset(name)
    ds.commit("photos/cats")
    for version in ("v2", "v0", 7, "nope", -1):
        with pytest.raises(NoSuchVersion):
            _ = ds[version]


def test_sources():
    assert Source.of("photos") == ("photos", "")
    assert Source.of("maru://photos/cats") == ("photos", "cats/")
    assert Source.of("photos/img_*") == ("photos", "img_")
    assert [str(s) for s in parse_sources(["p/a/b", "p/a/", "p/a", "q", "p/c*"])] == ["p/a/", "q/", "p/c*"]
    for text in ("", "/x", "*"):
        with pytest.raises(InvalidInput):
            Source.of(text)


def test_several_sources(store, catalog, cats):
    version = catalog.dataset("both").commit(["photos/dogs", "photos/cats", "photos/cats/"])
    assert len(version) == 11
    assert contents(store, version)["photos/dogs/1.jpg"] == b"dog"


def test_another_source_and_back(store, catalog, cats):
    ds = catalog.dataset("cats")
    first = ds.commit("photos/cats/")
    assert ds.commit("photos/dogs/").ids() == ["photos/dogs/1.jpg"]
    assert contents(store, ds.commit("photos/cats/")) == contents(store, first)


def test_two_commits_at_once_lose_none(ns, catalog, cats, put):
    ds = catalog.dataset("cats")
    ds.commit("photos/cats/")
    errors = []

    def work(n):
        try:
            put({f"cats/thread-{n}.jpg": bytes([n])})
            catalog.dataset("cats").commit()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert {f"photos/cats/thread-{n}.jpg" for n in range(6)} <= set(ds.latest.ids())
    numbers = [info.number for info in ds.versions()]
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_commit_that_lost_the_race_starts_again_on_top(catalog, cats, put, monkeypatch):
    ds = catalog.dataset("cats")
    ds.commit("photos/cats/")
    publish = type(ds._ledger).publish
    raced = []

    def publish_late(ledger, draft, seen):
        if not raced:
            raced.append(True)
            put({"cats/other.jpg": b"other"})
            catalog.dataset("cats").commit(message="the other one")
        return publish(ledger, draft, seen)

    monkeypatch.setattr(type(ds._ledger), "publish", publish_late)
    put({"cats/mine.jpg": b"mine"})
    report = ds.label(table_of({"key": ["cats/01.jpg"], "breed": ["tabby"]}))
    assert report.version.number == 3
    assert {"photos/cats/mine.jpg", "photos/cats/other.jpg"} <= set(report.version.ids())
    assert report.version.where("breed = 'tabby'").ids() == ["photos/cats/01.jpg"]


def test_an_open_version_survives_growth(store, catalog, cats, put):
    ds = catalog.dataset("cats")
    old = ds.commit("photos/cats/")
    ids = old.ids()
    put({"cats/x.jpg": b"x"})
    ds.commit()
    assert old.ids() == ids
    assert len(old) == 10


def test_large_objects_keep_all_their_extents(store, catalog, put):
    data = np.random.default_rng(0).bytes((2 << 20) + 5)
    put({"x/0": b"", "x/1": data, "x/2": b"small"})
    version = catalog.dataset("d").commit("photos/x/")
    blobs = version.blobs(np.array([2, 1, 0, 1]))
    assert isinstance(blobs, Blobs)
    assert [bytes(b) for b in store.read_many(blobs)] == [b"small", data, b"", data]


def test_fragments_are_mapped_not_copied(store):
    import pyarrow as pa

    table = pa.table({"x": pa.array(range(1000), pa.int64())})
    data = memoryview(fragment.encode_table(table))
    batch = fragment.decode_table(data)[0]
    address = np.frombuffer(data, dtype=np.uint8).ctypes.data
    assert address < batch.column(0).buffers()[1].address < address + len(data)


def test_batches_are_at_most_64k_rows():
    import pyarrow as pa

    table = pa.table({"x": pa.array(range(fragment.BATCH_ROWS + 1), pa.int32())})
    batches = fragment.decode_table(memoryview(fragment.encode_table(table)))
    assert [batch.num_rows for batch in batches] == [65536, 1]
