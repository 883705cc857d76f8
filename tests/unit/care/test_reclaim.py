"""Rows are removed when their time is over, not before, and never while anything is in doubt."""

from __future__ import annotations

import dataclasses
import datetime
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from maruhub import compose
from maruhub.care.naming import RowNames
from maruhub.care.reclaim import Expired, Hold, Reclaim
from maruhub.care.reclaim import reclaim as reclaim_module
from maruhub.care.reclaim.objects import DeletedBuckets, HiddenObjects
from maruhub.care.reclaim.uploads import StrandedUploads
from maruhub.compose import OpenPool
from maruhub.errors import InvalidInput, NoSuchBucket, NoSuchVersion, Refused
from maruhub.namespace import Namespace
from maruhub.namespace.bucket import bucket_key, encode_bucket
from maruhub.namespace.object import object_prefix, with_fields
from maruhub.namespace.retention import Term, wall_moment
from maruhub.store.format.extent import EXTENT_DTYPE
from maruhub.store.format.row import Row
from tests.clocks import Clocks

DAY_S = 86_400
Later = Callable[[float], None]


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[OpenPool]:
    pool = compose.create_pool(tmp_path / "hub", n=3, segment_bytes=4 << 20)
    yield pool
    pool.close()


@pytest.fixture
def ns(pool: OpenPool) -> Namespace:
    return Namespace(pool.store, "ann")


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Later:
    """Lets so many seconds pass on this machine's boot clock."""
    clocks = Clocks(monkeypatch)
    return lambda seconds: clocks.advance(boot_us=seconds * 1e6)


def reclaim(pool: OpenPool) -> Reclaim:
    parts = [HiddenObjects(pool.store), StrandedUploads(pool.store), DeletedBuckets(pool.store)]
    return Reclaim(pool.store, parts, resolve=lambda row: None, name_row=RowNames(pool.store))


def hidden(pool: OpenPool) -> int:
    return len(pool.store.scan(b"V", b"W", 10_000))


def test_nothing_is_removed_before_the_delay_and_all_after(
    pool: OpenPool, ns: Namespace, later: Later
) -> None:
    ns.objects.put("photos", "a", b"one", create_bucket=True)
    ns.objects.put("photos", "a", b"two")
    ns.objects.delete("photos", "a")
    later(DAY_S - 60)
    assert reclaim(pool).expire() == Expired()
    assert hidden(pool) == 2
    later(120)
    assert reclaim(pool).expire() == Expired({"object version": 2}, 6)
    assert hidden(pool) == 0
    with pytest.raises(NoSuchVersion):
        ns.past.undelete("photos", "a")


def test_a_wall_clock_put_forward_erases_nothing(
    pool: OpenPool, ns: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    ns.objects.put("photos", "a", b"one", create_bucket=True)
    ns.objects.delete("photos", "a")
    Clocks(monkeypatch).advance(wall_us=10**15)
    assert reclaim(pool).expire() == Expired()


def test_current_versions_stay_whatever_the_time(pool: OpenPool, ns: Namespace, later: Later) -> None:
    ns.buckets.create("photos", delay_s=0)
    for number in range(5):
        ns.objects.put("photos", f"{number}", bytes([number]) * 5000)
        ns.objects.put("photos", f"{number}", bytes([number + 100]) * 5000)
    later(1000 * DAY_S)
    assert reclaim(pool).expire().rows == {"object version": 5}
    assert [bytes(v)[0] for v in ns.objects.read_many("photos", [f"{n}" for n in range(5)])] == [
        100,
        101,
        102,
        103,
        104,
    ]


def test_a_longer_delay_since_holds_and_a_shorter_one_never_frees(
    pool: OpenPool, ns: Namespace, later: Later
) -> None:
    ns.buckets.create("longer", delay_s=10)
    ns.buckets.create("shorter", delay_s=100)
    for name in ("longer", "shorter"):
        ns.objects.put(name, "a", b"x")
        ns.objects.delete(name, "a")
    ns.buckets.set_delay("longer", 100)
    ns.buckets.set_delay("shorter", 10)
    later(50)
    assert reclaim(pool).expire() == Expired()
    later(60)
    assert reclaim(pool).expire().rows == {"object version": 2}


def test_what_was_brought_back_between_finding_and_turn_stays(pool: OpenPool, ns: Namespace) -> None:
    ns.buckets.create("photos", delay_s=0)
    ns.objects.put("photos", "a", b"one")
    ns.objects.delete("photos", "a")
    part = HiddenObjects(pool.store)
    found = list(part.findings())
    assert [finding.hold for finding in found] == [Hold.NOTHING]
    ns.buckets.set_delay("photos", DAY_S)
    assert pool.store.commit(part.removal(found)) == []
    ns.buckets.retain("photos", Term.of(for_s=DAY_S))
    assert pool.store.commit(part.removal(found)) == []
    ns.past.undelete("photos", "a")
    assert bytes(ns.objects.read("photos", "a")) == b"one"


def test_a_bucket_of_the_same_name_says_nothing_of_the_old_ones_versions(
    pool: OpenPool, ns: Namespace
) -> None:
    ns.buckets.create("photos", delay_s=DAY_S)
    ns.objects.put("photos", "a", b"one")
    ns.objects.delete("photos", "a")
    part = HiddenObjects(pool.store)
    found = [dataclasses.replace(f, hold=Hold.NOTHING) for f in part.findings()]
    ns.buckets.delete("photos")
    ns.buckets.create("photos", delay_s=0)
    assert pool.store.commit(part.removal(found)) == []


def test_a_deleted_bucket_goes_last_and_its_versions_not_before_it(
    pool: OpenPool, ns: Namespace, later: Later
) -> None:
    ns.buckets.create("photos", delay_s=100)
    ns.objects.put("photos", "a", b"one")
    ns.objects.delete("photos", "a")
    later(90)
    ns.buckets.delete("photos")
    later(50)
    assert reclaim(pool).expire() == Expired()
    ns.buckets.undelete("photos")
    ns.past.undelete("photos", "a")
    ns.objects.delete("photos", "a")
    ns.buckets.delete("photos")
    later(101)
    assert reclaim(pool).expire().rows == {"object version": 2, "bucket": 1}
    with pytest.raises(NoSuchBucket):
        ns.buckets.undelete("photos")


def test_a_deleted_bucket_stays_while_a_version_of_it_does(pool: OpenPool, ns: Namespace) -> None:
    ns.buckets.create("photos", delay_s=0)
    ns.objects.put("photos", "a", b"one")
    ns.objects.delete("photos", "a")
    ns.buckets.delete("photos")
    part = DeletedBuckets(pool.store)
    assert [finding.hold for finding in part.findings()] == [Hold.CONTENT]
    forced = [dataclasses.replace(f, hold=Hold.NOTHING) for f in part.findings()]
    assert pool.store.commit(part.removal(forced)) == []


def test_turns_are_bounded_and_stopping_between_them_loses_nothing(
    pool: OpenPool, ns: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reclaim_module, "ROWS_A_TURN", 3)
    ns.buckets.create("photos", delay_s=0)
    for number in range(10):
        ns.objects.put("photos", f"{number}", b"x")
        ns.objects.delete("photos", f"{number}")
    turns = 0

    def stop() -> None:
        nonlocal turns
        turns += 1
        assert hidden(pool) == 10 - 3 * turns
        if turns == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        reclaim(pool).expire(pause=stop)
    assert hidden(pool) == 4
    assert reclaim(pool).expire().rows == {"object version": 4}


def test_rows_that_this_release_cannot_read_stay(pool: OpenPool, ns: Namespace) -> None:
    ns.buckets.create("photos", delay_s=0)
    ns.objects.put("photos", "a", b"one")
    ns.objects.delete("photos", "a")
    row = pool.store.scan(b"V", b"W", 1)[0]
    for payload in (b"\2" + row.payload[1:], row.payload[:20], b""):
        pool.store.commit(lambda rows, payload=payload: rows.put(row.key, payload, extents=row.extents))
        assert reclaim(pool).expire() == Expired()
        assert [group.hold for group in reclaim(pool).survey().groups.values()] == ["doubt"]


def test_what_a_later_release_holds_stays(pool: OpenPool, ns: Namespace) -> None:
    bucket = ns.buckets.create("photos", delay_s=0)
    ns.objects.put("photos", "a", b"one")
    ns.objects.delete("photos", "a")
    locked = dataclasses.replace(bucket, tail={"hold": {"mode": "compliance"}})
    pool.store.commit(lambda rows: rows.put(bucket_key("photos"), encode_bucket(locked)))
    assert reclaim(pool).expire() == Expired()


@pytest.mark.parametrize("tail", [{"lock": {"mode": 1}}, {"retain_until_us": "2030"}, {"hold": "ON"}])
def test_a_version_that_a_later_release_holds_stays(pool: OpenPool, ns: Namespace, tail) -> None:
    bucket = ns.buckets.create("photos", delay_s=0)
    info = ns.objects.put("photos", "a", b"one")
    row_key, payload = object_prefix(bucket) + b"a", with_fields(info.payload, tail)
    pool.store.commit(lambda rows: rows.put(row_key, payload, extents=info.extents))
    ns.objects.delete("photos", "a")
    assert reclaim(pool).expire() == Expired()
    assert {group.hold for group in reclaim(pool).survey().groups.values()} == {Hold.DOUBT}


def test_a_held_version_stays_however_it_came_out_of_sight(
    pool: OpenPool, ns: Namespace, later: Later
) -> None:
    bucket = ns.buckets.create("photos", delay_s=0)
    held, retained = ns.objects.put("photos", "a", b"one"), ns.objects.put("photos", "b", b"two")
    tails = [{"hold": True}, {"retain_until_us": pool.store.pool_time_us() + 5 * DAY_S * 10**6}]
    for info, tail in zip([held, retained], tails, strict=True):
        payload, row_key = with_fields(info.payload, tail), object_prefix(bucket) + info.key.encode()
        pool.store.commit(lambda rows, k=row_key, p=payload, i=info: rows.put(k, p, extents=i.extents))
    ns.objects.delete_many("photos", ["a", "b"])
    ns.buckets.delete("photos")
    later(DAY_S)
    assert reclaim(pool).expire() == Expired()
    survey = reclaim(pool).survey()
    assert {(g.hold, g.held_by) for g in survey.groups.values() if g.kind == "object version"} == {
        (Hold.RETENTION, "a legal hold"),
        (Hold.RETENTION, ""),
    }
    later(5 * DAY_S)
    assert reclaim(pool).expire().rows == {"object version": 1}


def test_a_lock_that_has_ended_lets_the_version_go(pool: OpenPool, ns: Namespace, later: Later) -> None:
    """The whole way of S3: locked by its bucket's default, deleted by its id once that is over, freed."""
    lock = {"lock": {"mode": "COMPLIANCE", "days": 2}}
    ns.buckets.create("photos", delay_s=0, fields=lock)
    info = ns.objects.put("photos", "a", b"one")
    assert info.tail["retain_until_us"] - pool.store.pool_time_us() > 2 * DAY_S * 10**6 - 60 * 10**6
    later(2 * DAY_S - 60)
    with pytest.raises(Refused, match="retained until"):
        ns.versions.delete("photos", "a", info.version_id, bypass_governance=True)
    later(120)
    assert reclaim(pool).expire() == Expired()
    ns.versions.delete("photos", "a", info.version_id)
    assert reclaim(pool).expire().rows == {"object version": 1}


def test_a_governance_lock_that_was_bypassed_holds_nothing(pool: OpenPool, ns: Namespace) -> None:
    ns.buckets.create("photos", delay_s=0, fields={"lock": {"mode": "GOVERNANCE", "years": 1}})
    infos = [ns.objects.put("photos", "a", b"%d" % n) for n in range(2)]
    for info in infos:
        with pytest.raises(Refused, match="GOVERNANCE"):
            ns.versions.delete("photos", "a", info.version_id)
        ns.versions.delete("photos", "a", info.version_id, bypass_governance=True)
    assert reclaim(pool).expire().rows == {"object version": 2}


def test_a_wall_clock_put_forward_ends_no_lock(
    pool: OpenPool, ns: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    ns.buckets.create("photos", fields={"lock": {"mode": "GOVERNANCE", "days": 1}})
    info = ns.objects.put("photos", "a", b"one")
    Clocks(monkeypatch).advance(wall_us=400 * DAY_S * 10**6)
    with pytest.raises(Refused):
        ns.versions.delete("photos", "a", info.version_id)
    # Its date lies behind now. Said once more, or a later one that lies behind too, it ends nothing.
    for more_us in (0, DAY_S * 10**6):
        until = {"lock_until_us": info.tail["lock_until_us"] + more_us}
        again = ns.objects.edit("photos", "a", lambda i, until=until: until)
        assert again.tail["retain_until_us"] == info.tail["retain_until_us"]


def test_versions_of_no_known_bucket_stay(pool: OpenPool, ns: Namespace) -> None:
    ns.buckets.create("photos", delay_s=0)
    ns.objects.put("photos", "a", b"one")
    ns.objects.delete("photos", "a")
    pool.store.commit(lambda rows: rows.remove(bucket_key("photos")))
    assert reclaim(pool).expire() == Expired()


def test_retention_holds_versions_and_bucket_until_it_ends(
    pool: OpenPool, ns: Namespace, later: Later
) -> None:
    ns.buckets.create("photos", delay_s=0)
    ns.objects.put("photos", "a", b"one")
    ns.buckets.retain("photos", Term.of(for_s=DAY_S))
    ns.objects.put("photos", "a", b"two")
    assert ns.objects.delete("photos", "a")
    with pytest.raises(Refused, match="retained"):
        ns.buckets.delete("photos")
    later(DAY_S - 60)
    assert reclaim(pool).expire() == Expired()
    assert {group.hold for group in reclaim(pool).survey().groups.values()} == {"retention"}
    assert ns.past.undelete("photos", "a").size == 3
    later(120)
    assert reclaim(pool).expire().rows == {"object version": 2}
    ns.objects.delete("photos", "a")
    ns.buckets.delete("photos")


def test_retention_is_never_shortened(pool: OpenPool, ns: Namespace) -> None:
    ns.buckets.create("photos")
    first = ns.buckets.retain("photos", Term.of(for_s=DAY_S)).retain_until_us
    assert ns.buckets.retain("photos", Term.of(for_s=60)).retain_until_us == first
    assert ns.buckets.retain("photos", Term.of(for_s=2 * DAY_S)).retain_until_us > first
    ns.buckets.set_delay("photos", 0)
    assert ns.buckets.get("photos").retain_until_us > first


def test_a_date_is_converted_once(pool: OpenPool, ns: Namespace) -> None:
    ns.buckets.create("photos")
    until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=2)
    held = ns.buckets.retain("photos", Term.of(until=until)).retain_until_us
    assert abs(held - pool.store.pool_time_us() - 2 * DAY_S * 10**6) < 10**7


@pytest.mark.parametrize(
    ("until", "for_s"),
    [
        (None, None),
        (datetime.date(2100, 1, 1), 5),
        (None, 0),
        (None, -1),
        (None, float("nan")),
        (None, 1e12),
        ("2030-01-01", None),
        (None, True),
        (datetime.date(2001, 1, 1), None),
        (datetime.date(9999, 12, 31), None),
    ],
)
def test_terms_that_make_no_sense(ns: Namespace, until: object, for_s: object) -> None:
    ns.buckets.create("photos")
    with pytest.raises(InvalidInput):
        ns.buckets.retain("photos", Term.of(until, for_s))
    assert ns.buckets.get("photos").retain_until_us == 0


def test_survey_says_what_would_be_freed_and_who_holds_the_rest(pool: OpenPool, ns: Namespace) -> None:
    ns.buckets.create("photos", delay_s=0)
    ns.buckets.create("slow", delay_s=DAY_S)
    ns.objects.put("photos", "gone", os.urandom(5000))
    ns.objects.put("photos", "kept", os.urandom(7000))
    ns.objects.copy("photos", "kept", "slow", "copy")
    ns.objects.put("slow", "b", os.urandom(100))
    ns.objects.delete("slow", "b")
    ns.objects.delete_many("photos", ["gone", "kept"])
    survey = reclaim(pool).survey()
    told = {
        (g.where, g.hold, g.held_by): (g.count, g.size_bytes, g.freed_bytes) for g in survey.groups.values()
    }
    assert told == {
        ("maru://photos", "", ""): (1, 5000, 5000),
        ("maru://photos", "", "maru://slow/copy"): (1, 7000, 0),
        ("maru://slow", "delay", ""): (1, 100, 0),
    }
    assert (survey.freed_bytes, survey.removable, survey.awaiting_bytes) == (5000, 2, 12_100)
    assert hidden(pool) == 3


def test_survey_counts_shared_bytes_once(pool: OpenPool, ns: Namespace) -> None:
    ns.buckets.create("photos", delay_s=0)
    ns.objects.put("photos", "a", os.urandom(5000))
    ns.objects.copy("photos", "a", "photos", "b")
    ns.objects.delete_many("photos", ["a", "b"])
    survey = reclaim(pool).survey()
    assert (survey.removable, survey.freed_bytes) == (2, 5000)


def test_survey_believes_rows_that_point_into_a_segment(pool: OpenPool, ns: Namespace) -> None:
    ns.buckets.create("photos", delay_s=0)
    info = ns.objects.put("photos", "a", os.urandom(5000))
    counter = pool.store.commit(lambda rows: rows.counter)
    pool.store.commit(
        lambda rows: rows.put(b"F" + bytes(16), b"", segments=[info.extents[0].segment], snapshot=counter)
    )
    ns.objects.delete("photos", "a")

    def survey(resolve: Callable[[Row], np.ndarray | None]):
        parts = [HiddenObjects(pool.store)]
        whole = Reclaim(pool.store, parts, resolve=resolve, name_row=lambda key: "cats@v1")
        return next(iter(whole.survey().groups.values()))

    named = survey(lambda row: np.frombuffer(info.extents_raw, EXTENT_DTYPE))
    assert (named.held_by, named.freed_bytes) == ("cats@v1", 0)
    unreadable = survey(lambda row: None)
    assert (unreadable.held_by, unreadable.freed_bytes) == ("something that can't be read", 0)
    elsewhere = survey(lambda row: np.empty(0, EXTENT_DTYPE))
    assert (elsewhere.held_by, elsewhere.freed_bytes) == ("", 5000)


def test_a_background_owner_looks_only_now_and_then(pool: OpenPool, ns: Namespace, later: Later) -> None:
    owner = reclaim(pool)
    assert owner.expire_every(600) == Expired()
    ns.buckets.create("photos", delay_s=0)
    ns.objects.put("photos", "a", b"one")
    ns.objects.delete("photos", "a")
    later(500)
    assert owner.expire_every(600) is None
    assert hidden(pool) == 1
    later(200)
    assert owner.expire_every(600) == Expired({"object version": 1}, 3)


def test_a_moment_that_no_calendar_has_is_shown_as_far_away() -> None:
    assert wall_moment(2**63 - 1, 0).year > 2500
    assert wall_moment(-(2**63), 0).year < 1500
