"""Lifecycle over HTTP: documents there and back, what is refused, what answers say of a rule."""

from __future__ import annotations

import re
import time
from email.utils import parsedate_to_datetime

import pytest

from tests.s3_client import Bucket, Reply

DAY_S = 86_400
EXPIRY = re.compile(r'expiry-date="([^"]+)", rule-id="([^"]+)"')


def put(bucket: Bucket, *rules: str) -> Reply:
    listed = "".join(f"<Rule>{rule}</Rule>" for rule in rules)
    body = f"<LifecycleConfiguration>{listed}</LifecycleConfiguration>"
    return bucket.ask("PUT", query="lifecycle", body=body)


def rule(inner: str, where: str = "<Filter/>", name: str = "<ID>a</ID>", status: str = "Enabled") -> str:
    return f"{name}<Status>{status}</Status>{where}{inner}"


DAYS = "<Expiration><Days>{}</Days></Expiration>"
DATE = "<Expiration><Date>{}</Date></Expiration>"


def test_there_and_back(bucket: Bucket):
    assert bucket.ask("GET", query="lifecycle").code == "NoSuchLifecycleConfiguration"
    noncurrent = (
        "<NoncurrentVersionExpiration><NoncurrentDays>2</NoncurrentDays>"
        "<NewerNoncurrentVersions>5</NewerNoncurrentVersions></NoncurrentVersionExpiration>"
    )
    both = "<Filter><And><Prefix>a/</Prefix><Tag><Key>k</Key><Value>v</Value></Tag></And></Filter>"
    done = put(
        bucket, rule(DAYS.format(3) + noncurrent, both), rule(DATE.format("2040-01-01T00:00:00Z"), name="")
    )
    assert done.status == 200
    kept = bucket.ask("GET", query="lifecycle")
    first, second = kept.document.findall("Rule")
    assert first.findtext("ID") == "a"
    assert first.findtext("Filter/And/Prefix") == "a/"
    assert first.findtext("Filter/And/Tag/Value") == "v"
    assert first.findtext("Expiration/Days") == "3"
    assert first.findtext("NoncurrentVersionExpiration/NewerNoncurrentVersions") == "5"
    assert second.findtext("ID")
    assert (second.findtext("Expiration/Date") or "").startswith("2040-01-01T00:00:00")
    assert bucket.ask("DELETE", query="lifecycle").status == 204
    assert bucket.ask("GET", query="lifecycle").status == 404


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (rule(DAYS.format(0)), "InvalidArgument"),
        (rule(DAYS.format(-1)), "InvalidArgument"),
        (rule(DATE.format("20400101")), "MalformedXML"),
        (rule(DATE.format("2040-01-01T01:00:00Z")), "InvalidArgument"),
        (rule(DAYS.format(1), status="enabled"), "MalformedXML"),
        (rule(DAYS.format(1), name=f"<ID>{'a' * 256}</ID>"), "InvalidArgument"),
        (rule(DAYS.format(1), where=""), "MalformedXML"),
        (rule(""), "InvalidRequest"),
    ],
)
def test_rules_that_cannot_be(bucket: Bucket, wrong: str, code: str):
    refused = put(bucket, wrong)
    assert (refused.status, refused.code) == (400, code)
    assert bucket.ask("GET", query="lifecycle").status == 404


def test_names_of_rules_are_unlike(bucket: Bucket):
    assert put(bucket, rule(DAYS.format(1)), rule(DAYS.format(2))).code == "InvalidArgument"


def test_answers_say_when_an_object_expires(bucket: Bucket):
    put(bucket, rule(DAYS.format(2), "<Filter><Prefix>x/</Prefix></Filter>", "<ID>two days</ID>"))
    bucket.put("other")
    bucket.ask("POST", "x/parts", "uploads")
    answers = [
        bucket.put("x/1"),
        bucket.head("x/1"),
        bucket.get("x/1"),
        bucket.copy("x/2", f"{bucket.name}/x/1"),
    ]
    for answer in answers:
        told = EXPIRY.fullmatch(answer.headers["x-amz-expiration"])
        assert told is not None
        assert told[2] == "two days"
        at_s = parsedate_to_datetime(told[1]).timestamp()
        assert at_s % DAY_S == 0
        assert 2 * DAY_S <= at_s - time.time() + 60 <= 3 * DAY_S + 60
    for answer in (bucket.head("other"), bucket.copy("other", f"{bucket.name}/x/1")):
        assert "x-amz-expiration" not in answer.headers


def test_of_versions_only_the_current_one_expires(versioned: Bucket):
    old = versioned.put("k").headers["x-amz-version-id"]
    versioned.put("k")
    put(versioned, rule(DAYS.format(1)))
    assert "x-amz-expiration" in versioned.head("k").headers
    assert "x-amz-expiration" not in versioned.head("k", {"versionId": old}).headers


def test_answers_say_when_an_upload_is_given_up(bucket: Bucket):
    days = "<DaysAfterInitiation>3</DaysAfterInitiation>"
    put(bucket, rule(f"<AbortIncompleteMultipartUpload>{days}</AbortIncompleteMultipartUpload>"))
    begun = bucket.ask("POST", "k", "uploads")
    listed = bucket.ask("GET", "k", {"uploadId": begun.text("UploadId")})
    for answer in (begun, listed):
        assert answer.headers["x-amz-abort-rule-id"] == "a"
        at_s = parsedate_to_datetime(answer.headers["x-amz-abort-date"]).timestamp()
        assert at_s % DAY_S == 0
