"""Objects: what is put comes back, conditions hold, copies share bytes."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from maruhub.errors import (
    Corrupt,
    InvalidInput,
    InvalidName,
    NoSuchBucket,
    NoSuchKey,
    PreconditionFailed,
)
from maruhub.namespace import Namespace, PutItem, copying
from maruhub.namespace.digests import Digest
from maruhub.namespace.object import encode_payload
from maruhub.namespace.stream import PIECE_BYTES
from maruhub.testing.memory_store import MemoryStore


def what_of(ns: Namespace, key: str) -> list[str]:
    return [event.what for event in ns.past.history("photos", key)]


def test_put_and_head(ns: Namespace) -> None:
    data = os.urandom(50_000)
    put = ns.objects.put(
        "photos", "cats/1.jpg", data, content_type="image/jpeg", metadata={"label": "고양이"}, mtime_ns=-5
    )
    info = ns.objects.head("photos", "cats/1.jpg")
    assert info == put
    assert (info.bucket, info.key, info.size) == ("photos", "cats/1.jpg", 50_000)
    assert info.etag == hashlib.md5(data).hexdigest()
    assert info.sha256 == hashlib.sha256(data).digest()
    assert (info.content_type, info.metadata, info.mtime_ns) == ("image/jpeg", {"label": "고양이"}, -5)
    assert info.version_id == f"{info.counter:016x}"
    assert len(info.extents_raw) == 32
    assert ns.objects.read("photos", "cats/1.jpg") == data


def test_defaults(ns: Namespace) -> None:
    info = ns.objects.put("photos", "k", b"")
    assert (info.size, info.extents_raw, info.extents) == (0, b"", ())
    assert (info.content_type, info.metadata, info.mtime_ns) == ("application/octet-stream", {}, None)
    assert abs(info.created_us - info.time_us) == 0
    assert ns.objects.read("photos", "k") == b""


@pytest.mark.parametrize("data", [bytearray(b"abc"), memoryview(b"abc"), memoryview(b"xabc")[1:]])
def test_any_buffer(ns: Namespace, data: Any) -> None:
    ns.objects.put("photos", "k", data)
    assert ns.objects.read("photos", "k") == b"abc"


@pytest.mark.parametrize("data", ["text", None, 5, memoryview(b"abcdef")[::2]])
def test_what_is_no_buffer(ns: Namespace, data: Any) -> None:
    with pytest.raises(InvalidInput, match="contiguous"):
        ns.objects.put("photos", "k", data)
    with pytest.raises(InvalidInput, match="contiguous"):
        ns.objects.upload("photos", "k").write(data)


def test_a_view_of_wider_items_counts_bytes(ns: Namespace) -> None:
    info = ns.objects.put("photos", "k", memoryview(bytes(range(16))).cast("I"))
    assert (info.size, bytes(ns.objects.read("photos", "k"))) == (16, bytes(range(16)))


@pytest.mark.parametrize("key", ["..", "//", "a\0b", "/", "a/../../b", "x" * 1024, "ü", "\U0010ffff"])
def test_odd_keys(ns: Namespace, key: str) -> None:
    ns.objects.put("photos", key, key.encode())
    assert ns.objects.read("photos", key) == key.encode()
    assert [info.key for info in ns.listing.page("photos").objects] == [key]
    assert ns.objects.delete("photos", key)
    assert [hidden.info.key for hidden in ns.past.versions("photos")] == [key]
    ns.past.undelete("photos", key)
    assert ns.objects.read("photos", key) == key.encode()


def test_put_many_is_one_commit_and_all_or_nothing(ns: Namespace) -> None:
    items = [PutItem(f"k{i}", os.urandom(3000 + i), metadata={"i": str(i)}) for i in range(300)]
    infos = ns.objects.put_many("photos", items)
    assert len({info.counter for info in infos}) == 1
    assert [info.metadata["i"] for info in infos] == [str(i) for i in range(300)]
    assert ns.objects.head_many("photos", [item.key for item in items]) == infos
    assert ns.objects.read_many("photos", [item.key for item in items]) == [item.data for item in items]
    assert [info.sha256 for info in infos] == [hashlib.sha256(item.data).digest() for item in items]
    with pytest.raises(PreconditionFailed, match="k7"):
        ns.objects.put_many("photos", [PutItem("new", b"x"), PutItem("k7", b"x", if_none_match=True)])
    assert ns.objects.head_many("photos", ["new"]) == [None]
    assert ns.objects.put_many("photos", []) == []


def test_put_many_refuses_a_key_twice(ns: Namespace) -> None:
    with pytest.raises(InvalidInput, match="'k' stands twice"):
        ns.objects.put_many("photos", [PutItem("k", b"1"), PutItem("k", b"2")])


def test_bucket_made_by_the_first_put(ns: Namespace) -> None:
    with pytest.raises(NoSuchBucket):
        ns.objects.put("fresh", "k", b"x")
    ns.objects.put("fresh", "k", b"x", create_bucket=True)
    ns.objects.put_many("fresh", [PutItem("k2", b"y")], create_bucket=True)
    assert ns.objects.read_many("fresh", ["k", "k2"]) == [b"x", b"y"]
    with pytest.raises(InvalidName):
        ns.objects.put("maru-x", "k", b"x", create_bucket=True)


def test_read_many_answers_each_key(ns: Namespace) -> None:
    ns.objects.put("photos", "a", b"A")
    ns.objects.put("photos", "?", b"not yours")
    results = ns.objects.read_many("photos", ["a", "missing", "a", "\udcff", "", "x" * 1025])
    assert results[0] == results[2] == b"A"
    assert [type(result) for result in results[3:]] == [InvalidName] * 3
    assert isinstance(results[1], NoSuchKey)
    assert "maru://photos/missing" in str(results[1])
    assert ns.objects.read_many("photos", []) == []


def test_read_many_of_a_rotten_object() -> None:
    store = MemoryStore()
    ns = Namespace(store)
    info = ns.objects.put("photos", "bad", b"x" * 100, create_bucket=True)
    ns.objects.put("photos", "good", b"y")
    store.rot(info.extents)
    bad, good = ns.objects.read_many("photos", ["bad", "good"])
    assert isinstance(bad, Corrupt)
    assert good == b"y"
    with pytest.raises(Corrupt):
        ns.objects.read("photos", "bad")


@pytest.mark.parametrize("meta", [{"a": "1"}, {"a": "2"}])
def test_a_condition_holds_for_metadata_whether_or_not_it_changes(
    ns: Namespace, meta: dict[str, str]
) -> None:
    info = ns.objects.put("photos", "k", b"x", metadata={"a": "1"}, create_bucket=True)
    with pytest.raises(PreconditionFailed, match="has the ETag"):
        ns.objects.update_metadata("photos", "k", metadata=meta, if_match="0" * 32)
    assert ns.objects.head("photos", "k") == info
    assert ns.objects.update_metadata("photos", "k", metadata=meta, if_match=info.etag).metadata == meta


def test_missing_key(ns: Namespace) -> None:
    for call in (
        lambda: ns.objects.head("photos", "k"),
        lambda: ns.objects.read("photos", "k"),
        lambda: ns.objects.copy("photos", "k", "photos", "k2"),
        lambda: ns.objects.update_metadata("photos", "k", metadata={}),
    ):
        with pytest.raises(NoSuchKey, match="maru://photos/k "):
            call()


@pytest.mark.parametrize(
    "how",
    [
        {"metadata": {"a": 1}},
        {"metadata": {1: "a"}},
        {"metadata": {"a": "\ud800"}},
        {"metadata": {"a": "x" * 70_000}},
        {"content_type": "a\nb"},
        {"content_type": "x" * 256},
        {"content_type": 5},
        {"mtime_ns": 2**63},
        {"mtime_ns": 1.5},
        {"request": b"x" * 256},
        {"if_match": "*", "if_none_match": True},
    ],
)
def test_bad_arguments_change_nothing(ns: Namespace, how: dict[str, Any]) -> None:
    for put in (
        lambda: ns.objects.put("photos", "k", b"x", **how),
        lambda: ns.objects.put_stream("photos", "k", io.BytesIO(b"x"), **how),
    ):
        with pytest.raises(InvalidInput):
            put()
    assert ns.listing.page("photos").objects == []


def test_refused_puts_write_no_bytes() -> None:
    store = MemoryStore()
    ns = Namespace(store)
    etag = ns.objects.put("photos", "k", b"x", create_bucket=True).etag
    written = store.bytes_appended
    for how in ({"if_none_match": True}, {"if_match": "0" * 32}):
        with pytest.raises(PreconditionFailed):
            ns.objects.put("photos", "k", b"y" * 1000, **how)
    with pytest.raises(NoSuchBucket):
        ns.objects.put("nope", "k", b"y" * 1000, if_match=etag)
    with pytest.raises(InvalidName):
        ns.objects.put("No", "k", b"y" * 1000, create_bucket=True)
    assert store.bytes_appended == written


class TestConditions:
    def test_create_only(self, ns: Namespace) -> None:
        ns.objects.put("photos", "k", b"1", if_none_match=True)
        with pytest.raises(PreconditionFailed, match="exists already"):
            ns.objects.put("photos", "k", b"2", if_none_match=True)
        assert ns.objects.read("photos", "k") == b"1"
        ns.objects.delete("photos", "k")
        ns.objects.put("photos", "k", b"3", if_none_match=True)

    def test_match(self, ns: Namespace) -> None:
        with pytest.raises(PreconditionFailed, match="does not exist"):
            ns.objects.put("photos", "k", b"1", if_match="*")
        first = ns.objects.put("photos", "k", b"1")
        second = ns.objects.put("photos", "k", b"2", if_match=first.etag)
        with pytest.raises(PreconditionFailed, match=second.etag):
            ns.objects.put("photos", "k", b"3", if_match=first.etag)
        ns.objects.put("photos", "k", b"3", if_match=f'"{second.etag}"')
        ns.objects.put("photos", "k", b"4", if_match="*")
        with pytest.raises(PreconditionFailed):
            ns.objects.delete("photos", "k", if_match=first.etag)
        assert ns.objects.read("photos", "k") == b"4"

    def test_the_commit_decides_not_the_early_look(self, ns: Namespace) -> None:
        upload = ns.objects.upload("photos", "k", if_none_match=True)
        upload.write(b"slow")
        ns.objects.put("photos", "k", b"fast")
        with pytest.raises(PreconditionFailed):
            upload.commit()
        assert ns.objects.read("photos", "k") == b"fast"

    def test_of_many_at_once_one_wins(self, ns: Namespace) -> None:
        def put(i: int) -> bool:
            try:
                ns.objects.put("photos", "k", b"%d" % i, if_none_match=True)
            except PreconditionFailed:
                return False
            return True

        with ThreadPoolExecutor(8) as threads:
            won = list(threads.map(put, range(16)))
        assert won.count(True) == 1
        assert ns.objects.read("photos", "k") == b"%d" % won.index(True)
        assert what_of(ns, "k") == ["put"]

    @pytest.mark.parametrize("how", [{"if_none_match": True}, {"if_match": hashlib.md5(b"0").hexdigest()}])
    def test_a_lost_answer_can_be_asked_again(self, ns: Namespace, how: dict[str, Any]) -> None:
        if "if_match" in how:
            ns.objects.put("photos", "k", b"0")
        first = ns.objects.put("photos", "k", b"1", request=b"req-1", **how)
        assert ns.objects.put("photos", "k", b"1", request=b"req-1", **how) == first
        with pytest.raises(PreconditionFailed):
            ns.objects.put("photos", "k", b"1", request=b"req-2", **how)
        # Same id over other bytes is another write, not a retry.
        with pytest.raises(PreconditionFailed):
            ns.objects.put("photos", "k", b"other", request=b"req-1", **how)
        # Overwritten, and deleted, before the retry: it did happen, all the same.
        ns.objects.put("photos", "k", b"2")
        ns.objects.delete("photos", "k")
        again = ns.objects.put("photos", "k", b"1", request=b"req-1", **how)
        assert again.version_id == first.version_id
        assert ns.objects.head_many("photos", ["k"]) == [None]

    def test_retries_of_copy_metadata_and_batches(self, ns: Namespace) -> None:
        ns.objects.put("photos", "src", b"s")
        calls: list[Callable[[], Any]] = [
            lambda: ns.objects.copy("photos", "src", "photos", "dst", request=b"a", if_none_match=True),
            lambda: ns.objects.put_many(
                "photos", [PutItem("x", b"1", if_none_match=True), PutItem("y", b"2")], request=b"b"
            ),
            lambda: ns.objects.update_metadata("photos", "src", metadata={"a": "1"}, request=b"c"),
            lambda: ns.objects.put_stream(
                "photos", "big", io.BytesIO(b"z"), request=b"d", if_none_match=True
            ),
        ]
        for call in calls:
            assert call() == call()
        assert what_of(ns, "y") == ["put"]
        assert what_of(ns, "dst") == ["copy"]


class TestStream:
    @pytest.mark.parametrize("size", [0, 1, 4095, PIECE_BYTES, PIECE_BYTES + 1, 2 * PIECE_BYTES + 5000])
    def test_sizes(self, ns: Namespace, size: int) -> None:
        data = os.urandom(size)
        info = ns.objects.put_stream("photos", "k", io.BytesIO(data), metadata={"a": "b"})
        assert (info.size, info.etag) == (size, hashlib.md5(data).hexdigest())
        assert info.sha256 == hashlib.sha256(data).digest()
        assert ns.objects.read("photos", "k") == data
        assert b"".join(ns.objects.chunks(info)) == data
        assert ns.objects.head("photos", "k") == info

    def test_extents_but_the_last_are_whole_blocks(self, ns: Namespace) -> None:
        class Dribble(io.BytesIO):
            def read(self, size: int | None = -1, /) -> bytes:
                return super().read(min(size or 0, 77_777))

        info = ns.objects.put_stream("photos", "k", Dribble(b"q" * (PIECE_BYTES + 100_000)))
        assert all(extent.length % 4096 == 0 for extent in info.extents[:-1])

    def test_a_broken_stream_leaves_nothing(self, ns: Namespace) -> None:
        class Broken(io.BytesIO):
            def read(self, size: int | None = -1, /) -> bytes:
                raise OSError("cable")

        with pytest.raises(OSError, match="cable"):
            ns.objects.put_stream("photos", "k", Broken())
        assert ns.listing.page("photos").objects == []

    def test_an_ended_upload_is_ended(self, ns: Namespace) -> None:
        upload = ns.objects.upload("photos", "k")
        upload.write(b"x")
        assert ns.objects.head_many("photos", ["k"]) == [None]
        upload.abort()
        for call in (lambda: upload.write(b"y"), upload.commit):
            with pytest.raises(InvalidInput):
                call()


class TestCopy:
    def test_shares_bytes(self) -> None:
        store = MemoryStore()
        ns = Namespace(store)
        source = ns.objects.put(
            "photos",
            "a",
            b"x" * 10_000,
            content_type="t/x",
            metadata={"l": "1"},
            mtime_ns=7,
            create_bucket=True,
        )
        written = store.bytes_appended
        copy = ns.objects.copy("photos", "a", "archive", "b", create_bucket=True)
        assert store.bytes_appended == written
        assert (copy.extents_raw, copy.etag, copy.sha256) == (source.extents_raw, source.etag, source.sha256)
        assert (copy.content_type, copy.metadata, copy.mtime_ns) == ("t/x", {"l": "1"}, 7)
        assert copy.version_id != source.version_id
        assert copy == ns.objects.head("archive", "b")
        assert copy.tail["from"] == {"bucket": "photos", "key": "a"}
        assert copy.head.from_version == source.version_number
        # Other metadata makes a version of the copy, not another copy.
        relabelled = ns.objects.update_metadata("archive", "b", metadata={"l": "2"})
        assert "from" not in relabelled.tail
        assert relabelled.head.from_version == copy.version_number
        ns.objects.delete("photos", "a")
        assert ns.objects.read("archive", "b") == b"x" * 10_000

    def test_replaces_fields_and_keeps_conditions(self, ns: Namespace) -> None:
        ns.objects.put("photos", "a", b"x", metadata={"l": "1"})
        copy = ns.objects.copy(
            "photos", "a", "photos", "b", metadata={}, content_type="t/y", mtime_ns=9, if_none_match=True
        )
        assert (copy.metadata, copy.content_type, copy.mtime_ns) == ({}, "t/y", 9)
        with pytest.raises(PreconditionFailed):
            ns.objects.copy("photos", "a", "photos", "b", if_none_match=True)

    def test_onto_itself_is_a_new_version(self, ns: Namespace) -> None:
        ns.objects.put("photos", "a", b"x")
        ns.objects.copy("photos", "a", "photos", "a")
        assert what_of(ns, "a") == ["put", "overwritten", "copy"]

    def test_prefix(self, ns: Namespace) -> None:
        ns.objects.put_many("photos", [PutItem(f"cats/{i}", b"%d" % i) for i in range(5)])
        ns.objects.put("photos", "catsup", b"no")
        assert ns.objects.copy_prefix("photos", "cats/", "archive", "old/", create_bucket=True) == 5
        assert [i.key for i in ns.listing.page("archive").objects] == [f"old/{i}" for i in range(5)]
        assert ns.objects.read("archive", "old/3") == b"3"
        assert ns.objects.copy_prefix("photos", "nothing/", "archive", "x/") == 0

    def test_prefix_in_pages(self, ns: Namespace, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(copying, "_PAGE", 2)
        ns.objects.put_many("photos", [PutItem(f"cats/{i}", b"%d" % i) for i in range(5)])
        assert ns.objects.copy_prefix("photos", "cats/", "photos", "old/") == 5
        assert [i.key for i in ns.listing.page("photos", prefix="old/").objects] == [
            f"old/{i}" for i in range(5)
        ]

    def test_overlapping_prefixes_copy_what_was_there(
        self, ns: Namespace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(copying, "_PAGE", 1)
        ns.objects.put_many(
            "photos", [PutItem("a/x", b"1"), PutItem("a/a/x", b"2"), PutItem("a/a/a/x", b"3")]
        )
        assert ns.objects.copy_prefix("photos", "a/", "photos", "") == 3
        found = {i.key: bytes(ns.objects.read("photos", i.key)) for i in ns.listing.page("photos").objects}
        assert found == {"x": b"1", "a/x": b"2", "a/a/x": b"3", "a/a/a/x": b"3"}
        assert ns.objects.copy_prefix("photos", "", "photos", "b/") == 4
        assert ns.objects.read("photos", "b/a/x") == b"2"

    def test_prefix_that_would_be_too_long(self, ns: Namespace) -> None:
        ns.objects.put("photos", "a/" + "x" * 1000, b"1")
        with pytest.raises(InvalidName):
            ns.objects.copy_prefix("photos", "a/", "photos", "b" * 100)


class TestMetadata:
    def test_no_byte_moves(self) -> None:
        store = MemoryStore()
        ns = Namespace(store)
        old = ns.objects.put("photos", "k", b"x" * 9000, metadata={"a": "1", "b": "2"}, create_bucket=True)
        written = store.bytes_appended
        new = ns.objects.update_metadata("photos", "k", metadata={"b": None, "c": "3"}, merge=True)
        assert new.metadata == {"a": "1", "c": "3"}
        assert (new.etag, new.extents_raw) == (old.etag, old.extents_raw)
        assert ns.objects.update_metadata("photos", "k", metadata={"z": "9"}).metadata == {"z": "9"}
        typed = ns.objects.update_metadata("photos", "k", content_type="t/x", mtime_ns=4)
        assert (typed.metadata, typed.content_type, typed.mtime_ns) == ({"z": "9"}, "t/x", 4)
        assert store.bytes_appended == written
        assert [event.what for event in ns.past.history("photos", "k")][-2:] == ["overwritten", "metadata"]

    def test_nothing_different_writes_nothing(self, ns: Namespace) -> None:
        old = ns.objects.put("photos", "k", b"x", metadata={"a": "1"}, content_type="t/x", mtime_ns=3)
        same = ns.objects.update_metadata("photos", "k", metadata={"a": "1"}, content_type="t/x", mtime_ns=3)
        assert same == old
        assert what_of(ns, "k") == ["put"]

    def test_condition(self, ns: Namespace) -> None:
        ns.objects.put("photos", "k", b"x")
        with pytest.raises(PreconditionFailed):
            ns.objects.update_metadata("photos", "k", metadata={"a": "1"}, if_match="0" * 32)

    def test_bad_metadata(self, ns: Namespace) -> None:
        ns.objects.put("photos", "k", b"x")
        with pytest.raises(InvalidInput):
            ns.objects.update_metadata("photos", "k", metadata={"a": 1})
        assert what_of(ns, "k") == ["put"]


def test_delete_many(ns: Namespace) -> None:
    ns.objects.put_many("photos", [PutItem(key, b"x") for key in "abc"])
    assert ns.objects.delete_many("photos", ["a", "nope", "b", "a"]) == [True, False, True, False]
    assert [info.key for info in ns.listing.page("photos").objects] == ["c"]
    assert not ns.objects.delete("photos", "a")
    assert ns.objects.delete_many("photos", []) == []
    with pytest.raises(InvalidName):
        ns.objects.delete_many("photos", ["c", ""])
    assert ns.objects.head("photos", "c").size == 1


def test_read_infos_reads_old_versions(ns: Namespace) -> None:
    old = ns.objects.put("photos", "k", b"old")
    ns.objects.put("photos", "k", b"new")
    assert ns.objects.read_infos([old, ns.objects.head("photos", "k")]) == [b"old", b"new"]


def test_etag_of_what_was_assembled() -> None:
    from maruhub.namespace.object import ObjectInfo

    payload = encode_payload(Digest(bytes(16), bytes(32)), 5, parts=3)
    info = ObjectInfo("photos", "k", counter=1, time_us=2, extents_raw=b"", payload=payload)
    assert info.etag == "0" * 32 + "-3"
