"""Copies: of what, with what taken over, under which conditions."""

from __future__ import annotations

import base64
import hashlib
import zlib
from urllib.parse import quote

import pytest

from tests.interop.test_s3_reads import ETAG, http_date
from tests.s3_client import Bucket, S3Client


@pytest.fixture
def source(bucket: Bucket) -> Bucket:
    """A bucket with an object, ``k``, that has all that a copy may take over."""
    bucket.put(
        "k", b"hello", content_type="text/x", cache_control="no-cache", x_amz_meta_a="b", x_amz_tagging="t=1"
    )
    return bucket


def test_a_copy_takes_everything_over(source: Bucket):
    copied = source.copy("copy", f"/{source.name}/k", content_type="ig/nored", x_amz_meta_a="ignored")
    assert (copied.status, copied.text("ETag")) == (200, ETAG)
    assert copied.text("LastModified").endswith("Z")
    got = source.get("copy")
    assert got.body == b"hello"
    told = {name: got.headers[name] for name in ("content-type", "cache-control", "x-amz-meta-a", "x-amz-tagging-count")}  # fmt: skip
    assert list(told.values()) == ["text/x", "no-cache", "b", "1"]


def test_directives(source: Bucket):
    replaced = source.copy(
        "copy", f"{source.name}/k", x_amz_metadata_directive="REPLACE", content_type="a/b", x_amz_meta_c="d"
    )
    assert replaced.status == 200
    head = source.head("copy").headers
    assert (head["content-type"], head["x-amz-meta-c"], head["x-amz-tagging-count"]) == ("a/b", "d", "1")
    assert not {"x-amz-meta-a", "cache-control"} & head.keys()
    source.copy("copy", f"{source.name}/k", x_amz_tagging_directive="REPLACE", x_amz_tagging="u=2&v=3")
    assert source.ask("GET", "copy", "tagging").texts("TagSet/Tag/Key") == ["u", "v"]
    source.copy("copy", f"{source.name}/k", x_amz_tagging="ignored=1")
    assert source.ask("GET", "copy", "tagging").texts("TagSet/Tag/Key") == ["t"]
    for name in ("x_amz_metadata_directive", "x_amz_tagging_directive"):
        assert source.copy("copy", f"{source.name}/k", **{name: "MAYBE"}).code == "InvalidArgument"


def test_onto_itself_only_with_a_change(source: Bucket):
    assert source.copy("k", f"{source.name}/k").code == "InvalidRequest"
    assert source.copy("k", f"{source.name}/k", x_amz_metadata_directive="COPY").code == "InvalidRequest"
    assert (
        source.copy("k", f"{source.name}/k", x_amz_metadata_directive="REPLACE", x_amz_meta_z="1").status
        == 200
    )
    assert source.head("k").headers["x-amz-meta-z"] == "1"
    assert source.get("k").body == b"hello"


def test_what_a_source_may_be_called(source: Bucket):
    for key in ("a b", "a+b", "a%2Fb", "é", "?x", "x?versionId=1", "a//b"):
        source.put(key, key.encode())
        for named in (quote(f"{source.name}/{key}"), quote(f"/{source.name}/{key}", safe="")):
            assert source.copy("copy", named).status == 200
            assert source.get("copy").body == key.encode()


@pytest.mark.parametrize(
    ("named", "status", "code"),
    [
        ("{}/none", 404, "NoSuchKey"),
        ("no-such-bucket/k", 404, "NoSuchBucket"),
        ("k", 400, "InvalidArgument"),
        ("", 400, "InvalidArgument"),
        ("/{}/", 400, "InvalidArgument"),
        ("{}/k?versionId=", 400, "InvalidArgument"),
        ("{}/k?versionId=junk", 400, "InvalidArgument"),
        ("{}/k?versionId=0123456789abcdef", 404, "NoSuchVersion"),
    ],
)
def test_sources_that_are_none(source: Bucket, named: str, status: int, code: str):
    refused = source.copy("copy", named.format(source.name))
    assert (refused.status, refused.code) == (status, code)


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        ({"if_match": ETAG}, 200),
        ({"if_match": '"other"'}, 412),
        ({"if_none_match": ETAG}, 412),
        ({"if_none_match": '"other"'}, 200),
        ({"if_modified_since": http_date(-1000)}, 200),
        ({"if_modified_since": http_date(1000)}, 412),
        ({"if_unmodified_since": http_date(-1000)}, 412),
        ({"if_unmodified_since": http_date(1000)}, 200),
        ({"if_match": ETAG, "if_unmodified_since": http_date(-1000)}, 200),
    ],
)
def test_conditions_on_the_source(source: Bucket, condition: dict[str, str], status: int):
    named = {f"x_amz_copy_source_{name}": value for name, value in condition.items()}
    assert source.copy("copy", f"{source.name}/k", **named).status == status


def test_conditions_on_the_target(source: Bucket):
    source.put("there")
    assert source.copy("there", f"{source.name}/k", if_none_match="*").code == "PreconditionFailed"
    assert source.copy("there", f"{source.name}/k", if_match=ETAG).code == "PreconditionFailed"
    assert source.copy("new", f"{source.name}/k", if_none_match="*").status == 200
    assert source.copy("new", f"{source.name}/k", if_match=ETAG).status == 200


def test_a_copy_has_the_checksum_that_is_asked_for(source: Bucket):
    sha256 = base64.b64encode(hashlib.sha256(b"hello").digest()).decode()
    crc32 = base64.b64encode(zlib.crc32(b"hello").to_bytes(4, "big")).decode()
    copied = source.copy("copy", f"{source.name}/k", x_amz_checksum_algorithm="SHA256")
    assert (copied.text("ChecksumSHA256"), copied.text("ChecksumType")) == (sha256, "FULL_OBJECT")
    head = source.head("copy", x_amz_checksum_mode="ENABLED").headers
    assert (head["x-amz-checksum-sha256"], head["x-amz-checksum-type"]) == (sha256, "FULL_OBJECT")
    again = source.copy("again", f"{source.name}/copy", x_amz_checksum_algorithm="CRC32")
    assert (again.text("ChecksumCRC32"), again.text("ChecksumSHA256")) == (crc32, "")
    assert source.copy("third", f"{source.name}/copy").text("ChecksumSHA256") == sha256
    assert source.copy("none", f"{source.name}/k", x_amz_checksum_algorithm="MD4").code == "InvalidRequest"


def test_rights_of_both_ends(source: Bucket, bob: S3Client, new_name: str):
    theirs = Bucket(bob, f"{new_name}-bobs")
    theirs.ask("PUT")
    assert theirs.copy("k", f"{source.name}/k").code == "AccessDenied"
    source.ask("PUT", "k", "acl", headers={"x-amz-acl": "public-read"})
    assert theirs.copy("k", f"{source.name}/k").status == 200
    assert theirs.get("k").body == b"hello"
    assert source.by(bob).copy("k", f"{theirs.name}/k").code == "AccessDenied"
