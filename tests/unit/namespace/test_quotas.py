"""Usage is counted with every change, and what grows beyond a quota is refused, all of it."""

from __future__ import annotations

import pytest

from maruhub.errors import InvalidInput, QuotaExceeded
from maruhub.namespace import Namespace, PutItem, quotas
from maruhub.namespace.bucket import Versioning
from maruhub.namespace.quota import Quota, UserQuota, encode_user_quota, quota_key
from maruhub.namespace.usage import Count, Stock, Usage, count_key, encode_count
from tests.property.walking import walked_usage

TEN = b"0123456789"


def usage(ns: Namespace, bucket: str = "photos") -> dict[str, tuple[int, int]]:
    """What is there, once it's clear that counting and walking find the same."""
    found = ns.quotas.usage(bucket)
    assert found == walked_usage(ns, bucket)
    named = {stock.name.lower(): (found.number(stock), found.size_bytes(stock)) for stock in Stock}
    return {name: count for name, count in named.items() if count != (0, 0)}


def test_a_day_in_a_bucket(ns: Namespace) -> None:
    assert usage(ns) == {}
    ns.objects.put_many("photos", [PutItem("a", TEN), PutItem("b", b"")])
    ns.objects.copy("photos", "a", "photos", "c")
    assert usage(ns) == {"object": (3, 20)}
    ns.objects.put("photos", "a", b"1")
    ns.objects.delete("photos", "c")
    assert usage(ns) == {"object": (2, 1), "hidden": (2, 20)}
    ns.past.undelete("photos", "c")
    ns.buckets.set_versioning("photos", Versioning.ENABLED)
    ns.objects.put("photos", "a", b"22")
    ns.objects.delete("photos", "b")
    assert usage(ns) == {"object": (2, 12), "version": (2, 1), "marker": (1, 0), "hidden": (2, 20)}
    ns.objects.edit("photos", "a", lambda info: {"tags": {"a": "b"}}, version_id="null")
    ns.versions.delete("photos", "a", "null")
    assert usage(ns) == {"object": (2, 12), "version": (1, 0), "marker": (1, 0), "hidden": (3, 21)}


def test_uploads_count_by_their_parts_until_they_are_an_object(ns: Namespace) -> None:
    first, second = (ns.uploads.begin("photos", "k").upload_id for _ in range(2))
    for upload in (first, first, second):
        part = ns.uploads.part("photos", "k", upload, 1)
        part.write(TEN)
        part.commit()
    assert usage(ns) == {"upload": (2, 0), "part": (2, 20)}
    etag = ns.uploads.parts("photos", "k", first)[0].etag
    ns.uploads.complete("photos", "k", first, [(1, etag)])
    ns.uploads.complete("photos", "k", first, [(1, etag)])
    assert usage(ns) == {"object": (1, 10), "upload": (1, 0), "part": (1, 10)}
    ns.uploads.abort("photos", "k", second)
    assert usage(ns) == {"object": (1, 10)}


def test_what_lies_below_a_prefix(ns: Namespace) -> None:
    ns.objects.put_many("photos", [PutItem(key, TEN) for key in ("a/1", "a/2", "b")])
    ns.objects.delete("photos", "a/2")
    ns.uploads.begin("photos", "a/3")
    found = ns.quotas.usage("photos", "a/")
    assert [found.number(stock) for stock in Stock] == [1, 0, 0, 1, 1, 0]
    assert found.amount == (1, 10)


def test_what_grows_beyond_a_buckets_quota_is_refused_whole(ns: Namespace) -> None:
    ns.quotas.set_bucket("photos", Quota(size_bytes=25, objects=3))
    ns.objects.put("photos", "a", TEN)
    ns.objects.put("photos", "a", TEN * 2)
    with pytest.raises(QuotaExceeded, match="25 bytes; it holds 20, and this needs 10 more"):
        ns.objects.put_many("photos", [PutItem("b", b""), PutItem("c", TEN)])
    with pytest.raises(QuotaExceeded):
        ns.objects.copy("photos", "a", "photos", "b")
    ns.objects.put_many("photos", [PutItem("b", b""), PutItem("c", b"")])
    with pytest.raises(QuotaExceeded, match="3 objects"):
        ns.objects.put("photos", "d", b"")
    assert usage(ns)["object"] == (3, 20)
    ns.objects.delete("photos", "a")
    ns.objects.put("photos", "c", TEN)
    with pytest.raises(QuotaExceeded):
        ns.past.undelete("photos", "a")
    part = ns.uploads.part("photos", "p", ns.uploads.begin("photos", "p").upload_id, 1)
    part.write(TEN * 2)
    with pytest.raises(QuotaExceeded):
        part.commit()
    assert ns.buckets.get("photos").tail["quota"] == {"bytes": 25, "objects": 3}


def test_above_a_quota_whatever_does_not_grow_goes_on(ns: Namespace) -> None:
    ns.objects.put_many("photos", [PutItem("a", TEN), PutItem("b", TEN)])
    ns.quotas.set_bucket("photos", Quota(size_bytes=5, objects=1))
    ns.objects.put("photos", "a", b"123456789")
    ns.objects.update_metadata("photos", "a", metadata={"x": "y"})
    ns.objects.delete("photos", "b")
    with pytest.raises(QuotaExceeded):
        ns.objects.put("photos", "a", TEN)
    ns.quotas.set_bucket("photos", None)
    ns.objects.put("photos", "a", TEN)


def test_a_user_has_a_quota_over_all_buckets(ns: Namespace) -> None:
    for name in ("ann-1", "ann-2"):
        ns.buckets.create(name, owner="ann")
    ns.objects.put("ann-1", "a", TEN)
    assert ns.quotas.set_user("ann", Quota(size_bytes=25)).amount == (1, 10)
    ns.objects.put("ann-2", "a", TEN)
    with pytest.raises(QuotaExceeded, match="user 'ann'"):
        ns.objects.put("ann-1", "b", TEN)
    ns.objects.put("photos", "b", TEN)
    with pytest.raises(QuotaExceeded):
        ns.buckets.edit("photos", lambda b: {"owner": "ann"})
    ns.buckets.edit("ann-2", lambda b: {"owner": "bob"})
    assert ns.quotas.user("ann").amount == (1, 10)
    ns.buckets.edit("photos", lambda b: {"owner": "ann"})
    ns.objects.delete("ann-1", "a")
    ns.buckets.delete("ann-1")
    assert ns.quotas.user("ann").amount == (1, 10)
    ns.quotas.set_user("ann", None)
    assert ns.quotas.user("ann") is None
    ns.objects.put("photos", "c", TEN * 2)


@pytest.mark.parametrize("versioning", [Versioning.OFF, Versioning.ENABLED])
def test_a_large_put_is_refused_before_a_byte_is_written(
    ns: Namespace, monkeypatch: pytest.MonkeyPatch, versioning: Versioning
) -> None:
    large = bytes(1 << 20)
    ns.objects.put("photos", "a", large)
    ns.buckets.set_versioning("photos", versioning)
    ns.quotas.set_bucket("photos", Quota(size_bytes=(1 << 20) + 5))
    upload = ns.uploads.begin("photos", "p").upload_id
    if versioning is Versioning.OFF:
        ns.objects.put("photos", "a", large)
    monkeypatch.setattr(type(ns.store), "append", None)
    for call in (
        lambda: ns.objects.put("photos", "b", large),
        lambda: ns.objects.upload("photos", "b", size_bytes=len(large)),
        lambda: ns.uploads.part("photos", "p", upload, 1, size_bytes=len(large)),
    ):
        with pytest.raises(QuotaExceeded):
            call()


@pytest.mark.parametrize("quota", [{"bytes": -1}, {"bytes": "1"}, {"objects": True}, {"files": 1}, 5])
def test_quotas_that_are_none(ns: Namespace, quota) -> None:
    with pytest.raises(InvalidInput):
        ns.buckets.edit("photos", lambda bucket: {"quota": quota})


def test_a_wrong_count_is_mended_while_others_write(ns: Namespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quotas, "_PAGE", 3)
    bucket = ns.buckets.get("photos")
    ns.buckets.edit("photos", lambda b: {"owner": "ann"})
    ns.quotas.set_user("ann", Quota(objects=1000))
    ns.objects.put_many("photos", [PutItem(f"{n:02}", TEN) for n in range(20)])
    wrong = Count(Usage((7,) * 12))
    ns.store.commit(lambda rows: rows.put(count_key(bucket.id_bytes), encode_count(wrong)))
    steps = 0

    def meanwhile() -> None:
        nonlocal steps
        ns.objects.put_many("photos", [PutItem(f"{steps:02}", b"new"), PutItem(f"{19 - steps:02}+", TEN)])
        ns.objects.delete("photos", f"{(steps * 7) % 20:02}")
        steps += 1

    (mended,) = ns.quotas.recount_all(pause=meanwhile)
    assert steps > 5
    assert (mended.bucket, mended.was_wrong) == ("photos", True)
    usage(ns)
    assert ns.quotas.user("ann").amount == ns.quotas.usage("photos").amount
    assert ns.quotas.recount_all() == []


def test_what_a_user_holds_is_counted_anew_too(ns: Namespace) -> None:
    ns.buckets.edit("photos", lambda b: {"owner": "ann"})
    ns.objects.put("photos", "a", TEN)
    ns.quotas.set_user("ann", Quota(objects=9))
    wrong = UserQuota(Quota(objects=9), (5, 5))
    ns.store.commit(lambda rows: rows.put(quota_key("ann"), encode_user_quota(wrong)))
    ns.quotas.recount_all()
    assert ns.quotas.user("ann") == UserQuota(Quota(objects=9), (1, 10))


def test_a_bucket_that_nobody_has_counted_is_counted_once(ns: Namespace) -> None:
    bucket = ns.buckets.get("photos")
    ns.store.commit(lambda rows: rows.remove(count_key(bucket.id_bytes)))
    ns.buckets.edit("photos", lambda b: {"quota": {"objects": 1}})
    ns.objects.put_many("photos", [PutItem("a", TEN), PutItem("b", TEN)])
    assert usage(ns) == {"object": (2, 20)}
    assert ns.quotas.recount("photos").before is None
    assert usage(ns) == {"object": (2, 20)}
    with pytest.raises(QuotaExceeded):
        ns.objects.put("photos", "c", TEN)


def test_a_recount_that_was_killed_changes_nothing(ns: Namespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quotas, "_PAGE", 2)
    ns.objects.put_many("photos", [PutItem(key, TEN) for key in "abcdef"])

    def killed() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ns.quotas.recount("photos", pause=killed)
    ns.objects.put("photos", "a", b"")
    assert usage(ns) == {"object": (6, 50), "hidden": (1, 10)}
    recount = ns.quotas.recount("photos")
    assert not recount.was_wrong
