"""Puts that are written together: each has its own condition, actor and request, and its own error."""

from __future__ import annotations

import pytest

from maruhub.errors import MaruError, NoSpace, NoSuchBucket, PreconditionFailed, QuotaExceeded
from maruhub.namespace import Namespace
from maruhub.namespace.object import ObjectInfo
from maruhub.namespace.placing import Placing, place_together
from maruhub.namespace.put import PutItem
from maruhub.namespace.quota import Quota
from maruhub.store.protocol import Store
from maruhub.testing.memory_store import MemoryStore


def infos(outcomes: list[list[ObjectInfo] | Exception]) -> list[ObjectInfo | None]:
    return [None if isinstance(outcome, Exception) else outcome[0] for outcome in outcomes]


def test_what_is_wrong_with_one_is_the_others_no_harm(store: Store, ns: Namespace) -> None:
    bob = Namespace(store, actor="bob@host")
    bob.buckets.create("films")
    puts = [
        ns.objects.prepare("photos", PutItem("a", b"first"), if_none_match=True),
        bob.objects.prepare("films", PutItem("a", b"second" * 1000)),
        ns.objects.prepare("photos", PutItem("a", b"third"), if_none_match=True),
        ns.objects.prepare("photos", PutItem("b", b"fourth")),
    ]
    first, second, third, fourth = place_together(store, puts)
    assert isinstance(third, PreconditionFailed)
    made = infos([first, second, fourth])
    assert [(info.bucket, info.key) for info in made if info] == [
        ("photos", "a"), ("films", "a"), ("photos", "b"),
    ]  # fmt: skip
    assert [ns.objects.read("photos", key) for key in "ab"] == [b"first", b"fourth"]
    assert bob.objects.read("films", "a") == b"second" * 1000
    assert [row.actor for row in store.scan(b"K", b"L", 9)] == ["ann@host", "ann@host", "bob@host"]


def test_later_ones_see_earlier_ones(store: Store, ns: Namespace) -> None:
    puts = [ns.objects.prepare("photos", PutItem("a", bytes([n]))) for n in range(3)]
    assert None not in infos(place_together(store, puts))
    assert ns.objects.read("photos", "a") == b"\2"
    assert len(list(ns.past.versions("photos", "a"))) == 2


def test_a_quota_is_counted_put_by_put(store: Store, ns: Namespace) -> None:
    ns.quotas.set_bucket("photos", Quota(objects=2))
    puts = [ns.objects.prepare("photos", PutItem(key, b"x")) for key in "abc"]
    *kept, refused = place_together(store, puts)
    assert None not in infos(kept)
    assert isinstance(refused, QuotaExceeded)
    assert ns.quotas.usage("photos").amount == (2, 2)


def test_a_retry_among_others_finds_what_it_wrote(store: Store, ns: Namespace) -> None:
    def puts() -> list[Placing]:
        how = {"if_none_match": True, "request": b"once"}
        return [
            ns.objects.prepare("photos", PutItem("a", b"first"), **how),  # type: ignore[arg-type]
            ns.objects.prepare("photos", PutItem("b", b"other")),
        ]

    (first, _), (again, _) = infos(place_together(store, puts())), infos(place_together(store, puts()))
    assert first is not None
    assert again is not None
    assert again.version_id == first.version_id


def test_a_bucket_that_went_meanwhile_is_missed_by_its_own_puts(store: Store, ns: Namespace) -> None:
    ns.buckets.create("films")
    puts = [ns.objects.prepare(bucket, PutItem("a", b"x")) for bucket in ("photos", "films")]
    ns.buckets.delete("films")
    kept, lost = place_together(store, puts)
    assert not isinstance(kept, Exception)
    assert isinstance(lost, NoSuchBucket)


class Counting(MemoryStore):
    """Counts what is disclaimed; full at will."""

    def __init__(self) -> None:
        super().__init__()
        self.disclaimed = 0
        self.full = False

    def append(self, blobs, *more):  # type: ignore[no-untyped-def]
        if self.full:
            raise NoSpace("no room.")
        return super().append(blobs, *more)

    def disclaim(self, extents):  # type: ignore[no-untyped-def]
        self.disclaimed += len(list(extents))


def test_what_no_row_will_name_is_disclaimed() -> None:
    store = Counting()
    ns = Namespace(store)
    ns.buckets.create("photos")
    puts = [ns.objects.prepare("photos", PutItem("a", b"x"), if_none_match=True) for _ in range(3)]
    place_together(store, puts)
    assert store.disclaimed == 2


def test_bytes_that_cannot_be_written_are_everybodys_error() -> None:
    store = Counting()
    ns = Namespace(store)
    ns.buckets.create("photos")
    puts = [ns.objects.prepare("photos", PutItem(key, b"x")) for key in "ab"]
    store.full = True
    with pytest.raises(MaruError, match="no room"):
        place_together(store, puts)
    assert ns.objects.head_many("photos", ["a", "b"]) == [None, None]
