"""Named fields of versions and settings of buckets: kept, inherited, changed where they stand."""

from __future__ import annotations

import pytest

from maruhub.errors import InvalidInput, NoSuchKey, NoSuchVersion, PreconditionFailed, Refused
from maruhub.namespace import Namespace, PutItem
from maruhub.namespace.bucket import Versioning
from maruhub.namespace.object import ObjectInfo

TAGS = {"tags": {"kind": "cat"}, "headers": {"cache-control": "no-cache"}}


@pytest.fixture
def kept(ns: Namespace) -> Namespace:
    """The bucket ``photos`` keeps versions."""
    ns.buckets.set_versioning("photos", Versioning.ENABLED)
    return ns


def test_every_way_of_putting_takes_fields(ns: Namespace) -> None:
    ns.objects.put("photos", "a", b"1", content_type="image/png", metadata={"x": "y"}, fields=TAGS)
    ns.objects.put_many("photos", [PutItem("b", b"2", fields=TAGS)])
    upload = ns.objects.upload("photos", "c", fields=TAGS)
    upload.write(b"3")
    upload.commit({"checksums": {"crc32": "AAAA"}})
    begun = ns.uploads.begin("photos", "d", fields=TAGS)
    part = ns.uploads.part("photos", "d", begun.upload_id, 1)
    part.write(b"4")
    assert part.commit({"checksums": {"crc32": "BBBB"}}).tail == {"checksums": {"crc32": "BBBB"}}
    parts = [(1, ns.uploads.parts("photos", "d", begun.upload_id)[0].etag)]
    ns.uploads.complete("photos", "d", begun.upload_id, parts, fields={"checksum_type": "COMPOSITE"})
    found = {key: ns.objects.head("photos", key).tail for key in "abcd"}
    assert found == {
        "a": TAGS | {"type": "image/png", "meta": {"x": "y"}},
        "b": TAGS,
        "c": TAGS | {"checksums": {"crc32": "AAAA"}},
        "d": TAGS | {"checksum_type": "COMPOSITE", "parts": [[1, 1]]},
    }


@pytest.mark.parametrize("fields", [{"by": "eve"}, {"from": {}}, {"tags": object()}, {"n": float("nan")}])
def test_fields_that_are_refused(ns: Namespace, fields) -> None:
    ns.objects.put("photos", "k", b"")
    for call in (
        lambda: ns.objects.put("photos", "k", b"", fields=fields),
        lambda: ns.objects.upload("photos", "k", fields=fields),
        lambda: ns.uploads.begin("photos", "k", fields=fields),
        lambda: ns.objects.edit("photos", "k", lambda info: fields),
    ):
        with pytest.raises(InvalidInput):
            call()
    assert ns.objects.head("photos", "k").tail == {}


def test_a_copy_takes_fields_over_but_no_lock_and_no_acl(ns: Namespace) -> None:
    ns.objects.put("photos", "k", b"", fields=TAGS | {"acl": "public-read", "retain_until_us": 9})
    from_ = {"from": {"bucket": "photos", "key": "k"}}
    assert ns.objects.copy("photos", "k", "photos", "a").tail == TAGS | from_
    retailed = ns.objects.copy(
        "photos", "k", "photos", "b", retail=lambda tail: {"headers": tail["headers"], "tags": {"new": "1"}}
    )
    assert retailed.tail == {"headers": TAGS["headers"], "tags": {"new": "1"}} | from_


def test_a_copy_of_an_older_version_under_a_condition(kept: Namespace) -> None:
    ns = kept
    old = ns.objects.put("photos", "k", b"old")
    new = ns.objects.put("photos", "k", b"new")
    ns.objects.copy("photos", "k", "photos", "c", source_version=old.version_id, expect_etag=old.etag)
    assert ns.objects.read("photos", "c") == b"old"
    ns.objects.copy("photos", "k", "photos", "c", source_version=new.version_id)
    assert ns.objects.read("photos", "c") == b"new"
    with pytest.raises(PreconditionFailed):
        ns.objects.copy("photos", "k", "photos", "c", expect_etag=old.etag)
    with pytest.raises(NoSuchVersion):
        ns.objects.copy("photos", "k", "photos", "c", source_version="null")
    marker = ns.versions.delete_current("photos", ["k"])[0].marker_id
    with pytest.raises(InvalidInput, match="marker"):
        ns.objects.copy("photos", "k", "photos", "c", source_version=marker)
    with pytest.raises(NoSuchKey):
        ns.objects.copy("photos", "k", "photos", "c")


def identity(info: ObjectInfo) -> tuple[object, ...]:
    return info.version_id, info.created_us, info.etag, info.extents_raw, info.is_null


def test_editing_makes_no_version_and_moves_nothing(kept: Namespace) -> None:
    ns = kept
    old = ns.objects.put("photos", "k", b"old", fields=TAGS)
    new = Namespace(ns.store, "bob").objects.put("photos", "k", b"new")
    before = list(ns.past.versions("photos"))
    eve = Namespace(ns.store, "eve")
    for info in (old, new):
        edited = eve.objects.edit(
            "photos", "k", lambda i: {"tags": {"n": "1"}, "headers": None}, version_id=info.version_id
        )
        assert identity(edited) == identity(info)
        found = ns.versions.head("photos", "k", info.version_id).info
        assert (identity(found), found.tail["tags"], "headers" in found.tail) == (
            identity(info),
            {"n": "1"},
            False,
        )
    after = list(ns.past.versions("photos"))
    assert [v[2:] for v in after] == [(*v[2:-1], v.flags | 2) for v in before]
    assert [(e.actor, e.what, e.version_id) for e in ns.past.history("photos", "k")] == [
        ("ann@host", "put", old.version_id),
        ("bob", "overwritten", old.version_id),
        ("eve", "put", new.version_id),
    ]


def test_an_edited_version_becomes_current_and_goes_like_any(kept: Namespace) -> None:
    ns = kept
    old = ns.objects.put("photos", "k", b"old")
    new = ns.objects.put("photos", "k", b"new")
    ns.objects.edit("photos", "k", lambda info: TAGS, version_id=old.version_id)
    ns.versions.delete("photos", "k", new.version_id)
    head = ns.objects.head("photos", "k")
    assert (identity(head), head.tail) == (identity(old), TAGS | {"by": "ann@host"})
    ns.objects.put("photos", "k", b"newer")
    ns.objects.edit("photos", "k", lambda info: {"tags": None}, version_id=old.version_id)
    ns.versions.delete("photos", "k", old.version_id)
    gone = [v for v in ns.past.versions("photos") if v.info.version_id == old.version_id]
    assert [(v.is_listed, v.info.tail.get("hidden")) for v in gone] == [(False, None)]
    assert ns.past.undelete("photos", "k", old.version_id).tail == {"headers": TAGS["headers"]}


def test_editing_what_is_not_there(kept: Namespace) -> None:
    ns = kept
    with pytest.raises(NoSuchKey):
        ns.objects.edit("photos", "k", lambda info: TAGS)
    ns.objects.put("photos", "k", b"")
    with pytest.raises(NoSuchVersion):
        ns.objects.edit("photos", "k", lambda info: TAGS, version_id="f" * 16)


def test_settings_of_a_bucket(ns: Namespace) -> None:
    ns.buckets.create("made", fields={"owner": "ann", "tags": {"a": "b"}})
    edited = ns.buckets.edit("made", lambda b: {"policy": b.tail["owner"] * 2, "tags": None})
    assert edited == ns.buckets.get("made")
    assert edited.tail == {"owner": "ann", "policy": "annann"}
    assert not edited.locks
    for wrong in ({"versioning": "off"}, {"floors": []}, {"policy": object()}, {"cors": "x" * 600_000}):
        with pytest.raises(InvalidInput):
            ns.buckets.edit("made", lambda b, wrong=wrong: wrong)
    with pytest.raises(Refused, match="keep versions"):
        ns.buckets.edit("made", lambda b: {"lock": {}})


def test_a_bucket_with_object_lock_keeps_versions_for_ever(ns: Namespace) -> None:
    made = ns.buckets.create("made", fields={"lock": {}})
    assert (made.locks, made.default_lock, made.versioning) == (True, None, Versioning.ENABLED)
    with pytest.raises(Refused):
        ns.buckets.set_versioning("made", Versioning.SUSPENDED)
    with pytest.raises(Refused):
        ns.buckets.edit("made", lambda b: {"lock": None})
    year = {"mode": "GOVERNANCE", "years": 1}
    assert ns.buckets.edit("made", lambda b: {"lock": year}).default_lock == {**year, "days": 0}


@pytest.mark.parametrize(
    "lock",
    [
        {"mode": "GOVERNANCE"},
        {"mode": "GOVERNANCE", "days": 1, "years": 1},
        {"mode": "governance", "days": 1},
        {"mode": "COMPLIANCE", "days": -1},
        {"mode": "COMPLIANCE", "days": "1"},
        {"mode": "COMPLIANCE", "days": 1, "hours": 1},
        {"days": 1},
        [],
        "on",
    ],
)
def test_defaults_of_object_lock_that_are_refused(ns: Namespace, lock) -> None:
    with pytest.raises(InvalidInput, match="default of object lock"):
        ns.buckets.create("made", fields={"lock": lock})
