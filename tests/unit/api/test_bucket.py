"""A bucket is a mapping, and says so in every way that mappings have."""

from __future__ import annotations

import io
import os
from collections.abc import MutableMapping

import pytest

from maruhub import errors
from maruhub.api.bucket import BucketView
from maruhub.api.hub import Hub


@pytest.fixture
def photos(hub: Hub) -> BucketView:
    return hub.bucket("photos")


def test_what_is_put_comes_back(photos: BucketView) -> None:
    photos["cats/1.jpg"] = b"meow"
    view = photos["cats/1.jpg"]
    assert isinstance(view, memoryview)
    assert view.readonly
    assert view == b"meow"
    assert isinstance(photos, MutableMapping)


def test_a_missing_key_is_a_key_error_and_ours(photos: BucketView) -> None:
    photos["a"] = b""
    for raised in (KeyError, errors.NoSuchKey):
        with pytest.raises(raised, match="photos/b"):
            photos["b"]
        with pytest.raises(raised):
            del photos["b"]
    assert photos.get("b") is None
    assert photos.pop("b", None) is None


def test_a_bucket_not_made_yet_holds_nothing_but_is_told_apart(hub: Hub) -> None:
    bucket = hub.bucket("unmade")
    assert "a" not in bucket
    assert bucket.get("a", b"x") == b"x"
    with pytest.raises(errors.NoSuchBucket):
        bucket["a"]
    with pytest.raises(errors.NoSuchBucket):
        list(bucket)
    assert hub.buckets() == []


def test_keys_come_in_byte_order_across_pages(photos: BucketView) -> None:
    keys = [f"{i:05}" for i in range(2500)]
    photos.put_many((key, key.encode()) for key in reversed(keys))
    assert list(photos) == keys
    assert len(photos) == 2500
    listing = photos.list(prefix="024")
    assert [info.key for info in listing] == keys[2400:2500]
    assert (len(listing), listing[3].key, listing[-1].key) == (100, "02403", "02499")
    with pytest.raises(IndexError):
        listing[100]


def test_many_at_once_in_the_order_asked(photos: BucketView) -> None:
    photos.put_many({"a": b"1", "b": b"2", "c": b"3"})
    assert [bytes(view) for view in photos.get_many(["c", "a", "c"])] == [b"3", b"1", b"3"]
    with pytest.raises(errors.NoSuchKey):
        photos.get_many(["a", "zz"])
    found = photos.read_many(["zz", "a"])
    assert isinstance(found[0], errors.NoSuchKey)
    assert found[1] == b"1"


def test_a_put_takes_a_file_and_conditions(photos: BucketView) -> None:
    data = os.urandom(3_000_000)
    info = photos.put("big", io.BytesIO(data), content_type="image/png", metadata={"by": "me"}, mtime_ns=5)
    assert (info.size, info.content_type, info.metadata, info.mtime_ns) == (
        3_000_000,
        "image/png",
        {"by": "me"},
        5,
    )
    assert b"".join(photos.pieces("big")) == data
    with pytest.raises(errors.PreconditionFailed):
        photos.put("big", b"x", if_none_match=True)
    assert photos.put("big", b"x", if_match=info.etag).size == 1


def test_text_is_refused_with_a_way_out(photos: BucketView) -> None:
    with pytest.raises(errors.InvalidInput, match="encode"):
        photos["a"] = "text"  # type: ignore[assignment]


def test_deleted_and_back(photos: BucketView) -> None:
    photos["a"] = b"first"
    photos["a"] = b"second"
    del photos["a"]
    assert "a" not in photos
    photos.undelete("a")
    assert photos["a"] == b"second"
    what = [event.what for event in photos.history("a")]
    assert what == ["put", "overwritten", "put", "deleted", "restored"]
    assert {event.actor for event in photos.history("a")} == {"me@here"}


def test_copies_share_bytes(photos: BucketView, hub: Hub) -> None:
    photos.put_many({"cats/1": b"one", "cats/2": b"two", "dogs/1": b"wau"})
    assert photos.copy("cats/1", "x").extents == photos.stat("cats/1").extents
    assert photos.copy_all("cats/", "felines/", bucket="archive") == 2
    assert list(hub.bucket("archive")) == ["felines/1", "felines/2"]


def test_folders_show_one_level(photos: BucketView) -> None:
    photos.put_many({"a": b"", "b/1": b"", "b/2": b"", "c/d/e": b""})
    level = [entry if isinstance(entry, str) else entry.key for entry in photos.folders()]
    assert level == ["a", "b/", "c/"]


def test_buckets_are_listed(hub: Hub, photos: BucketView) -> None:
    photos["a"] = b""
    hub.bucket("audio")["b"] = b""
    assert [bucket.name for bucket in hub.buckets()] == ["audio", "photos"]
