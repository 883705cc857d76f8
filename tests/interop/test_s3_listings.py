"""Listings over HTTP: pages, prefixes, delimiters, markers, and numbers that can't be."""

from __future__ import annotations

import pytest

from tests.s3_client import Bucket, Reply, S3Client

KEYS = ["a", "a--1", "a/b", "a/b/c", "b/x", "b/y", "c", "d+e f%g&h", "foo//bar", "é/ü"]


@pytest.fixture
def filled(bucket: Bucket) -> Bucket:
    """A bucket with ``KEYS``."""
    for key in KEYS:
        bucket.put(key, b"x")
    return bucket


def shown(reply: Reply) -> tuple[list[str], list[str]]:
    """Keys and common prefixes of a listing."""
    assert reply.status == 200
    return reply.texts("Contents/Key"), reply.texts("CommonPrefixes/Prefix")


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize(
    ("query", "keys", "prefixes"),
    [
        ({}, KEYS, []),
        ({"delimiter": "", "prefix": "", "marker": "", "start-after": ""}, KEYS, []),
        ({"delimiter": "/"}, ["a", "a--1", "c", "d+e f%g&h"], ["a/", "b/", "foo/", "é/"]),
        ({"delimiter": "--", "prefix": "a"}, ["a", "a/b", "a/b/c"], ["a--"]),
        ({"delimiter": "/", "prefix": "a"}, ["a", "a--1"], ["a/"]),
        ({"delimiter": "/", "prefix": "a/"}, ["a/b"], ["a/b/"]),
        ({"delimiter": "/", "prefix": "foo/"}, [], ["foo//"]),
        ({"delimiter": "none", "prefix": "b"}, ["b/x", "b/y"], []),
        ({"delimiter": "%"}, [key for key in KEYS if "%" not in key], ["d+e f%"]),
        ({"prefix": "nothing"}, [], []),
        ({"prefix": "é"}, ["é/ü"], []),
    ],
)
def test_what_is_shown(
    filled: Bucket, version: str, query: dict[str, str], keys: list[str], prefixes: list[str]
):
    asked = query | ({"list-type": "2"} if version == "2" else {})
    reply = filled.ask("GET", query=asked)
    assert shown(reply) == (keys, prefixes)
    assert (reply.text("Prefix"), reply.text("Delimiter")) == (
        query.get("prefix", ""),
        query.get("delimiter", ""),
    )
    if version == "2":
        assert reply.text("KeyCount") == str(len(keys) + len(prefixes))


@pytest.mark.parametrize(
    ("after", "keys", "prefixes"),
    [
        ("", ["a", "a--1", "c", "d+e f%g&h"], ["a/", "b/", "foo/", "é/"]),
        # A common prefix counts by its own name: inside of one, the rest of it is passed over.
        ("a/", ["c", "d+e f%g&h"], ["b/", "foo/", "é/"]),
        ("a/b", ["c", "d+e f%g&h"], ["b/", "foo/", "é/"]),
        ("b", ["c", "d+e f%g&h"], ["b/", "foo/", "é/"]),
        ("c", ["d+e f%g&h"], ["foo/", "é/"]),
        ("ê", [], []),
    ],
)
def test_behind_a_marker(filled: Bucket, after: str, keys: list[str], prefixes: list[str]):
    assert shown(filled.ask("GET", query={"delimiter": "/", "marker": after})) == (keys, prefixes)
    second = {"list-type": "2", "delimiter": "/", "start-after": after}
    assert shown(filled.ask("GET", query=second)) == (keys, prefixes)


@pytest.mark.parametrize("delimiter", ["", "/", "--"])
@pytest.mark.parametrize("limit", [1, 2, 3])
def test_pages_join_to_the_whole(filled: Bucket, limit: int, delimiter: str):
    whole = shown(filled.ask("GET", query={"delimiter": delimiter}))
    token, found = "", ([], [])
    query = {"list-type": "2", "delimiter": delimiter, "max-keys": str(limit)}
    while True:
        page = filled.ask("GET", query=query | ({"continuation-token": token} if token else {}))
        for all_, more in zip(found, shown(page), strict=True):
            all_ += more
        assert sum(map(len, shown(page))) <= limit
        token = page.text("NextContinuationToken")
        assert page.text("IsTruncated") == ("true" if token else "false")
        if not token:
            break
    assert found == whole


def test_pages_of_version_1(filled: Bucket):
    marker, keys, prefixes = "", [], []
    while True:
        page = filled.ask("GET", query={"delimiter": "/", "max-keys": "2", "marker": marker})
        more = shown(page)
        keys += more[0]
        prefixes += more[1]
        if page.text("IsTruncated") == "false":
            break
        assert page.text("NextMarker") == max(*more[0], *more[1], key=str.encode)
        marker = page.text("NextMarker")
    assert (keys, prefixes) == shown(filled.ask("GET", query={"delimiter": "/"}))
    # Without a delimiter the last key is the marker.
    plain = filled.ask("GET", query={"max-keys": "2"})
    assert (plain.text("IsTruncated"), plain.text("NextMarker")) == ("true", "")


@pytest.mark.parametrize(
    ("given", "told"), [("0", "0"), ("1", "1"), ("1000", "1000"), ("9999", "1000"), ("", "1000")]
)
def test_limits(filled: Bucket, given: str, told: str):
    for query in (
        {"max-keys": given},
        {"list-type": "2", "max-keys": given},
        {"versions": "", "max-keys": given},
    ):
        reply = filled.ask("GET", query=query)
        assert (reply.status, reply.text("MaxKeys")) == (200, told)
        if given == "0":
            assert reply.text("IsTruncated") == "false"


@pytest.mark.parametrize("given", ["-1", "abc", "1.5", "+5", "2147483648", "9" * 5000])
def test_limits_that_are_none(filled: Bucket, given: str):
    for query in (
        {"max-keys": given},
        {"list-type": "2", "max-keys": given},
        {"uploads": "", "max-uploads": given},
    ):
        reply = filled.ask("GET", query=query)
        assert (reply.status, reply.code) == (400, "InvalidArgument")


def test_tokens(filled: Bucket, ann: S3Client, new_name: str):
    first = {"list-type": "2", "max-keys": "3"}
    token = filled.ask("GET", query=first).text("NextContinuationToken")
    # A token goes before start-after, which is repeated.
    rest = filled.ask("GET", query={"list-type": "2", "continuation-token": token, "start-after": "zz"})
    assert shown(rest)[0] == KEYS[3:]
    assert (rest.text("ContinuationToken"), rest.text("StartAfter")) == (token, "zz")
    other = Bucket(ann, f"{new_name}-other")
    other.ask("PUT")
    for bucket, wrong in ((filled, "junk"), (filled, ""), (other, token)):
        refused = bucket.ask("GET", query={"list-type": "2", "continuation-token": wrong})
        assert (refused.status, refused.code) == (400, "InvalidArgument")


def test_names_that_are_encoded(filled: Bucket):
    reply = filled.ask("GET", query={"encoding-type": "url", "delimiter": "ü", "prefix": "é"})
    assert reply.text("EncodingType") == "url"
    assert (reply.text("Prefix"), reply.text("Delimiter")) == ("%C3%A9", "%C3%BC")
    assert reply.texts("CommonPrefixes/Prefix") == ["%C3%A9/%C3%BC"]
    assert "d%2Be%20f%25g%26h" in filled.ask("GET", query="encoding-type=url").texts("Contents/Key")
    assert filled.ask("GET", query="encoding-type=base64").code == "InvalidArgument"


def test_names_that_xml_cannot_hold(bucket: Bucket):
    for key in ("\x01", "tab\t", "new\nline", "\uffff"):
        bucket.put(key)
    encoded = bucket.ask("GET", query="encoding-type=url").texts("Contents/Key")
    assert encoded == ["%01", "new%0Aline", "tab%09", "%EF%BF%BF"]


def test_what_is_said_of_an_object(bucket: Bucket):
    bucket.put("k", b"hello", x_amz_checksum_crc32="NhCmhg==")
    for query, owned in (("", True), ("list-type=2", False), ("list-type=2&fetch-owner=true", True)):
        reply = bucket.ask("GET", query=query)
        assert reply.text("Name") == bucket.name
        assert (reply.text("Contents/Owner/ID") == "ann") is owned
        assert reply.text("Contents/ETag") == '"5d41402abc4b2a76b9719d911017c592"'
        assert (reply.text("Contents/Size"), reply.text("Contents/StorageClass")) == ("5", "STANDARD")
        assert (reply.text("Contents/ChecksumAlgorithm"), reply.text("Contents/ChecksumType")) == (
            "CRC32",
            "FULL_OBJECT",
        )
        assert reply.text("Contents/LastModified").endswith("Z")


def test_who_may_list(filled: Bucket, bob: S3Client, anyone: S3Client):
    for stranger in (bob, anyone):
        assert filled.by(stranger).ask("GET").code == "AccessDenied"
        assert filled.by(stranger).ask("GET", query="list-type=2").code == "AccessDenied"
    filled.ask("PUT", query="acl", headers={"x-amz-acl": "public-read"})
    assert shown(filled.by(anyone).ask("GET", query="list-type=2"))[0] == KEYS
    filled.ask("PUT", query="acl", headers={"x-amz-acl": "authenticated-read"})
    assert filled.by(anyone).ask("GET").code == "AccessDenied"
    assert shown(filled.by(bob).ask("GET"))[0] == KEYS
    assert anyone.ask("GET", "/no-such-bucket").code == "NoSuchBucket"


def test_pages_of_buckets(ann: S3Client, bucket: Bucket, new_name: str):
    for letter in "abc":
        ann.ask("PUT", f"/{new_name}-{letter}")
    page = ann.ask("GET", "/", {"prefix": f"{new_name}-", "max-buckets": "2"})
    assert page.texts("Buckets/Bucket/Name") == [f"{new_name}-a", f"{new_name}-b"]
    rest = ann.ask(
        "GET", "/", {"prefix": f"{new_name}-", "continuation-token": page.text("ContinuationToken")}
    )
    assert rest.texts("Buckets/Bucket/Name") == [f"{new_name}-c"]
    assert rest.text("ContinuationToken") == ""
    for wrong in ("0", "10001", "x"):
        assert ann.ask("GET", "/", {"max-buckets": wrong}).code == "InvalidArgument"
