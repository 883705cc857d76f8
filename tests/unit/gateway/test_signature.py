"""Signatures: AWS's own published example is right, and nothing altered passes."""

from __future__ import annotations

import dataclasses
import itertools
import statistics
import time
from contextlib import suppress
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maruhub.gateway.head import Head
from maruhub.gateway.s3.failure import S3Failure
from maruhub.gateway.s3.signatures.presigned import verify_query
from maruhub.gateway.s3.signatures.v4 import PayloadMode, payload_of, verified_signer, verify_header
from maruhub.wire.signing import Scope, seconds_of

# The keys, the request and the signatures of "Authenticating Requests", S3's API reference.
KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
NOW = float(seconds_of("20130524T000000Z") or 0)
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
GET = Head(
    "GET",
    "/test.txt",
    "",
    (
        ("host", "examplebucket.s3.amazonaws.com"),
        ("range", "bytes=0-9"),
        ("x-amz-content-sha256", EMPTY),
        ("x-amz-date", "20130524T000000Z"),
        (
            "authorization",
            f"AWS4-HMAC-SHA256 Credential={KEY}/20130524/us-east-1/s3/aws4_request,"
            "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
            "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
    ),
)
LINK = Head(
    "GET",
    "/test.txt",
    "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential="
    + quote(f"{KEY}/20130524/us-east-1/s3/aws4_request", safe="")
    + "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
    "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
    (("host", "examplebucket.s3.amazonaws.com"),),
)


SCOPE = Scope("20130524", "us-east-1")


def _find(access_key: str) -> str | None:
    return SECRET if access_key == KEY else None


def test_the_published_request_is_right():
    verified = verify_header(GET, now=NOW, secrets=_find, regions=["us-east-1"])
    assert verified.access_key == KEY
    assert verified.payload.sha256 == EMPTY
    assert "key=" not in repr(verified).replace("access_key=", "")


def test_the_published_link_is_right_until_it_expires():
    assert verify_query(LINK, now=NOW + 86400, secrets=_find).payload.mode is PayloadMode.UNSIGNED
    with pytest.raises(S3Failure, match="Request has expired") as late:
        verify_query(LINK, now=NOW + 86401, secrets=_find)
    assert late.value.fields["Expires"] == "2013-05-25T00:00:00Z"
    with pytest.raises(S3Failure, match="not yet valid"):
        verify_query(LINK, now=NOW - 901, secrets=_find)


@pytest.mark.parametrize("late", [-901, 901])
def test_a_replay_is_refused(late: int):
    with pytest.raises(S3Failure) as refused:
        verify_header(GET, now=NOW + late, secrets=_find)
    assert refused.value.code == "RequestTimeTooSkewed"


def test_an_unknown_key_a_wrong_secret_and_another_region_are_refused():
    for find, regions, code in (
        (lambda _: None, (), "InvalidAccessKeyId"),
        (lambda _: "guess", (), "SignatureDoesNotMatch"),
        (_find, ("eu-west-1",), "AuthorizationHeaderMalformed"),
    ):
        with pytest.raises(S3Failure) as refused:
            verify_header(GET, now=NOW, secrets=find, regions=regions)
        assert refused.value.code == code


def test_an_unknown_key_takes_as_long_as_a_wrong_secret():
    """In turns, in one run: neither tells by its time which keys there are."""
    numbers = itertools.count()

    def seconds(find) -> float:
        began = time.thread_time()
        for _ in range(20):
            # Each for the first time: what is known of a key already is no guess.
            with suppress(S3Failure):
                verified_signer(
                    f"AK{next(numbers)}", SCOPE, timestamp="", text="text", given="0" * 64, secrets=find
                )
        return time.thread_time() - began

    unknown, wrong = [], []
    for _ in range(40):
        unknown.append(seconds(lambda _: None))
        wrong.append(seconds(lambda access_key: f"guess at {access_key}"))
    assert 2 / 3 < statistics.median(unknown) / statistics.median(wrong) < 3 / 2


@pytest.mark.parametrize("word", ["AWS AKIA:abc=", "AWS4-ECDSA-P256-SHA256 Credential=a", "Bearer x", ""])
def test_other_mechanisms_are_refused(word: str):
    head = dataclasses.replace(GET, headers=(*GET.headers[:-1], ("authorization", word)))
    with pytest.raises(S3Failure) as refused:
        verify_header(head, now=NOW, secrets=_find)
    assert refused.value.code in ("InvalidRequest", "NotImplemented")


def test_an_unsigned_amz_header_is_refused():
    head = dataclasses.replace(GET, headers=(*GET.headers, ("x-amz-acl", "public-read")))
    with pytest.raises(S3Failure) as refused:
        verify_header(head, now=NOW, secrets=_find)
    assert refused.value.fields["HeadersNotSigned"] == "x-amz-acl"


@given(st.integers(0, 4), st.sampled_from(["alter", "drop", "double"]), st.integers(0, 400), st.characters())
def test_no_header_altered_dropped_or_doubled_passes(which: int, how: str, at: int, char: str):
    headers = list(GET.headers)
    name, value = headers[which]
    if how == "drop":
        del headers[which]
    elif how == "double":
        headers.append((name, value))
    else:
        at %= len(value)
        changed = value[:at] + char + value[at + 1 :]
        if changed.strip() == value:
            return
        headers[which] = (name, changed)
    with pytest.raises(S3Failure):
        verify_header(dataclasses.replace(GET, headers=tuple(headers)), now=NOW, secrets=_find)


@given(st.integers(0, 10_000), st.sampled_from("0aZ%&=/+~\x00é"))
def test_no_link_altered_passes(at: int, char: str):
    at %= len(LINK.query)
    if LINK.query[at] == char:
        return
    head = dataclasses.replace(LINK, query=LINK.query[:at] + char + LINK.query[at + 1 :])
    with pytest.raises(S3Failure):
        verify_query(head, now=NOW, secrets=_find)


def test_every_mode_is_read_and_nonsense_is_not():
    for mode in PayloadMode:
        if mode is not PayloadMode.SIGNED:
            assert payload_of(mode.value).mode is mode
    with pytest.raises(S3Failure):
        payload_of("a" * 63)
