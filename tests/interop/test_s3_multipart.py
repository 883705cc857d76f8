"""Uploads in parts: what a client may say wrongly, what it is told, and checksums of the whole."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from tests.s3_client import Bucket, Reply

LEAST = 5 << 20
FIRST, LAST = b"a" * LEAST, b"end"


def crc32(data: bytes) -> str:
    return base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


def sha256(data: bytes) -> str:
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


@dataclass(frozen=True)
class Upload:
    """One upload in parts."""

    bucket: Bucket
    key: str
    id: str

    def part(self, number: int | str, body: bytes = b"", **headers: str) -> Reply:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        query = {"partNumber": str(number), "uploadId": self.id}
        return self.bucket.ask("PUT", self.key, query, headers=named, body=body)

    def complete(self, parts: Sequence[tuple[int, str]], more: str = "", **headers: str) -> Reply:
        listed = "".join(
            f"<Part><PartNumber>{n}</PartNumber><ETag>{etag}</ETag>{more}</Part>" for n, etag in parts
        )
        body = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.bucket.ask("POST", self.key, {"uploadId": self.id}, headers=named, body=body)

    def parts(self, **query: str) -> Reply:
        asked = {name.replace("_", "-"): value for name, value in query.items()}
        return self.bucket.ask("GET", self.key, {"uploadId": self.id, **asked})

    def abort(self) -> Reply:
        return self.bucket.ask("DELETE", self.key, {"uploadId": self.id})


def begin(bucket: Bucket, key: str = "k", **headers: str) -> Upload:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    begun = bucket.ask("POST", key, "uploads", headers=named)
    assert (begun.status, begun.text("Key")) == (200, key)
    return Upload(bucket, key, begun.text("UploadId"))


def test_from_begin_to_end(bucket: Bucket):
    upload = begin(bucket, "a b/é", content_type="a/b", x_amz_meta_x="y", x_amz_tagging="t=1")
    etags = [upload.part(7, LAST).headers["etag"], upload.part(2, FIRST).headers["etag"]]
    assert bucket.ask("GET", query="uploads").texts("Upload/UploadId") == [upload.id]
    assert bucket.get("a b/é").status == 404
    done = upload.complete([(2, etags[1]), (7, etags[0])])
    assert done.status == 200
    assert done.text("Location").endswith(f"/{bucket.name}/a%20b/%C3%A9")
    assert done.text("ETag").endswith('-2"')
    got = bucket.get("a b/é")
    assert got.body == FIRST + LAST
    assert (got.headers["content-type"], got.headers["x-amz-meta-x"]) == ("a/b", "y")
    assert got.headers["etag"] == done.text("ETag")
    assert bucket.ask("GET", query="uploads").texts("Upload/UploadId") == []
    # A client whose answer was lost asks again.
    assert upload.complete([(2, etags[1]), (7, etags[0])]).text("ETag") == done.text("ETag")


def test_parts_of_what_was_uploaded(bucket: Bucket):
    upload = begin(bucket)
    upload.complete([(1, upload.part(1, FIRST).headers["etag"]), (2, upload.part(2, LAST).headers["etag"])])
    for ask in (bucket.get, bucket.head):
        second = ask("k", "partNumber=2")
        assert (second.status, second.headers["x-amz-mp-parts-count"]) == (206, "2")
        assert second.headers["content-range"] == f"bytes {LEAST}-{LEAST + 2}/{LEAST + 3}"
        assert ask("k", "partNumber=3").status == 416
    assert bucket.get("k", "partNumber=2").body == LAST
    assert bucket.get("k", "partNumber=1", range="bytes=0-1").code == "InvalidRequest"
    asked = {"x-amz-object-attributes": "ETag,ObjectParts,ObjectSize,StorageClass"}
    told = bucket.ask("GET", "k", "attributes", headers=asked)
    assert told.text("ObjectParts/PartsCount") == "2"
    assert told.text("ObjectSize") == str(LEAST + 3)
    assert told.text("ETag") == bucket.head("k").headers["etag"].strip('"')


def test_numbers_of_parts(bucket: Bucket):
    upload = begin(bucket)
    for number in (0, 10_001, "x", "-1"):
        assert upload.part(number).code == "InvalidArgument"
    assert upload.part(10_000).status == 200


def test_what_cannot_be_completed(bucket: Bucket):
    upload = begin(bucket)
    first, last = upload.part(1, FIRST).headers["etag"], upload.part(2, LAST).headers["etag"]
    assert upload.complete([]).code == "MalformedXML"
    assert bucket.ask("POST", "k", {"uploadId": upload.id}).code == "MalformedXML"
    assert upload.complete([(2, last), (1, first)]).code == "InvalidPartOrder"
    assert upload.complete([(1, first), (1, first)]).code == "InvalidPartOrder"
    assert upload.complete([(1, last)]).code == "InvalidPart"
    assert upload.complete([(1, first), (3, last)]).code == "InvalidPart"
    assert upload.complete([(1, first)], x_amz_mp_object_size="3").code == "InvalidRequest"
    assert upload.complete([(1, first)], if_match='"x"').status == 404
    small = upload.part(1, b"small").headers["etag"]
    assert upload.complete([(1, first), (2, last)]).code == "InvalidPart"
    assert upload.complete([(1, small), (2, last)]).code == "EntityTooSmall"
    assert upload.complete([(1, small)], x_amz_mp_object_size="5").status == 200
    assert bucket.get("k").body == b"small"


def test_conditions_when_completed(bucket: Bucket):
    bucket.put("k", b"there")
    upload = begin(bucket)
    parts = [(1, upload.part(1, b"x").headers["etag"])]
    assert upload.complete(parts, if_none_match="*").code == "PreconditionFailed"
    assert upload.complete(parts, if_match='"other"').code == "PreconditionFailed"
    assert upload.complete(parts, if_match=bucket.head("k").headers["etag"]).status == 200


def test_an_aborted_upload_is_none(bucket: Bucket):
    upload = begin(bucket)
    etag = upload.part(1, b"x").headers["etag"]
    assert upload.abort().status == 204
    for answer in (upload.abort(), upload.parts(), upload.part(1), upload.complete([(1, etag)])):
        assert (answer.status, answer.code) == (404, "NoSuchUpload")


def test_pages_of_parts(bucket: Bucket):
    upload = begin(bucket)
    for number in (1, 3, 5):
        upload.part(number, b"x" * number)
    page = upload.parts(max_parts="2")
    assert page.texts("Part/PartNumber") == ["1", "3"]
    assert (page.text("IsTruncated"), page.text("NextPartNumberMarker")) == ("true", "3")
    rest = upload.parts(max_parts="2", part_number_marker="3")
    assert (rest.texts("Part/Size"), rest.text("IsTruncated")) == (["5"], "false")
    # Whoever asks for nothing must not go on asking.
    assert upload.parts(max_parts="0").text("IsTruncated") == "false"
    assert upload.parts(max_parts="-1").code == "InvalidArgument"


def test_parts_that_are_copied(bucket: Bucket):
    bucket.put("source", FIRST + LAST)
    named = f"/{bucket.name}/source"
    upload = begin(bucket)
    first = upload.part(1, x_amz_copy_source=named, x_amz_copy_source_range=f"bytes=0-{LEAST - 1}")
    last = upload.part(2, x_amz_copy_source=named, x_amz_copy_source_range=f"bytes={LEAST}-{LEAST + 2}")
    for wrong in (f"bytes=0-{LEAST + 3}", "bytes=5-2", "bytes=0-", "bytes=-5", "0-5", "bytes=a-b"):
        refused = upload.part(3, x_amz_copy_source=named, x_amz_copy_source_range=wrong)
        assert (refused.status, refused.code) == (400, "InvalidArgument")
    assert upload.part(3, x_amz_copy_source=f"/{bucket.name}/none").code == "NoSuchKey"
    unlike = upload.part(3, x_amz_copy_source=named, x_amz_copy_source_if_match='"x"')
    assert unlike.code == "PreconditionFailed"
    assert upload.complete([(1, first.text("ETag")), (2, last.text("ETag"))]).status == 200
    assert bucket.get("k").body == FIRST + LAST


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (("CRC32", ""), "COMPOSITE"),
        (("CRC32", "FULL_OBJECT"), "FULL_OBJECT"),
        (("CRC32C", "COMPOSITE"), "COMPOSITE"),
        (("CRC64NVME", ""), "FULL_OBJECT"),
        (("SHA1", ""), "COMPOSITE"),
        (("SHA256", ""), "COMPOSITE"),
    ],
)
def test_checksums_of_the_whole(bucket: Bucket, asked: tuple[str, str], told: str):
    kind, type_ = asked
    upload = begin(bucket, x_amz_checksum_algorithm=kind, **({"x_amz_checksum_type": type_} if type_ else {}))
    parts = [upload.part(1, FIRST), upload.part(2, LAST)]
    sums = [part.headers[f"x-amz-checksum-{kind.lower()}"] for part in parts]
    done = upload.complete([(n, part.headers["etag"]) for n, part in enumerate(parts, 1)])
    assert done.text("ChecksumType") == told
    value = done.text(f"Checksum{kind}")
    assert value.endswith("-2") == (told == "COMPOSITE")
    if kind == "CRC32" and told == "FULL_OBJECT":
        assert value == crc32(FIRST + LAST)
    head = bucket.head("k", x_amz_checksum_mode="ENABLED").headers
    assert (head[f"x-amz-checksum-{kind.lower()}"], head["x-amz-checksum-type"]) == (value, told)
    attributes = bucket.ask(
        "GET", "k", "attributes", headers={"x-amz-object-attributes": "Checksum,ObjectParts"}
    )
    assert attributes.text(f"Checksum/Checksum{kind}") == value
    if told == "COMPOSITE":
        assert attributes.texts(f"ObjectParts/Part/Checksum{kind}") == sums
        second = bucket.get("k", "partNumber=2", x_amz_checksum_mode="ENABLED").headers
        assert second[f"x-amz-checksum-{kind.lower()}"] == sums[1]


@pytest.mark.parametrize(
    ("kind", "type_", "right"),
    [
        ("CRC32", "FULL_OBJECT", crc32(FIRST + LAST)),
        ("CRC32", "COMPOSITE", crc32(b"".join(map(base64.b64decode, map(crc32, (FIRST, LAST))))) + "-2"),
        ("SHA256", "COMPOSITE", sha256(b"".join(map(base64.b64decode, map(sha256, (FIRST, LAST))))) + "-2"),
    ],
)
def test_the_checksum_of_the_whole_is_compared(bucket: Bucket, kind: str, type_: str, right: str):
    """It is the object's, whose parts are named in a document that has no such checksum."""
    upload = begin(bucket, x_amz_checksum_algorithm=kind, x_amz_checksum_type=type_)
    parts = [(n, upload.part(n, body).headers["etag"]) for n, body in enumerate((FIRST, LAST), 1)]
    header = f"x_amz_checksum_{kind.lower()}"
    wrong = "B" + right[1:] if right[0] == "A" else "A" + right[1:]
    assert upload.complete(parts, **{header: wrong}).code == "BadDigest"
    other = "COMPOSITE" if type_ == "FULL_OBJECT" else "FULL_OBJECT"
    assert upload.complete(parts, x_amz_checksum_type=other).code == "BadDigest"
    assert upload.complete(parts, x_amz_checksum_sha1="A" * 27 + "=").code == "InvalidRequest"
    assert bucket.head("k").status == 404
    done = upload.complete(parts, **{header: right, "x_amz_checksum_type": type_})
    assert done.text(f"Checksum{kind}") == right


def test_a_checksum_that_nobody_can_compare_is_refused(bucket: Bucket):
    upload = begin(bucket)
    parts = [(1, upload.part(1, LAST).headers["etag"])]
    assert upload.complete(parts, x_amz_checksum_crc32=crc32(LAST)).code == "InvalidRequest"
    assert upload.complete(parts, f"<ChecksumCRC32>{crc32(LAST)}</ChecksumCRC32>").code == "InvalidPart"
    assert upload.complete(parts, x_amz_checksum_type="FULL_OBJECT").status == 200


def test_checksums_that_cannot_be(bucket: Bucket):
    for kind, type_ in (("SHA256", "FULL_OBJECT"), ("CRC64NVME", "COMPOSITE"), ("MD4", "")):
        headers = {"x-amz-checksum-algorithm": kind, **({"x-amz-checksum-type": type_} if type_ else {})}
        assert bucket.ask("POST", "k", "uploads", headers=headers).code == "InvalidRequest"
    upload = begin(bucket, x_amz_checksum_algorithm="CRC32")
    assert upload.part(1, b"x", x_amz_checksum_crc32="AAAAAA==").code == "BadDigest"
    assert upload.part(1, b"x", x_amz_checksum_sha1="A" * 27 + "=").code == "InvalidRequest"
    etag = upload.part(1, b"x", x_amz_checksum_crc32=crc32(b"x")).headers["etag"]
    wrong = upload.complete([(1, etag)], "<ChecksumCRC32>AAAAAA==</ChecksumCRC32>")
    assert wrong.code == "InvalidPart"
    assert upload.complete([(1, etag)], f"<ChecksumCRC32>{crc32(b'x')}</ChecksumCRC32>").status == 200
