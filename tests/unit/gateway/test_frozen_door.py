"""The bucket ``dataset`` where nothing may wait: it says so before it reads a drive."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

import maruhub
from maruhub.api import Hub
from maruhub.gateway.head import Head
from maruhub.gateway.s3.failure import S3Failure
from maruhub.gateway.s3.route import route
from maruhub.gateway.service.request import Caller, Request, Unready
from maruhub.gateway.service.service import Service


def asked(hub: Hub, method: str, path: str) -> Request:
    head = Head(method, path, "", (("host", "h"),), "http", "127.0.0.1:1")
    caller = Caller("chief", "MARUCHIEF", admin=True)
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
