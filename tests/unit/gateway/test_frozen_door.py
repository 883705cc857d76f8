"""The bucket ``dataset`` where nothing may wait: it says so before it reads a drive."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

import maruhub
from maruhub.api import Hub
from maruhub.errors import Refused
from maruhub.gateway.batch.opened.sources import Sources
from maruhub.gateway.batch.request import Source
from maruhub.gateway.head import Head
from maruhub.gateway.s3.failure import S3Failure
from maruhub.gateway.s3.route import route
from maruhub.gateway.service.authority import Authority
from maruhub.gateway.service.request import Caller, Request, Unready
from maruhub.gateway.service.service import Service

CHIEF = Caller("chief", "MARUCHIEF", admin=True)


def asked(hub: Hub, method: str, path: str, caller: Caller = CHIEF) -> Request:
    head = Head(method, path, "", (("host", "h"),), "http", "127.0.0.1:1")
    at_once = hub.store.read_at_once
    return Request(route(head), head, caller, hub.namespace, now_us=1, id="1", at_once=at_once)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_reads_of_a_version_go_on_in_a_thread(tmp_path: Path, method: str, monkeypatch: pytest.MonkeyPatch):
    with maruhub.create(tmp_path / "hub", blades=1) as hub:
        hub.bucket("raw")["a"] = b"bytes"
        hub.dataset("pets").commit("raw")
        service = Service(hub)
        request = asked(hub, method, "/dataset/pets/v1/raw/a")
        with monkeypatch.context() as patched:
            patched.setattr("maruhub.gateway.service.frozen.frozen_bucket", None)
            with pytest.raises(Unready):
                service.answer(request)
        answer = service.answer(dataclasses.replace(request, at_once=None))
        assert answer.status == 200
        assert b"".join(answer.body) == (b"bytes" if method == "GET" else b"")


def test_what_needs_no_drive_is_refused_at_once(tmp_path: Path):
    with maruhub.create(tmp_path / "hub", blades=1) as hub, pytest.raises(S3Failure, match="key"):
        Service(hub).answer(asked(hub, "GET", "/dataset/pets"))


READS = {"Effect": "Allow", "Action": "s3:*", "Resource": ["arn:aws:s3:::dataset", "arn:aws:s3:::dataset/*"]}


@pytest.mark.parametrize("whose", ["user_policy", "key_policy"])
@pytest.mark.parametrize(
    ("denied", "open_"),
    [("pets/v1/*", []), ("pets/v1/raw/b*", ["a"]), ("pets/v1/raw/?", []), ("pets/v2/*", ["a", "b"])],
)
def test_what_is_denied_of_a_version_is_denied_by_every_name_and_door(
    tmp_path: Path, whose: str, denied: str, open_: list[str]
):
    deny = {"Effect": "Deny", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::dataset/{denied}"}
    caller = Caller("ann", "A" * 20, **{whose: json.dumps({"Statement": [READS, deny]})})
    with maruhub.create(tmp_path / "hub", blades=1) as hub:
        hub.bucket("raw").put_many({"a": b"1", "b": b"2"})
        hub.dataset("pets").commit("raw")
        hub.dataset("pets").tag("best")

        def read(path: str) -> int:
            try:
                request = dataclasses.replace(asked(hub, "GET", path, caller), at_once=None)
                return Service(hub).answer(request).status
            except S3Failure as failure:
                return failure.status

        for version in ("v1", "latest", "best"):
            found = [key for key in "ab" if read(f"/dataset/pets/{version}/raw/{key}") == 200]
            assert (version, found) == (version, open_)
            allowed = Authority(asked(hub, "GET", "/", caller)).allows
            source = Source("pets", version)
            if open_ == ["a", "b"]:
                assert len(Sources(hub).open(source, allowed)) == 2
            else:
                with pytest.raises(Refused):
                    Sources(hub).open(source, allowed)
