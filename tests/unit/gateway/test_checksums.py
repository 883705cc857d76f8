"""Checksums: the catalogues' check values, parts and wholes alike, wrong ones refused."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maruhub.gateway.s3.checksums import KINDS, Expected, composite, full_object, new_sum
from maruhub.gateway.s3.failure import S3Failure


def _of(kind: str, data: bytes) -> bytes:
    each = new_sum(kind)
    each.update(memoryview(data))
    return each.digest()


def _text(kind: str, data: bytes) -> str:
    return base64.b64encode(_of(kind, data)).decode()


@pytest.mark.parametrize(
    ("kind", "check"), [("crc32", "cbf43926"), ("crc32c", "e3069283"), ("crc64nvme", "ae8b14860a799888")]
)
def test_check_values(kind: str, check: str):
    assert _of(kind, b"123456789").hex() == check


@given(st.sampled_from(KINDS[:3]), st.lists(st.binary(max_size=50), max_size=5))
def test_a_whole_from_its_parts(kind: str, parts: list[bytes]):
    combined = full_object(kind, [(_of(kind, part), len(part)) for part in parts])
    assert combined == _text(kind, b"".join(parts))


def test_a_composite_counts_its_parts():
    sums = [_of("sha256", b"a"), _of("sha256", b"b")]
    assert composite("sha256", sums) == _text("sha256", b"".join(sums)) + "-2"
    with pytest.raises(S3Failure):
        full_object("sha256", [])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("trailer", [False, True])
def test_right_wrong_and_missing(kind: str, trailer: bool):
    name = f"x-amz-checksum-{kind}"
    for value, right in ((_text(kind, b"abc"), True), (_text(kind, b"abd"), False)):
        expected = Expected({"x-amz-trailer": name} if trailer else {name: value})
        expected.update(memoryview(b"abc"))
        trailers = {name: value} if trailer else {}
        if right:
            assert expected.finish(trailers) == value
            continue
        with pytest.raises(S3Failure, match="did not match"):
            expected.finish(trailers)
    with pytest.raises(S3Failure):
        Expected({"x-amz-trailer": name}).finish({})


@pytest.mark.parametrize(
    "headers",
    [
        {"x-amz-checksum-crc32": "AAAAAA==", "x-amz-checksum-crc32c": "AAAAAA=="},
        {"x-amz-checksum-crc32": "AAAAAA==", "x-amz-trailer": "x-amz-checksum-crc32"},
        {"x-amz-checksum-crc32": "AAAA"},
        {"x-amz-checksum-crc99": "AAAA"},
        {"x-amz-sdk-checksum-algorithm": "CRC32"},
        {"content-md5": "é"},
    ],
)
def test_nonsense_is_refused(headers: dict[str, str]):
    with pytest.raises(S3Failure):
        Expected(headers)
