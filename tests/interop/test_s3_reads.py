"""GET and HEAD of objects: ranges, parts, conditions, overrides, and headers of every answer."""

from __future__ import annotations

import email.utils
import time

import pytest

from tests.s3_client import Bucket, S3Client

ETAG = '"5d41402abc4b2a76b9719d911017c592"'


def http_date(after_s: float) -> str:
    """The time so long after now, as HTTP writes it."""
    return email.utils.formatdate(time.time() + after_s, usegmt=True)


@pytest.fixture
def hello(bucket: Bucket) -> Bucket:
    """A bucket with an object of five bytes, ``k``."""
    bucket.put("k", b"hello", content_type="text/x")
    return bucket


def test_head_says_what_get_says(hello: Bucket):
    got, head = hello.get("k"), hello.head("k")
    differing = ("date", "x-amz-request-id", "x-amz-id-2")
    kept = {name: value for name, value in got.headers.items() if name not in differing}
    assert kept == {name: value for name, value in head.headers.items() if name not in differing}
    assert kept["etag"] == ETAG
    assert kept["accept-ranges"] == "bytes"
    assert kept["content-length"] == "5"
    assert kept["content-type"] == "text/x"
    assert email.utils.parsedate_to_datetime(kept["last-modified"]).timestamp() <= time.time()


def test_every_answer_can_be_told_from_others(hello: Bucket, anyone: S3Client):
    answers = [hello.get("k"), hello.get("none"), hello.delete("none"), hello.by(anyone).get("k")]
    assert len({answer.headers["x-amz-request-id"] for answer in answers}) == len(answers)
    assert all(answer.headers["x-amz-id-2"] for answer in answers)
    missing = hello.get("none")
    assert missing.text("RequestId") == missing.headers["x-amz-request-id"]
    assert missing.text("HostId") == missing.headers["x-amz-id-2"]


def test_one_connection_outlives_errors(hello: Bucket):
    assert hello.get("none").status == 404
    first = hello.client.connection.sock
    assert hello.head("none").status == 404
    assert hello.put("k", b"x", content_md5="junk").status == 400
    assert hello.get("k").body == b"hello"
    assert hello.client.connection.sock is first


@pytest.mark.parametrize(
    ("asked", "told", "body"),
    [
        ("bytes=0-0", "bytes 0-0/5", b"h"),
        ("bytes=1-", "bytes 1-4/5", b"ello"),
        ("bytes=-2", "bytes 3-4/5", b"lo"),
        ("bytes=-100", "bytes 0-4/5", b"hello"),
        ("bytes=4-100", "bytes 4-4/5", b"o"),
    ],
)
def test_ranges(hello: Bucket, asked: str, told: str, body: bytes):
    got, head = hello.get("k", range=asked), hello.head("k", range=asked)
    assert (got.status, got.headers["content-range"], got.body) == (206, told, body)
    assert (head.status, head.headers["content-range"]) == (206, told)
    assert head.headers["content-length"] == str(len(body))


@pytest.mark.parametrize("asked", ["bytes=3-2", "bytes=a-b", "bytes=0-1,3-4", "lines=0-1", "0-1"])
def test_what_is_not_one_range_is_passed_over(hello: Bucket, asked: str):
    assert (hello.get("k", range=asked).status, hello.get("k", range=asked).body) == (200, b"hello")


def test_a_download_goes_on_with_the_object_it_began_with(hello: Bucket):
    made = hello.head("k").headers["last-modified"]
    for same in (ETAG, made):
        assert hello.get("k", range="bytes=2-", if_range=same).body == b"llo"
    for other in ('"other"', f"W/{ETAG}", http_date(-1000)):
        for asked in ("bytes=2-", "bytes=9-"):
            got = hello.get("k", range=asked, if_range=other)
            assert (got.status, got.body, got.headers.get("content-range")) == (200, b"hello", None)


@pytest.mark.parametrize("asked", ["bytes=5-", "bytes=5-6", "bytes=-0"])
def test_ranges_behind_the_end(hello: Bucket, asked: str):
    got = hello.get("k", range=asked)
    assert (got.status, got.code, got.text("ActualObjectSize")) == (416, "InvalidRange", "5")
    head = hello.head("k", range=asked)
    assert head.status == 416
    # It is how curl knows that a download which is to go on had come to its end.
    assert got.headers["content-range"] == head.headers["content-range"] == "bytes */5"


def test_nothing_has_no_range(hello: Bucket):
    hello.put("empty")
    assert hello.get("empty").headers["content-length"] == "0"
    for asked in ("bytes=0-0", "bytes=-1"):
        assert hello.get("empty", range=asked).code == "InvalidRange"


def test_an_object_put_whole_is_one_part(hello: Bucket):
    got, head = hello.get("k", "partNumber=1"), hello.head("k", "partNumber=1")
    assert (got.status, got.headers["content-range"], got.body) == (206, "bytes 0-4/5", b"hello")
    assert (head.status, head.headers["content-length"]) == (206, "5")
    assert "x-amz-mp-parts-count" not in got.headers
    assert (hello.get("k", "partNumber=2").status, hello.head("k", "partNumber=2").status) == (416, 416)
    assert hello.get("k", "partNumber=0").code == "InvalidArgument"
    hello.put("empty")
    assert hello.get("empty", "partNumber=1").status == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"if_match": ETAG}, 200),
        ({"if_match": "*"}, 200),
        ({"if_match": '"other"'}, 412),
        ({"if_none_match": ETAG}, 304),
        ({"if_none_match": "*"}, 304),
        ({"if_none_match": '"other"'}, 200),
        ({"if_modified_since": http_date(-1000)}, 200),
        ({"if_modified_since": http_date(1000)}, 304),
        ({"if_modified_since": "yesterday"}, 200),
        ({"if_unmodified_since": http_date(-1000)}, 412),
        ({"if_unmodified_since": http_date(1000)}, 200),
        # The first of a pair decides.
        ({"if_match": ETAG, "if_unmodified_since": http_date(-1000)}, 200),
        ({"if_none_match": '"other"', "if_modified_since": http_date(1000)}, 200),
        ({"if_none_match": ETAG, "if_modified_since": http_date(-1000)}, 304),
    ],
)
def test_conditions(hello: Bucket, headers: dict[str, str], status: int):
    got, head = hello.get("k", **headers), hello.head("k", **headers)
    assert (got.status, head.status) == (status, status)
    if status == 304:
        assert (got.body, got.headers["etag"]) == (b"", ETAG)
    if status == 412:
        name = "If-Match" if "if_match" in headers else "If-Unmodified-Since"
        assert (got.code, got.text("Condition")) == ("PreconditionFailed", name)


def test_not_modified_says_how_long_anew(hello: Bucket):
    kept = {"cache-control": "max-age=5", "expires": "Thu, 01 Dec 2094 16:00:00 GMT"}
    etag = hello.ask("PUT", "k", headers={**kept, "content-language": "de"}, body=b"x").headers["etag"]
    for answer in (hello.get("k", if_none_match=etag), hello.head("k", if_none_match=etag)):
        assert answer.status == 304
        assert kept.items() <= dict(answer.headers).items()
        assert "content-language" not in answer.headers


def test_overrides(hello: Bucket, anyone: S3Client):
    said = {
        "response-content-type": "a/b",
        "response-content-disposition": 'attachment; filename="x y"',
        "response-cache-control": "no-store",
        "response-content-encoding": "br",
        "response-content-language": "de",
        "response-expires": "Thu, 01 Dec 1994 16:00:00 GMT",
    }
    for answer in (hello.get("k", said), hello.head("k", said)):
        assert answer.status == 200
        for name, value in said.items():
            assert answer.headers[name.removeprefix("response-")] == value
    assert hello.get("k", "response-content-type=").headers["content-type"] == "text/x"
    hello.ask("PUT", "k", "acl", headers={"x-amz-acl": "public-read"})
    assert hello.by(anyone).get("k").status == 200
    assert hello.by(anyone).get("k", said).code == "InvalidRequest"


def test_head_of_what_is_not_there_has_no_body(hello: Bucket, anyone: S3Client):
    for answer in (hello.head("none"), hello.by(anyone).head("k"), hello.head("k", "versionId=junk")):
        assert answer.status in (400, 403, 404)
        assert answer.body == b""
        assert answer.headers["content-type"] == "application/xml"
