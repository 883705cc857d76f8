"""What a decision reads: no more than the policies ask about, and all of that, however it is written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import maruhub
from maruhub.api import Hub
from maruhub.gateway.head import Head
from maruhub.gateway.need import Need
from maruhub.gateway.s3.operation import Operation
from maruhub.gateway.s3.route import Asked, route
from maruhub.gateway.service.authority import Authority
from maruhub.gateway.service.request import Caller, Request

ALLOW = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::box/*"}
SECRET = {"StringEquals": {"s3:ExistingObjectTag/kind": "secret"}}
DENY_SECRETS = ALLOW | {"Effect": "Deny", "Condition": SECRET}


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    with maruhub.create(tmp_path / "hub", blades=1) as hub:
        objects = hub.namespace.objects
        objects.put("box", "plain", b"1", create_bucket=True)
        objects.put("box", "tagged", b"2", fields={"tags": {"kind": "secret"}})
        yield hub


def may_read(hub: Hub, key: str, *, policy: str, user_policy: str | None = None) -> bool:
    hub.namespace.buckets.edit("box", lambda _: {"policy": policy})
    head = Head("GET", f"/box/{key}", "", (("host", "h"),), "http", "127.0.0.1:1")
    caller = Caller("ann", "A" * 20, user_policy=user_policy)
    request = Request(route(head), head, caller, hub.namespace, now_us=1, id="1")
    return Authority(request).allows(Need("s3:GetObject", "box", key))


def document(*statements: object) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def test_without_conditions_nothing_is_asked(hub: Hub, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("maruhub.gateway.service.authority.policy_keys", None)
    assert may_read(hub, "plain", policy=document(ALLOW))
    assert not may_read(hub, "plain", policy=document(ALLOW | {"Effect": "Deny"}))


@pytest.mark.parametrize("escaped", [False, True])
def test_a_tag_is_looked_at_however_the_policy_is_written(hub: Hub, escaped: bool):
    policy = document(ALLOW, DENY_SECRETS)
    if escaped:
        policy = policy.replace("ExistingObjectTag", "\\u0045xistingObject\\u0054ag")
        policy = policy.replace("Condition", "\\u0043ondition")
    assert may_read(hub, "plain", policy=policy)
    assert not may_read(hub, "tagged", policy=policy)


def test_a_users_conditions_count_beside_a_bucket_that_has_none(hub: Hub):
    user = json.loads(document({k: v for k, v in DENY_SECRETS.items() if k != "Principal"}))
    assert may_read(hub, "plain", policy=document(ALLOW), user_policy=json.dumps(user))
    assert not may_read(hub, "tagged", policy=document(ALLOW), user_policy=json.dumps(user))


def test_a_policy_kept_from_before_accounts_were_refused_keeps_nobody_out(hub: Hub):
    of_an_account = {"Effect": "Deny", "Principal": {"AWS": "123456789012"}, "Action": "s3:GetObject"}
    assert may_read(hub, "plain", policy=document(ALLOW, ALLOW | of_an_account))


EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}
ALL_BUT_ONE = {"Effect": "Allow", "NotAction": "s3:DeleteObject", "Resource": "*"}


@pytest.mark.parametrize("statement", [EVERYTHING, ALL_BUT_ONE])
@pytest.mark.parametrize("whose", ["key_policy", "user_policy"])
def test_no_policy_makes_an_admin(hub: Hub, whose: str, statement: object):
    head = Head("POST", "/", "", (("host", "h"),), "http", "127.0.0.1:1")
    asked = Asked(Operation.GET_OBJECT, "", "", {}, {})

    def may(action: str, *, admin: bool) -> bool:
        caller = Caller("ann", "A" * 20, admin=admin, **{whose: document(statement)})
        request = Request(asked, head, caller, hub.namespace, now_us=1, id="1")
        return Authority(request).allows(Need(action))

    assert may("s3:ListAllMyBuckets", admin=False)
    assert not may("maru:Admin", admin=False)
    assert may("maru:Admin", admin=True)
