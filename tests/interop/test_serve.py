"""The server as an operator meets it: health, metrics, signals, logs."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.s3_wire import Wire
from tests.serving import Server, fetch, serving, wait_until

REQUESTS = 200


def test_it_says_how_it_is(server: Server):
    assert fetch(f"{server.url}/-/health") == (200, b"ok\n")
    assert fetch(f"{server.url}/-/ready") == (200, b"ready\n")
    assert fetch(f"{server.url}/nobody-has-this-bucket/key")[0] == 404

    def counted() -> bool:
        """A request counts when its answer has gone, with the others of its moment."""
        status, text = fetch(f"{server.url}/metrics")
        assert status == 200
        return b"maru_http_requests_total{" in text and b"# HELP maru_http_request_seconds" in text

    wait_until(counted)


def test_metrics_are_the_sum_of_all_workers(tmp_path: Path):
    with serving(tmp_path, "--workers", "2", "--no-care") as server:
        for _ in range(REQUESTS):
            assert fetch(f"{server.url}/nobody-has-this-bucket/key")[0] == 404

        def counted() -> float:
            found = re.search(
                rb'maru_http_requests_total\{operation="GetObject",status="404"\} (\S+)',
                fetch(f"{server.url}/metrics")[1],
            )
            return float(found[1]) if found else 0

        wait_until(lambda: counted() >= REQUESTS)
        # Each comes from the worker that the kernel deals the connection to.
        assert {counted() for _ in range(20)} == {REQUESTS}


@pytest.mark.parametrize("key", ["-/health", "-/ready", "metrics", "-/batch/v1/read"])
def test_what_the_server_says_of_itself_hides_no_key_of_a_bucket(hosting: Server, key: str):
    with Wire(hosting, hosting.key("ann")) as ann:
        address, ann.host = ann.host, "photos.s3.lab"
        assert ann.ask("PUT", "/").status == 200
        assert ann.ask("PUT", f"/{key}", body=b"bytes").headers["etag"]
        assert ann.ask("GET", f"/{key}").body == b"bytes"
        ann.host = address
        assert ann.ask("GET", f"/photos/{key}").body == b"bytes"


@pytest.mark.parametrize("path", ["/-/health", "/-/ready", "/metrics"])
def test_a_write_is_never_answered_by_what_the_server_says_of_itself(hosting: Server, path: str):
    with Wire(hosting) as nobody:
        assert nobody.ask("PUT", path, body=b"bytes").status >= 400


def test_strangers_give_metrics_no_names(hosting: Server):
    def counts() -> set[bytes]:
        return set(re.findall(rb'operation="([^"]*)"', fetch(f"{hosting.url}/metrics")[1]))

    with Wire(hosting) as nobody:
        for number in range(50):
            nobody.ask("POST", f"/-/batch/v1/{number}")
            nobody.ask(f"M{number}", f"/b{number}/k", f"q{number}")
        nobody.ask("POST", "/-/batch/v1/read")
    wait_until(lambda: {b"batch", b"batch-read", b"unknown"} <= counts())
    assert len(counts()) < 20


@pytest.fixture(scope="module")
def hosting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(
        tmp_path_factory.mktemp("hosting"), "--workers", "1", "--host", "s3.lab", blades=1
    ) as server:
        yield server


def test_strangers_get_an_error_of_s3(server: Server):
    status, body = fetch(f"{server.url}/nobody-has-this-bucket/key")
    assert status == 404
    assert b"<Code>NoSuchBucket</Code>" in body
    status, body = fetch(f"{server.url}/")
    assert status == 403
    assert b"<Code>AccessDenied</Code>" in body


def test_a_killed_worker_is_replaced(tmp_path: Path):
    with serving(tmp_path, "--workers", "2", blades=1) as server:
        before = set(server.workers())
        os.kill(min(before), signal.SIGKILL)
        wait_until(lambda: len(set(server.workers()) - before) == 1 and len(server.workers()) == 2)
        assert fetch(f"{server.url}/-/ready")[0] == 200


def test_workers_end_with_their_parent(tmp_path: Path):
    with serving(tmp_path, "--workers", "2", blades=1) as server:
        workers = server.workers()
        server.process.kill()
        server.process.wait()
        wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))


def test_the_access_log_leaves_queries_out(tmp_path: Path):
    log = tmp_path / "access.log"
    with serving(tmp_path, "--workers", "1", "--access-log", str(log), blades=1) as server:
        fetch(f"{server.url}/bucket/key?X-Amz-Signature=0123456789")
        wait_until(lambda: log.exists() and log.read_text())
    line = json.loads(log.read_text().splitlines()[0])
    assert (line["path"], line["operation"]) == ("/bucket/key", "GetObject")
    assert "0123456789" not in log.read_text()


@pytest.mark.parametrize("name", ["b", "Upper", "under_score", "a..b", "192.168.0.1", "x" * 64, "maru-x"])
def test_a_name_that_no_bucket_can_have_is_refused_by_its_code(server: Server, name: str):
    with Wire(server, server.key("ann")) as wire:
        for method, path in (("PUT", f"/{name}"), ("GET", f"/{name}"), ("PUT", f"/{name}/k")):
            told = wire.ask(method, path)
            assert (told.status, told.code) == (400, "InvalidBucketName")


def test_a_header_that_is_not_ascii_is_refused_and_not_left_out(server: Server):
    with Wire(server, server.key("ann")) as wire:
        assert wire.ask("PUT", "/not-ascii").status == 200
        told = wire.ask("PUT", "/not-ascii/k", headers={"x-amz-meta-name": "\u00e9"})
        assert (told.status, told.code) == (400, "InvalidArgument")
        assert b"x-amz-meta-name" in told.body
        encoded = {"x-amz-meta-name": "=?UTF-8?B?w6k=?="}
        assert wire.ask("PUT", "/not-ascii/k", headers=encoded).status == 200
        assert wire.ask("HEAD", "/not-ascii/k").headers["x-amz-meta-name"] == encoded["x-amz-meta-name"]
