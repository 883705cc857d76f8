"""Buckets: made, deleted with a way back, and delays that are never shortened behind one's back."""

from __future__ import annotations

import pytest

from maruhub.errors import AlreadyExists, BucketNotEmpty, InvalidInput, InvalidName, NoSuchBucket
from maruhub.namespace import Bucket, Namespace
from maruhub.store.protocol import Store

HOUR_US = 3_600_000_000


def test_create_get_all(ns: Namespace) -> None:
    made = ns.buckets.create("archive", delay_s=3600)
    assert ns.buckets.get("archive") == made
    assert (made.delay_s, made.hidden_us) == (3600, 0)
    assert [bucket.name for bucket in ns.buckets.all()] == ["archive", "photos"]


def test_create_twice(ns: Namespace) -> None:
    with pytest.raises(AlreadyExists, match="photos"):
        ns.buckets.create("photos")
    again = ns.buckets.create("photos", exist_ok=True, delay_s=1)
    assert again == ns.buckets.get("photos")
    assert again.delay_s == 86_400


def test_refused_names_and_delays(ns: Namespace) -> None:
    with pytest.raises(InvalidName):
        ns.buckets.create("dataset")
    for delay_s in (-1, float("nan"), 1e12):
        with pytest.raises(InvalidInput, match="delay"):
            ns.buckets.create("archive", delay_s=delay_s)
    assert [bucket.name for bucket in ns.buckets.all()] == ["photos"]


def test_missing_bucket_everywhere(ns: Namespace) -> None:
    for call in (
        lambda: ns.buckets.get("nope"),
        lambda: ns.buckets.delete("nope"),
        lambda: ns.buckets.undelete("nope"),
        lambda: ns.buckets.set_delay("nope", 1),
        lambda: ns.objects.put("nope", "k", b""),
        lambda: ns.objects.head("nope", "k"),
        lambda: ns.objects.read_many("nope", ["k"]),
        lambda: ns.objects.delete_many("nope", ["k"]),
        lambda: ns.objects.copy("nope", "k", "photos", "k"),
        lambda: ns.listing.page("nope"),
        lambda: ns.listing.scan("nope"),
        lambda: ns.past.versions("nope"),
        lambda: ns.past.undelete("nope", "k"),
        lambda: ns.past.history("nope", "k"),
    ):
        with pytest.raises(NoSuchBucket, match="nope"):
            call()


def test_delete_refused_while_objects_are_current(ns: Namespace) -> None:
    ns.objects.put("photos", "k", b"x")
    with pytest.raises(BucketNotEmpty):
        ns.buckets.delete("photos")
    ns.objects.delete("photos", "k")
    ns.buckets.delete("photos")
    assert ns.buckets.all() == []
    with pytest.raises(NoSuchBucket):
        ns.objects.read("photos", "k")


def test_deleted_bucket_comes_back_with_its_hidden_objects(ns: Namespace) -> None:
    before = ns.buckets.get("photos")
    ns.objects.put("photos", "k", b"x")
    ns.objects.delete("photos", "k")
    ns.buckets.delete("photos")
    assert ns.buckets.undelete("photos") == before
    ns.past.undelete("photos", "k")
    assert ns.objects.read("photos", "k") == b"x"
    with pytest.raises(AlreadyExists):
        ns.buckets.undelete("photos")


def test_a_new_bucket_does_not_see_the_old_ones_objects(ns: Namespace) -> None:
    ns.objects.put("photos", "k", b"old")
    ns.objects.delete("photos", "k")
    ns.buckets.delete("photos")
    new = ns.buckets.create("photos")
    assert list(ns.past.versions("photos")) == []
    assert ns.objects.head_many("photos", ["k"]) == [None]
    ns.objects.put("photos", "k", b"new")
    assert ns.objects.read("photos", "k") == b"new"
    ns.objects.delete("photos", "k")
    ns.buckets.delete("photos")
    # The one deleted last comes back first.
    assert ns.buckets.undelete("photos").id == new.id


def test_two_processes_views_of_a_bucket_made_anew(store: Store, ns: Namespace) -> None:
    other = Namespace(store)
    ns.objects.put("photos", "k", b"old")
    assert other.objects.read("photos", "k") == b"old"
    ns.objects.delete("photos", "k")
    ns.buckets.delete("photos")
    ns.objects.put("photos", "k", b"new", create_bucket=True)
    # ``other`` remembered the old bucket's id; it must not believe it.
    assert other.objects.read("photos", "k") == b"new"


def test_longer_delay_holds_for_the_hidden_and_shorter_never_does() -> None:
    bucket = Bucket("photos", 1, delay_us=24 * HOUR_US, created_us=0)
    hidden, eradicate = 10 * HOUR_US, 34 * HOUR_US
    assert bucket.kept_until_us(hidden, eradicate) == eradicate
    longer = bucket.with_delay(72 * HOUR_US, now_us=20 * HOUR_US)
    assert longer.kept_until_us(hidden, eradicate) == 82 * HOUR_US
    shorter = longer.with_delay(HOUR_US, now_us=30 * HOUR_US)
    assert shorter.kept_until_us(hidden, eradicate) == 82 * HOUR_US
    assert shorter.kept_until_us(31 * HOUR_US, 32 * HOUR_US) == 32 * HOUR_US
    # The promise is forgotten only when it can bind nothing any more.
    assert shorter.with_delay(2 * HOUR_US, now_us=101 * HOUR_US).tail["floors"]
    assert not shorter.with_delay(2 * HOUR_US, now_us=103 * HOUR_US).tail


def test_delay_is_fixed_at_the_write(ns: Namespace) -> None:
    ns.objects.put("photos", "k", b"x")
    ns.objects.delete("photos", "k")
    (hidden,) = ns.past.versions("photos")
    assert hidden.eradicate_at_us - hidden.hidden_pool_us == 24 * HOUR_US
    assert ns.buckets.set_delay("photos", 60).delay_s == 60
    assert next(ns.past.versions("photos")).eradicate_at_us == hidden.eradicate_at_us
    ns.buckets.set_delay("photos", 48 * 3600)
    longer = next(ns.past.versions("photos"))
    assert longer.eradicate_at_us - longer.hidden_pool_us == 48 * HOUR_US
    ns.objects.put("photos", "k2", b"x")
    ns.objects.delete("photos", "k2")
    ns.buckets.set_delay("photos", 1)
    assert [h.eradicate_at_us - h.hidden_pool_us for h in ns.past.versions("photos")] == [48 * HOUR_US] * 2


def test_a_few_buckets_are_remembered_however_many_there_are(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("maruhub.namespace.reads._KNOWN_MAX", 4)
    names = Namespace(store, "me@here")
    for number in range(10):
        names.objects.put(f"bucket-{number}", "a", b"%d" % number, create_bucket=True)
        assert [names.objects.read(f"bucket-{n}", "a") for n in range(number + 1)] == [
            b"%d" % n for n in range(number + 1)
        ]
    assert len(names.objects._known) <= 4
