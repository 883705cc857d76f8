"""Signatures over the wire: links, dates, headers that are missing, and what each is told."""

from __future__ import annotations

import time

import pytest

from tests.s3_client import UNSIGNED, Bucket, S3Client
from tests.s3_wire import exchange
from tests.serving import Key, Server


@pytest.fixture
def hello(bucket: Bucket) -> Bucket:
    bucket.put("k", b"hello")
    return bucket


def link(bucket: Bucket, method: str = "GET", key: str = "k", query=None, **how) -> str:
    return bucket.client.presigned(method, f"/{bucket.name}/{key}", query, **how)


def test_links_do_what_they_were_made_for(hello: Bucket, anyone: S3Client):
    assert anyone.send("GET", link(hello)).body == b"hello"
    assert anyone.send("HEAD", link(hello, "HEAD")).headers["content-length"] == "5"
    put = anyone.send("PUT", link(hello, "PUT", "new"), {"content-length": "3"}, b"abc")
    assert (put.status, hello.get("new").body) == (200, b"abc")
    assert anyone.send("DELETE", link(hello, "DELETE", "new")).status == 204
    named = {"response-content-type": "a/b", "response-content-disposition": 'attachment; filename="x y"'}
    got = anyone.send("GET", link(hello, query=named))
    assert got.headers["content-type"] == "a/b"
    assert got.headers["content-disposition"] == 'attachment; filename="x y"'


def test_links_do_nothing_else(hello: Bucket, anyone: S3Client):
    for changed in (
        link(hello)[:-1] + ("0" if link(hello)[-1] != "0" else "1"),
        link(hello).replace("/k?", "/other?"),
        link(hello) + "&versionId=null",
    ):
        refused = anyone.send("GET", changed)
        assert (refused.status, refused.code) == (403, "SignatureDoesNotMatch")
    assert anyone.send("HEAD", link(hello)).status == 403
    meta = {"content-length": "1", "x-amz-meta-a": "b"}
    assert anyone.send("PUT", link(hello, "PUT"), meta, b"x").code == "AccessDenied"
    assert hello.get("k").body == b"hello"


def test_a_header_that_a_link_signs_must_come(hello: Bucket, anyone: S3Client):
    signed = link(hello, "PUT", headers={"content-type": "a/b"})
    without = anyone.send("PUT", signed, {"content-length": "1"}, b"x")
    assert (without.status, without.code) == (403, "SignatureDoesNotMatch")
    other = anyone.send("PUT", signed, {"content-length": "1", "content-type": "c/d"}, b"x")
    assert other.code == "SignatureDoesNotMatch"
    assert anyone.send("PUT", signed, {"content-length": "1", "content-type": "a/b"}, b"x").status == 200


@pytest.mark.parametrize(
    ("how", "status", "code"),
    [
        ({"at_s": -100}, 403, "AccessDenied"),
        ({"at_s": 3600}, 403, "AccessDenied"),
        ({"expires_s": 0}, 400, "AuthorizationQueryParametersError"),
        ({"expires_s": -1}, 400, "AuthorizationQueryParametersError"),
        ({"expires_s": 7 * 86_400 + 1}, 400, "AuthorizationQueryParametersError"),
    ],
)
def test_times_of_links(hello: Bucket, anyone: S3Client, how: dict, status: int, code: str):
    if "at_s" in how:
        how = {"at_s": time.time() + how["at_s"]}
    refused = anyone.send("GET", link(hello, **how))
    assert (refused.status, refused.code) == (status, code)


def test_times_of_requests(hello: Bucket):
    path = f"/{hello.name}/k"
    for late_s in (-3600, 3600):
        headers = hello.client.signature("GET", path, headers={}, at_s=time.time() + late_s)
        refused = hello.client.send("GET", path, headers)
        assert (refused.status, refused.code) == (403, "RequestTimeTooSkewed")


@pytest.mark.parametrize(
    ("name", "value", "status", "code"),
    [
        ("x-amz-date", None, 403, "AccessDenied"),
        ("x-amz-date", "yesterday", 403, "AccessDenied"),
        ("x-amz-content-sha256", None, 400, "InvalidRequest"),
        ("x-amz-content-sha256", "junk", 400, "InvalidArgument"),
        ("authorization", "junk", 400, "InvalidRequest"),
        ("authorization", "AWS key:signature", 400, "InvalidRequest"),
        ("authorization", "AWS4-HMAC-SHA256", 400, "AuthorizationHeaderMalformed"),
        ("authorization", "AWS4-HMAC-SHA256 Credential=x", 400, "AuthorizationHeaderMalformed"),
        ("date", "yesterday", 200, ""),
    ],
)
def test_headers_of_the_signature(hello: Bucket, name: str, value: str | None, status: int, code: str):
    path = f"/{hello.name}/k"
    headers = hello.client.signature("GET", path, headers={})
    headers.pop(name, None)
    if value is not None:
        headers[name] = value
    answer = hello.client.send("GET", path, headers)
    assert (answer.status, answer.code) == (status, code)


def test_who_is_nobody(server: Server, hello: Bucket):
    known = server.key("ann")
    wrong = {
        "InvalidAccessKeyId": Key("AKNOBODY000000000000", "secret", "nobody"),
        "SignatureDoesNotMatch": Key(known.access_key, "not the secret", "ann"),
    }
    for code, key in wrong.items():
        with S3Client(server, key) as client:
            assert hello.by(client).get("k").code == code


def test_what_is_said_of_the_body(hello: Bucket):
    wrong = hello.put("k", b"x", x_amz_content_sha256="0" * 64)
    assert (wrong.status, wrong.code) == (400, "XAmzContentSHA256Mismatch")
    assert hello.get("k").body == b"hello"
    assert hello.put("k", b"x", x_amz_content_sha256=UNSIGNED).status == 200


FRAMED = b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"
OF_FRAMES = {
    "content-encoding": "aws-chunked",
    "x-amz-decoded-content-length": "5",
    "x-amz-trailer": "x-amz-checksum-crc32",
}
SAYS_SO = OF_FRAMES | {"x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER"}
IS_UNSIGNED = OF_FRAMES | {"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}


@pytest.mark.parametrize("headers", [OF_FRAMES, SAYS_SO, IS_UNSIGNED])
def test_a_framed_body_is_kept_without_its_frames_whoever_sends_it(
    hello: Bucket, anyone: S3Client, headers: dict[str, str]
):
    """SDKs frame bodies also where nobody signs, over TLS by default."""
    assert hello.ask("PUT", query="acl", headers={"x-amz-acl": "public-read-write"}).status == 200
    nobody = hello.by(anyone)
    assert nobody.ask("PUT", "k", headers=headers, body=FRAMED).status == 200
    assert hello.get("k").body == b"hello"
    wrong = nobody.ask("PUT", "k", headers=headers, body=FRAMED.replace(b"hello", b"Hello"))
    assert (wrong.status, wrong.code) == (400, "BadDigest")
    bare = {name: value for name, value in headers.items() if name != "x-amz-trailer"}
    assert nobody.ask("PUT", "k", headers=bare, body=b"5\r\nagain\r\n0\r\n\r\n").status == 200
    assert hello.get("k").body == b"again"


def test_what_nobody_says_of_a_body_counts_too(hello: Bucket, anyone: S3Client):
    assert hello.ask("PUT", query="acl", headers={"x-amz-acl": "public-read-write"}).status == 200
    nobody = hello.by(anyone)
    for said, code in (
        ("0" * 64, "XAmzContentSHA256Mismatch"),
        ("anything", "InvalidArgument"),
        ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "InvalidRequest"),
    ):
        assert nobody.ask("PUT", "k", headers={"x-amz-content-sha256": said}, body=b"x").code == code
    assert hello.get("k").body == b"hello"


def test_two_keys_that_are_no_text_are_not_one(hello: Bucket, anyone: S3Client):
    assert hello.ask("PUT", query="acl", headers={"x-amz-acl": "public-read-write"}).status == 200
    where = {"host": anyone.host, "content-length": "1"}
    for key in ("%ff", "%fe", "%ef%bf%bd"):
        assert anyone.send("PUT", f"/{hello.name}/{key}", where, b"x").code == "InvalidURI"
    assert hello.put("\ufffd", b"signed").status == 200
    assert hello.get("\ufffd").body == b"signed"
    assert hello.ask("GET").texts("Contents/Key") == ["k", "\ufffd"]


@pytest.mark.parametrize("hosts", [[], ["a", "b"]])
def test_a_request_has_one_host(server: Server, hosts: list[str]):
    said = "".join(f"host: {host}\r\n" for host in hosts)
    told = exchange(server.port, f"GET /-/health HTTP/1.1\r\n{said}\r\n".encode())
    assert told is not None
    assert (told.status, told.code) == (400, "BadRequest")
    told = exchange(server.port, b"GET /-/health HTTP/1.0\r\n\r\n")
    assert told is not None
    assert told.status == 200
