"""Puts and deletes of objects: keys, headers that are kept, sums, conditions."""

from __future__ import annotations

import base64
import hashlib
import random

import pytest

from tests.s3_client import Bucket, address

ETAG = '"5d41402abc4b2a76b9719d911017c592"'
CRC32, SHA1 = "NhCmhg==", "qvTGHdzF6KLavt4PO0gs2a6pQ00="


@pytest.mark.parametrize(
    "key",
    [" ", "a b", "a+b", "a%2Fb", "%", "é", "日本", "😀", "x" * 1024, "é" * 512, "a//b", "./a", "../a",
     "a/", "/a", "\x01", "q?r", "a#b", "a;b", "~", "a\\b", "a\"b'c", "<&>"],
)  # fmt: skip
def test_any_key(bucket: Bucket, key: str):
    assert bucket.put(key, key.encode()).status == 200
    assert bucket.get(key).body == key.encode()
    assert bucket.ask("GET", query="encoding-type=url").texts("Contents/Key") == [address(key)]
    assert bucket.delete(key).status == 204
    assert bucket.get(key).code == "NoSuchKey"


@pytest.mark.parametrize("size", [0, 1, 128 << 10, (128 << 10) + 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1])
def test_any_size_whichever_way_its_body_goes(bucket: Bucket, size: int):
    body = random.Random(size).randbytes(size)
    asked = bucket.put("k", body)
    assert (asked.status, bucket.get("k").body == body) == (200, True)
    # Whether a page of another site may see the answer is found out first, in the event loop.
    asked = bucket.put("k", body[::-1], origin="https://page.example", content_md5=md5_of(body[::-1]))
    assert (asked.status, bucket.get("k").body == body[::-1]) == (200, True)
    for wrong, code in ((md5_of(body + b"x"), "BadDigest"), ("junk", "InvalidDigest")):
        assert bucket.put("k", body, content_md5=wrong).code == code
    assert bucket.put("k", body, if_none_match="*").code == "PreconditionFailed"
    assert bucket.get("k").body == body[::-1]


def md5_of(body: bytes) -> str:
    return base64.b64encode(hashlib.md5(body).digest()).decode()


def test_keys_end(bucket: Bucket):
    for ask in (bucket.put, bucket.get, bucket.delete):
        assert ask("x" * 1025).code == "KeyTooLongError"


def test_what_is_kept_comes_back(bucket: Bucket):
    said = {
        "content-type": "text/plain; charset=utf-8",
        "cache-control": "no-cache",
        "content-disposition": "attachment; filename=x",
        "content-encoding": "gzip",
        "content-language": "de",
        "expires": "Thu, 01 Dec 1994 16:00:00 GMT",
        "x-amz-meta-name": "value",
        "x-amz-meta-empty": "",
        "x-amz-meta-word": "=?UTF-8?B?w5w=?=",
    }
    assert bucket.ask("PUT", "k", headers=said, body=b"x").status == 200
    for answer in (bucket.get("k"), bucket.head("k")):
        assert {name: answer.headers[name] for name in said} == said
    bucket.put("k", b"x")
    plain = bucket.head("k").headers
    assert plain["content-type"] == "binary/octet-stream"
    assert not any(name.startswith("x-amz-meta-") or name == "expires" for name in plain)


def test_the_framing_of_a_body_is_no_encoding_of_the_object(bucket: Bucket):
    bucket.put("k", content_encoding="aws-chunked")
    assert "content-encoding" not in bucket.head("k").headers
    bucket.put("k", content_encoding="gzip,aws-chunked")
    assert bucket.head("k").headers["content-encoding"] == "gzip"


def test_metadata_ends(bucket: Bucket):
    assert bucket.put("k", x_amz_meta_a="x" * 2047).status == 200
    assert bucket.put("k", x_amz_meta_a="x" * 2048).code == "MetadataTooLarge"


def test_sums_of_the_body(bucket: Bucket):
    assert bucket.put("k", b"hello", content_md5="XUFAKrxLKna5cZ2REBfFkg==").status == 200
    assert bucket.put("k", b"other", content_md5="XUFAKrxLKna5cZ2REBfFkg==").code == "BadDigest"
    for malformed in ("junk", "", "AAAA"):
        assert bucket.put("k", b"other", content_md5=malformed).code == "InvalidDigest"
    assert bucket.put("k", b"other", x_amz_checksum_crc32=CRC32).code == "BadDigest"
    assert bucket.put("k", b"other", x_amz_checksum_crc32="junk").code == "InvalidRequest"
    assert (
        bucket.put("k", b"hello", x_amz_checksum_crc32=CRC32, x_amz_checksum_sha1=SHA1).code
        == "InvalidRequest"
    )
    assert bucket.put("k", b"hello", x_amz_sdk_checksum_algorithm="SHA1").code == "InvalidRequest"
    assert bucket.get("k").body == b"hello"


def test_the_checksum_is_kept(bucket: Bucket):
    put = bucket.put("k", b"hello", x_amz_checksum_sha1=SHA1, x_amz_sdk_checksum_algorithm="SHA1")
    assert (put.headers["x-amz-checksum-sha1"], put.headers["x-amz-checksum-type"]) == (SHA1, "FULL_OBJECT")
    assert "x-amz-checksum-sha1" not in bucket.get("k").headers
    for ask in (bucket.get, bucket.head):
        assert ask("k", x_amz_checksum_mode="ENABLED").headers["x-amz-checksum-sha1"] == SHA1
        assert "x-amz-checksum-sha1" not in ask("k", x_amz_checksum_mode="ENABLED", range="bytes=1-2").headers
    asked = {"x-amz-object-attributes": "ETag,Checksum,ObjectParts,StorageClass,ObjectSize"}
    told = bucket.ask("GET", "k", "attributes", headers=asked)
    assert told.names() == ["ETag", "Checksum", "StorageClass", "ObjectSize"]
    assert told.text("Checksum/ChecksumSHA1") == SHA1
    for wrong in ({}, {"x-amz-object-attributes": "Colour"}):
        assert bucket.ask("GET", "k", "attributes", headers=wrong).code == "InvalidArgument"


def test_conditions_of_puts(bucket: Bucket):
    assert bucket.put("new", b"hello", if_none_match="*").status == 200
    again = bucket.put("new", b"other", if_none_match="*")
    assert (again.status, again.code, again.text("Condition")) == (412, "PreconditionFailed", "If-None-Match")
    assert bucket.put("new", b"hello", if_match=ETAG).status == 200
    assert bucket.put("new", b"other", if_match='"other"').status == 412
    missing = bucket.put("none", b"other", if_match=ETAG)
    assert (missing.status, missing.code) == (404, "NoSuchKey")
    assert bucket.put("new", b"other", if_none_match=ETAG).code == "NotImplemented"
    assert bucket.get("new").body == b"hello"


def test_conditions_of_deletes(bucket: Bucket):
    bucket.put("k", b"hello")
    assert bucket.delete("k", if_match='"other"').status == 412
    assert bucket.delete("none", if_match=ETAG).status == 404
    assert bucket.delete("k", if_match=ETAG).status == 204
    assert bucket.delete("k").status == 204


def test_a_size_is_needed(bucket: Bucket):
    path = f"/{bucket.name}/k"
    refused = bucket.client.send("PUT", path, bucket.client.signature("PUT", path, headers={}))
    assert (refused.status, refused.code) == (411, "MissingContentLength")


def test_a_client_that_waits_for_leave_gets_it(bucket: Bucket):
    assert bucket.put("k", b"hello", expect="100-continue").status == 200
    assert bucket.get("k").body == b"hello"


@pytest.mark.parametrize(
    ("header", "value", "status", "code"),
    [
        ("x-amz-storage-class", "STANDARD", 200, ""),
        ("x-amz-storage-class", "GLACIER", 400, "InvalidStorageClass"),
        ("x-amz-acl", "public-read", 200, ""),
        ("x-amz-acl", "junk", 400, "InvalidArgument"),
        ("x-amz-grant-read", 'id="x"', 400, "AccessControlListNotSupported"),
        ("x-amz-server-side-encryption", "AES256", 501, "NotImplemented"),
        ("x-amz-server-side-encryption-customer-algorithm", "AES256", 501, "NotImplemented"),
        ("x-amz-website-redirect-location", "/x", 501, "NotImplemented"),
        ("x-amz-object-lock-legal-hold", "ON", 400, "InvalidRequest"),
    ],
)
def test_what_a_put_may_ask_for(bucket: Bucket, header: str, value: str, status: int, code: str):
    answer = bucket.ask("PUT", "k", headers={header: value}, body=b"x")
    assert (answer.status, answer.code) == (status, code)
    assert bucket.head("k").status == (200 if status == 200 else 404)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a=b&c=d", ""),
        ("a", ""),
        ("a=b&a=c", "InvalidArgument"),
        ("&".join(f"k{n}=v" for n in range(11)), "BadRequest"),
        ("k" * 129 + "=v", "InvalidTag"),
        ("k=" + "v" * 257, "InvalidTag"),
        ("aws:x=1", "InvalidTag"),
        ("k=%3C", "InvalidTag"),
    ],
)
def test_tags_of_a_put(bucket: Bucket, text: str, code: str):
    assert bucket.put("k", b"x", x_amz_tagging=text).code == code
    if not code:
        assert bucket.head("k").headers["x-amz-tagging-count"] == str(text.count("&") + 1)


@pytest.mark.parametrize(
    ("tags", "code"),
    [
        ([(f"k{n}", "v") for n in range(10)], ""),
        ([], ""),
        ([(f"k{n}", "v") for n in range(11)], "BadRequest"),
        ([("a", "b"), ("a", "c")], "InvalidTag"),
        ([("k" * 129, "v")], "InvalidTag"),
        ([("k", "v" * 257)], "InvalidTag"),
        ([("", "v")], "InvalidTag"),
    ],
)
def test_tags_of_an_object(bucket: Bucket, tags: list[tuple[str, str]], code: str):
    bucket.put("k", b"x", x_amz_tagging="old=1")
    listed = "".join(f"<Tag><Key>{k}</Key><Value>{v}</Value></Tag>" for k, v in tags)
    body = f"<Tagging><TagSet>{listed}</TagSet></Tagging>"
    modified = bucket.head("k").headers["last-modified"]
    assert bucket.ask("PUT", "k", "tagging", body=body).code == code
    kept = bucket.ask("GET", "k", "tagging").texts("TagSet/Tag/Key")
    assert kept == (["old"] if code else [name for name, _ in tags])
    assert bucket.head("k").headers["last-modified"] == modified
    assert bucket.ask("DELETE", "k", "tagging").status == 204
    assert bucket.ask("GET", "k", "tagging").texts("TagSet/Tag/Key") == []
    assert bucket.ask("PUT", "none", "tagging", body=body).code in ("NoSuchKey", code)
