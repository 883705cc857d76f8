"""Lifecycles expire what rules say is over: no more, restorably, and by a clock that can be believed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import maruhub
from maruhub import compose
from maruhub.care import lifecycle as lifecycle_module
from maruhub.care.lifecycle import Lifecycle
from maruhub.care.lifecycle_clock import DOUBTED_US, Belief, believe
from maruhub.cli.main import main
from maruhub.compose import OpenPool
from maruhub.errors import InvalidInput
from maruhub.namespace import Namespace, PutItem
from maruhub.namespace.bucket import Versioning
from maruhub.namespace.lifecycle import (
    DAY_US,
    LifecycleFilter,
    LifecycleRule,
    rules_from_json,
    rules_to_json,
)
from tests.clocks import Clocks

Days = Callable[..., None]


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[OpenPool]:
    pool = compose.create_pool(tmp_path / "hub", n=1, segment_bytes=4 << 20)
    yield pool
    pool.close()


@pytest.fixture
def ns(pool: OpenPool) -> Namespace:
    made = Namespace(pool.store, "ann")
    made.buckets.create("photos")
    return made


@pytest.fixture
def days(monkeypatch: pytest.MonkeyPatch) -> Days:
    """Lets days pass: on both clocks, or ``wall`` alone."""
    clocks = Clocks(monkeypatch)

    def wait(number: float, *, wall: bool = False) -> None:
        clocks.advance(wall_us=number * DAY_US, boot_us=0 if wall else number * DAY_US)

    return wait


def rule(ns: Namespace, bucket: str = "photos", **how: object) -> None:
    filters = LifecycleFilter(**how.pop("filter", {}))
    rules = rules_to_json([LifecycleRule("r", filter=filters, **how)])
    ns.buckets.edit(bucket, lambda b: {"lifecycle": rules})


def run(pool: OpenPool) -> dict[str, int]:
    """What expired, by kind, once a survey has said the same."""
    lifecycle = Lifecycle(pool.store)
    said = lifecycle.survey().found
    done = lifecycle.run()
    assert said.total() == done.found.total() + done.locked.total()
    return {kind: count for (_, kind, _), count in done.found.items()}


def keys(ns: Namespace) -> list[str]:
    return [info.key for page in ns.listing.scan("photos") for info in page]


def test_current_objects_expire_restorably(pool: OpenPool, ns: Namespace, days: Days) -> None:
    rule(ns, expire_days=3, filter={"prefix": "a/", "tags": {"k": "v"}, "larger_than": 1})
    tagged = {"tags": {"k": "v"}}
    ns.objects.put_many(
        "photos",
        [PutItem("a/1", b"22", fields=tagged), PutItem("a/2", b"1", fields=tagged), PutItem("a/3", b"22")],
    )
    ns.objects.put("photos", "b", b"22", fields=tagged)
    days(2.9)
    assert run(pool) == {}
    days(1.1)
    assert run(pool) == {"object": 1}
    assert keys(ns) == ["a/2", "a/3", "b"]
    assert ns.past.history("photos", "a/1")[-1].actor == "lifecycle"
    assert ns.past.undelete("photos", "a/1").size == 2


def test_in_a_bucket_that_keeps_versions_the_whole_way_to_nothing(
    pool: OpenPool, ns: Namespace, days: Days
) -> None:
    ns.buckets.set_versioning("photos", Versioning.ENABLED)
    for data in (b"1", b"2", b"3"):
        ns.objects.put("photos", "k", data)
    rule(ns, expire_days=10, noncurrent_days=2, newer_kept=1, abort_days=5)
    upload = ns.uploads.begin("photos", "k")
    days(4)
    assert run(pool) == {"older version": 1}
    days(3)
    assert run(pool) == {"upload": 1}
    assert list(ns.uploads.all("photos")) == []
    days(5)
    assert run(pool) == {"object": 1}
    assert keys(ns) == []
    # What was current is the newest of the older ones now, and that alone is kept.
    assert run(pool) == {"older version": 1}
    days(4)
    assert run(pool) == {}
    rule(ns, expire_days=10, noncurrent_days=1)
    assert run(pool) == {"older version": 1}
    days(8)
    assert run(pool) == {"lone marker": 1}
    assert ns.versions.page("photos").versions == []
    assert upload.key == "k"


def test_a_version_is_replaced_when_the_next_was_made_whatever_was_edited_since(
    pool: OpenPool, ns: Namespace, days: Days
) -> None:
    ns.buckets.set_versioning("photos", Versioning.ENABLED)
    old = ns.objects.put("photos", "k", b"1")
    ns.objects.put("photos", "k", b"2")
    rule(ns, noncurrent_days=2)
    days(2)
    ns.objects.edit("photos", "k", lambda info: {"tags": {"a": "b"}}, version_id=old.version_id)
    ns.objects.edit("photos", "k", lambda info: {"tags": {"a": "b"}})
    days(1)
    assert run(pool) == {"older version": 1}


def test_locks_win(pool: OpenPool, ns: Namespace, days: Days) -> None:
    ns.buckets.create("vault", fields={"lock": {}})
    held = ns.objects.put("vault", "k", b"1", fields={"hold": True})
    ns.objects.put("vault", "k", b"2")
    ns.objects.put("vault", "k", b"3")
    rule(ns, "vault", expire_days=1, noncurrent_days=1)
    days(3)
    done = Lifecycle(pool.store).run()
    assert done.locked == {"vault": 1}
    assert done.found.total() == 2
    days(30)
    assert Lifecycle(pool.store).run().locked == {"vault": 1}
    assert ns.versions.head("vault", "k", held.version_id).info.size == 1


def test_what_changed_between_finding_and_turn_stays(
    pool: OpenPool, ns: Namespace, days: Days, monkeypatch: pytest.MonkeyPatch
) -> None:
    ns.objects.put_many("photos", [PutItem(key, b"1") for key in "abc"])
    rule(ns, expire_days=1)
    days(3)
    real = lifecycle_module.find_due

    def found_then(change: Callable[[], object]):
        def find(*how):
            due = list(real(*how))
            change()
            return iter(due)

        return find

    changes = {
        "overwritten": (lambda: ns.objects.put("photos", "b", b"new"), ["b"]),
        "other rules": (lambda: rule(ns, expire_days=9), ["b", "z"]),
    }
    for change, kept in changes.values():
        monkeypatch.setattr(lifecycle_module, "find_due", found_then(change))
        Lifecycle(pool.store).run()
        assert keys(ns) == kept
        ns.objects.put("photos", "z", b"1")
        rule(ns, expire_days=1)
        days(3)
        ns.objects.put("photos", "b", b"new") if kept == ["b"] else None


def test_turns_are_bounded_and_stopping_between_them_loses_nothing(
    pool: OpenPool, ns: Namespace, days: Days, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifecycle_module, "ROWS_A_TURN", 3)
    ns.objects.put_many("photos", [PutItem(f"{n:02}", b"1") for n in range(10)])
    rule(ns, expire_days=1)
    days(3)

    def killed() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Lifecycle(pool.store).run(pause=killed)
    assert len(keys(ns)) == 7
    assert run(pool) == {"object": 7}


def test_a_wall_clock_that_jumps_ahead_expires_nothing_for_a_day(
    pool: OpenPool, ns: Namespace, days: Days
) -> None:
    rule(ns, expire_days=30, abort_days=30)
    ns.objects.put("photos", "k", b"1")
    ns.uploads.begin("photos", "u")
    assert run(pool) == {}
    days(400, wall=True)
    assert run(pool) == {}
    days(0.9)
    assert run(pool) == {}
    days(-400, wall=True)
    assert run(pool) == {}
    days(400, wall=True)
    assert run(pool) == {}
    days(0.5)
    assert run(pool) == {}
    days(0.4)
    assert run(pool) == {}
    days(0.2)
    assert run(pool) == {"object": 1, "upload": 1}
    assert ns.past.undelete("photos", "k").size == 1


def test_belief() -> None:
    start = Belief(100 * DAY_US, 5 * DAY_US)
    assert believe(None, 7, 3) == Belief(7, 3)
    assert believe(start, 99 * DAY_US, 6 * DAY_US).wall_us == 99 * DAY_US
    doubted = believe(start, 200 * DAY_US, 6 * DAY_US)
    assert doubted == Belief(101 * DAY_US, 6 * DAY_US, 6 * DAY_US)
    again = believe(doubted, 200 * DAY_US, 6 * DAY_US + DOUBTED_US - 1)
    assert again.ahead_since_us == doubted.ahead_since_us
    assert believe(again, 200 * DAY_US, 6 * DAY_US + DOUBTED_US).wall_us == 200 * DAY_US


def test_rules_that_cannot_be_read_expire_nothing(pool: OpenPool, ns: Namespace, days: Days) -> None:
    for wrong in ("<xml/>", [{}], [{"id": "r", "filter": {}, "more": 1}], [{"id": 5, "filter": {}}]):
        with pytest.raises(InvalidInput):
            ns.buckets.edit("photos", lambda b, wrong=wrong: {"lifecycle": wrong})
    for days_ in ("1", True, 1.5):
        with pytest.raises(InvalidInput):
            rules_from_json([{"id": "r", "filter": {}, "expire_days": days_}])


def test_rules_are_kept_as_they_are() -> None:
    rules = (
        LifecycleRule("a", expire_days=3),
        LifecycleRule("b", enabled=False, filter=LifecycleFilter("p/", {"k": "v"}, 5, 9), abort_days=1),
        LifecycleRule("", expire_at_us=DAY_US, drop_lone_markers=True, newer_kept=2, old_style=True),
    )
    assert rules_from_json(json.loads(json.dumps(rules_to_json(rules)))) == rules


def test_care_expires_by_itself_and_the_command_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MARU_HUB", str(tmp_path / "other"))
    with maruhub.create(tmp_path / "other", blades=1) as hub:
        hub.bucket("photos").put_many({"a": b"1", "b": b"2"})
        rules = rules_to_json([LifecycleRule("r", expire_at_us=DAY_US, filter=LifecycleFilter("a"))])
        hub.namespace.buckets.edit("photos", lambda b: {"lifecycle": rules})
    assert main(["lifecycle", "--dry-run", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["groups"] == [{"bucket": "photos", "kind": "object", "rule": "r", "count": 1}]
    assert main(["care", "--once"]) == 0
    assert "Expired by the rules of buckets: 1 object." in capsys.readouterr().out
    assert main(["lifecycle"]) == 0
    assert "Nothing is due" in "".join(capsys.readouterr())
    with maruhub.connect(tmp_path / "other") as hub:
        assert list(hub.bucket("photos")) == ["b"]
