"""Form uploads: what a policy lets a browser put, and who signed it."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maruhub.gateway.s3.failure import S3Failure
from maruhub.gateway.s3.policies.form import read_post_policy
from maruhub.gateway.s3.signatures.form import is_signed, verify_form
from maruhub.gateway.s3.signatures.v2 import signature_v2
from maruhub.wire.signing import signature_of, signing_key

NOW_US = 1_700_000_000_000_000
LATER = "2023-12-01T00:00:00.000Z"


def policy(*conditions: object, expiration: str = LATER) -> str:
    return encoded({"expiration": expiration, "conditions": list(conditions)})


def encoded(document: object) -> str:
    return base64.b64encode(json.dumps(document).encode()).decode()


def failure_of(call: Any, *arguments: Any, **named: Any) -> str:
    with pytest.raises(S3Failure) as caught:
        call(*arguments, **named)
    return caught.value.code


FIELDS = {"bucket": "photos", "key": "ann/1.png", "content-type": "image/png", "policy": "…"}
CONDITIONS = (
    {"bucket": "photos"},
    ["starts-with", "$key", "ann/"],
    ["starts-with", "$Content-Type", "image/"],
)


def test_fields_that_fit_are_let_in():
    read_post_policy(policy(*CONDITIONS)).check(FIELDS, now_us=NOW_US)


@pytest.mark.parametrize(
    ("fields", "now_us"),
    [
        ({"key": "bob/1.png"}, NOW_US),
        ({"bucket": "others"}, NOW_US),
        ({"content-type": "image/png,text/html"}, NOW_US),
        ({"x-amz-meta-more": "1"}, NOW_US),
        ({}, NOW_US + 10**13),
    ],
    ids=["key", "bucket", "one of several types", "a field nobody spoke of", "too late"],
)
def test_fields_that_do_not_fit_are_refused(fields: dict[str, str], now_us: int):
    read = read_post_policy(policy(*CONDITIONS))
    assert failure_of(read.check, FIELDS | fields, now_us=now_us) == "AccessDenied"


def test_a_size_has_bounds():
    read = read_post_policy(policy(["content-length-range", 2, "4"]))
    read.check_size(1, ended=False)
    read.check_size(4, ended=True)
    assert failure_of(read.check_size, 1, ended=True) == "EntityTooSmall"
    assert failure_of(read.check_size, 5, ended=False) == "EntityTooLarge"


@pytest.mark.parametrize(
    "text",
    [
        "not base64!",
        encoded([]),
        encoded({"expiration": LATER}),
        encoded({"expiration": "soon", "conditions": []}),
        policy(["matches", "$key", "a"]),
        policy(["eq", "key", "a"]),
        policy(["content-length-range", 4, 2]),
        policy(["content-length-range", 0, "²"]),
        policy(["content-length-range", 0, "9" * 5000]),
        policy({"key": 1}),
        base64.b64encode(b"[" * 100_000).decode(),
    ],
)
def test_what_is_no_policy_is_refused(text: str):
    assert failure_of(read_post_policy, text) == "InvalidPolicyDocument"


@given(st.text(max_size=200))
def test_any_text_is_a_policy_or_refused(text: str):
    refused = None
    try:
        read_post_policy(base64.b64encode(text.encode()).decode())
    except S3Failure as failure:
        refused = failure.code
    assert refused in (None, "InvalidPolicyDocument")


def test_awss_own_example_has_awss_signature():
    # "Example: Browser-based upload using HTTP POST (using AWS Signature Version 4)", S3 API reference.
    lines = (
        '{ "expiration": "2015-12-30T12:00:00.000Z",',
        '  "conditions": [',
        '    {"bucket": "sigv4examplebucket"},',
        '    ["starts-with", "$key", "user/user1/"],',
        '    {"acl": "public-read"},',
        '    {"success_action_redirect": "http://sigv4examplebucket.s3.amazonaws.com/successful_upload.html"},',
        '    ["starts-with", "$Content-Type", "image/"],',
        '    {"x-amz-meta-uuid": "14365123651274"},',
        '    {"x-amz-server-side-encryption": "AES256"},',
        '    ["starts-with", "$x-amz-meta-tag", ""],',
        "",
        '    {"x-amz-credential": "AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request"},',
        '    {"x-amz-algorithm": "AWS4-HMAC-SHA256"},',
        '    {"x-amz-date": "20151229T000000Z" }',
        "  ]",
        "}",
    )
    fields = {
        "policy": base64.b64encode("\r\n".join(lines).encode()).decode(),
        "x-amz-algorithm": "AWS4-HMAC-SHA256",
        "x-amz-credential": "AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request",
        "x-amz-date": "20151229T000000Z",
        "x-amz-signature": "8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e",
    }
    secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    assert (
        verify_form(fields, secrets={"AKIAIOSFODNN7EXAMPLE": secret}.get).access_key == "AKIAIOSFODNN7EXAMPLE"
    )
    assert read_post_policy(fields["policy"]).conditions[1].begins


def test_only_who_has_the_secret_signs():
    text = policy(*CONDITIONS)
    key = signing_key("secret", "20231101", "us-east-1", "s3")
    fields = {
        "policy": text,
        "x-amz-algorithm": "AWS4-HMAC-SHA256",
        "x-amz-credential": "KEY/20231101/us-east-1/s3/aws4_request",
        "x-amz-date": "20231101T000000Z",
        "x-amz-signature": signature_of(key, text),
    }
    assert verify_form(fields, secrets={"KEY": "secret"}.get).access_key == "KEY"
    assert failure_of(verify_form, fields, secrets={"KEY": "other"}.get) == "SignatureDoesNotMatch"
    assert failure_of(verify_form, fields, secrets=dict[str, str]().get) == "InvalidAccessKeyId"
    altered = fields | {"policy": policy()}
    assert failure_of(verify_form, altered, secrets={"KEY": "secret"}.get) == "SignatureDoesNotMatch"
    for name in fields:
        rest = {n: v for n, v in fields.items() if n != name}
        assert failure_of(verify_form, rest, secrets={"KEY": "secret"}.get) == "InvalidArgument"


def test_forms_of_the_older_signature_need_their_fields_too():
    text = policy(*CONDITIONS)
    fields = {"policy": text, "awsaccesskeyid": "KEY", "signature": signature_v2("secret", text)}
    assert verify_form(fields, secrets={"KEY": "secret"}.get).access_key == "KEY"
    assert failure_of(verify_form, fields, secrets={"KEY": "other"}.get) == "SignatureDoesNotMatch"
    assert failure_of(verify_form, fields, secrets=dict[str, str]().get) == "InvalidAccessKeyId"
    for name in fields:
        rest = {n: v for n, v in fields.items() if n != name}
        assert is_signed(rest)
        assert failure_of(verify_form, rest, secrets={"KEY": "secret"}.get) == "InvalidArgument"
