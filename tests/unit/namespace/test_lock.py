"""Object lock: what it keeps, who may end it, and what it says when it refuses."""

from __future__ import annotations

import time

import pytest

from maruhub.errors import BucketNotEmpty, InvalidInput, Refused
from maruhub.namespace import Namespace, PutItem
from maruhub.namespace.lock import COMPLIANCE, GOVERNANCE

DAY_US = 86_400_000_000


def until(days: float, mode: str = GOVERNANCE) -> dict[str, object]:
    return {"lock_mode": mode, "lock_until_us": time.time_ns() // 1000 + round(days * DAY_US)}


@pytest.fixture
def locked(ns: Namespace) -> Namespace:
    """The bucket ``vault`` has object lock."""
    ns.buckets.create("vault", fields={"lock": {}})
    return ns


def days_left(ns: Namespace, tail) -> int:
    return round((tail["retain_until_us"] - ns.store.pool_time_us()) / DAY_US)


def test_a_date_becomes_a_term_of_the_pools_clock(locked: Namespace) -> None:
    ns = locked
    assert days_left(ns, ns.objects.put("vault", "k", b"", fields=until(5)).tail) == 5
    ns.objects.edit("vault", "k", lambda info: until(7))
    assert days_left(ns, ns.objects.head("vault", "k").tail) == 7
    with pytest.raises(Refused):
        ns.objects.edit("vault", "k", lambda info: until(7, COMPLIANCE))
    strict = ns.objects.edit("vault", "k", lambda info: until(7, COMPLIANCE), bypass_governance=True)
    assert days_left(ns, strict.tail) == 7


def test_every_new_version_gets_the_buckets_default_unless_it_has_its_own(ns: Namespace) -> None:
    ns.buckets.create("vault", fields={"lock": {"mode": COMPLIANCE, "years": 1}})
    ns.objects.put("vault", "put", b"")
    ns.objects.put_many("vault", [PutItem("many", b"")])
    ns.objects.upload("vault", "upload").commit()
    ns.objects.copy("vault", "put", "vault", "copy")
    ns.objects.update_metadata("vault", "many", metadata={"a": "b"})
    ns.objects.copy_prefix("vault", "put", "vault", "below/")
    begun = ns.uploads.begin("vault", "parts")
    ns.uploads.part("vault", "parts", begun.upload_id, 1).commit()
    ns.uploads.complete(
        "vault", "parts", begun.upload_id, [(1, ns.uploads.parts("vault", "parts", begun.upload_id)[0].etag)]
    )
    for page in ns.listing.scan("vault"):
        for info in page:
            assert (info.tail["lock_mode"], days_left(ns, info.tail)) == (COMPLIANCE, 365), info.key
            span_us = info.tail["lock_until_us"] - info.created_us
            assert span_us == 365 * DAY_US
    own = ns.objects.put("vault", "own", b"", fields=until(2)).tail
    assert (own["lock_mode"], days_left(ns, own)) == (GOVERNANCE, 2)
    held = ns.objects.put("vault", "held", b"", fields={"hold": True}).tail
    assert (held["hold"], held["lock_mode"]) == (True, COMPLIANCE)


def test_a_copy_of_a_locked_version_is_not_locked(locked: Namespace) -> None:
    locked.objects.put("vault", "k", b"", fields=until(5) | {"hold": True})
    assert locked.objects.copy("vault", "k", "photos", "k").tail.keys() == {"from"}


def test_what_is_locked_is_not_deleted_by_its_id(locked: Namespace) -> None:
    ns = locked
    old = ns.objects.put("vault", "k", b"old", fields={"hold": True})
    new = ns.objects.put("vault", "k", b"new", fields=until(5, COMPLIANCE))
    ns.versions.delete_current("vault", ["k"])
    for info, says in ((old, "legal hold"), (new, "retained until 20")):
        with pytest.raises(Refused, match=says):
            ns.versions.delete("vault", "k", info.version_id, bypass_governance=True)
        assert ns.objects.read_infos([ns.versions.head("vault", "k", info.version_id).info])[0] == info_bytes(
            info, old
        )
    with pytest.raises(BucketNotEmpty):
        ns.buckets.delete("vault")
    lifted = ns.objects.edit("vault", "k", lambda info: {"hold": False}, version_id=old.version_id)
    assert lifted.tail["hold"] is False, "a hold that was lifted is not one that never was"
    assert ns.versions.delete("vault", "k", old.version_id).held


def info_bytes(info, old) -> bytes:
    return b"old" if info == old else b"new"


def test_governance_gives_way_to_who_has_the_right(locked: Namespace) -> None:
    ns = locked
    info = ns.objects.put("vault", "k", b"", fields=until(5))
    with pytest.raises(Refused, match="shortened"):
        ns.objects.edit("vault", "k", lambda i: until(1))
    with pytest.raises(Refused, match="GOVERNANCE"):
        ns.versions.delete("vault", "k", info.version_id)
    shorter = ns.objects.edit("vault", "k", lambda i: until(1), bypass_governance=True)
    assert days_left(ns, shorter.tail) == 1
    none = {"lock_mode": None, "lock_until_us": None}
    with pytest.raises(Refused):
        ns.objects.edit("vault", "k", lambda i: none)
    assert ns.objects.edit("vault", "k", lambda i: none, bypass_governance=True).tail == {"by": "ann@host"}
    ns.versions.delete("vault", "k", info.version_id)


def test_compliance_gives_way_to_nobody(locked: Namespace) -> None:
    ns = locked
    ns.objects.put("vault", "k", b"", fields=until(5, COMPLIANCE))
    for fields in (
        until(4, COMPLIANCE),
        until(9, GOVERNANCE),
        {"lock_mode": None, "lock_until_us": None},
        {"retain_until_us": 1},
        {"retain_until_us": None},
    ):
        with pytest.raises(Refused):
            ns.objects.edit("vault", "k", lambda i, f=fields: f, bypass_governance=True)
    assert days_left(ns, ns.objects.edit("vault", "k", lambda i: until(6, COMPLIANCE)).tail) == 6


def test_the_hubs_own_retention_of_a_version_needs_no_lock_and_never_ends_early(ns: Namespace) -> None:
    until_us = ns.store.pool_time_us() + DAY_US
    ns.objects.put("photos", "k", b"", fields={"retain_until_us": until_us})
    with pytest.raises(Refused):
        ns.objects.edit("photos", "k", lambda i: {"retain_until_us": until_us - 1}, bypass_governance=True)
    ns.objects.edit("photos", "k", lambda i: {"retain_until_us": until_us + 1})
    with pytest.raises(Refused, match="retained"):
        ns.versions.delete("photos", "k", "null", bypass_governance=True)
    assert ns.objects.delete("photos", "k")


@pytest.mark.parametrize(
    "fields",
    [
        {"lock_mode": GOVERNANCE},
        {"lock_until_us": 5},
        {"lock_mode": "STRICT", "lock_until_us": 5},
        {"lock_mode": GOVERNANCE, "lock_until_us": "2030-01-01"},
        {"lock_mode": GOVERNANCE, "lock_until_us": 2**61},
        {"lock_mode": GOVERNANCE, "lock_until_us": 2**80},
        {"retain_until_us": -1, "hold": True},
        {"hold": "ON"},
    ],
)
def test_locks_that_are_refused(locked: Namespace, fields) -> None:
    with pytest.raises(InvalidInput):
        locked.objects.put("vault", "k", b"", fields=fields)
    locked.objects.put("vault", "k", b"")
    with pytest.raises(InvalidInput):
        locked.objects.edit("vault", "k", lambda info: fields)


@pytest.mark.parametrize("fields", [until(1), {"hold": True}])
def test_a_bucket_without_object_lock_locks_nothing(ns: Namespace, fields) -> None:
    with pytest.raises(InvalidInput, match="no object lock"):
        ns.objects.put("photos", "k", b"", fields=fields)
    ns.objects.put("photos", "k", b"", metadata={"hold": "mine", "lock_mode": "mine"})
    with pytest.raises(InvalidInput, match="no object lock"):
        ns.objects.edit("photos", "k", lambda info: fields)
