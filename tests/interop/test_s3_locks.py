"""Object lock over HTTP: defaults, retention, holds, and who may end them."""

from __future__ import annotations

import time

import pytest

from tests.s3_client import Bucket, Reply, S3Client

BYPASS = {"x_amz_bypass_governance_retention": "true"}


def after(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))


@pytest.fixture
def locked(ann: S3Client, new_name: str) -> Bucket:
    """A new bucket of ann's with object lock."""
    made = Bucket(ann, new_name)
    assert made.ask("PUT", headers={"x-amz-bucket-object-lock-enabled": "true"}).status == 200
    return made


def default(bucket: Bucket, inner: str) -> Reply:
    rule = f"<Rule><DefaultRetention>{inner}</DefaultRetention></Rule>" if inner else ""
    body = f"<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>{rule}</ObjectLockConfiguration>"
    return bucket.ask("PUT", query="object-lock", body=body)


def retain(bucket: Bucket, mode: str, seconds: float, **headers: str) -> Reply:
    body = f"<Retention><Mode>{mode}</Mode><RetainUntilDate>{after(seconds)}</RetainUntilDate></Retention>"
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return bucket.ask("PUT", "k", "retention", headers=named, body=body)


def hold(bucket: Bucket, status: str) -> Reply:
    return bucket.ask("PUT", "k", "legal-hold", body=f"<LegalHold><Status>{status}</Status></LegalHold>")


def test_a_bucket_with_lock_keeps_versions(locked: Bucket):
    assert locked.ask("GET", query="versioning").text("Status") == "Enabled"
    assert locked.ask("GET", query="object-lock").text("ObjectLockEnabled") == "Enabled"
    suspend = "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>"
    refused = locked.ask("PUT", query="versioning", body=suspend)
    assert (refused.status, refused.code) == (409, "InvalidBucketState")


@pytest.mark.parametrize(
    ("inner", "code"),
    [
        ("<Mode>GOVERNANCE</Mode><Days>1</Days>", ""),
        ("<Mode>COMPLIANCE</Mode><Years>1</Years>", ""),
        ("", ""),
        ("<Mode>GOVERNANCE</Mode><Days>1</Days><Years>1</Years>", "MalformedXML"),
        ("<Mode>GOVERNANCE</Mode>", "MalformedXML"),
        ("<Mode>governance</Mode><Days>1</Days>", "MalformedXML"),
        ("<Mode>GOVERNANCE</Mode><Days>0</Days>", "InvalidArgument"),
        ("<Mode>GOVERNANCE</Mode><Years>-1</Years>", "InvalidArgument"),
        ("<Mode>GOVERNANCE</Mode><Days>36501</Days>", "InvalidArgument"),
    ],
)
def test_defaults(locked: Bucket, inner: str, code: str):
    assert default(locked, inner).code == code
    told = locked.ask("GET", query="object-lock")
    assert told.text("Rule/DefaultRetention/Mode") == (inner[6:16] if inner and not code else "")


def test_the_default_locks_what_is_put(locked: Bucket):
    default(locked, "<Mode>GOVERNANCE</Mode><Days>1</Days>")
    version = locked.put("k", b"1").headers["x-amz-version-id"]
    head = locked.head("k").headers
    assert head["x-amz-object-lock-mode"] == "GOVERNANCE"
    assert head["x-amz-object-lock-retain-until-date"] > after(86_000)
    assert locked.delete("k", {"versionId": version}).code == "AccessDenied"
    # A marker may always be put in front.
    assert locked.delete("k").status == 204
    assert locked.delete("k", {"versionId": version}, **BYPASS).status == 204


def test_governance_gives_way_to_whoever_may_bypass_it(locked: Bucket):
    version = locked.put("k", b"1").headers["x-amz-version-id"]
    assert locked.ask("GET", "k", "retention").code == "NoSuchObjectLockConfiguration"
    assert retain(locked, "GOVERNANCE", 1000).status == 200
    assert retain(locked, "GOVERNANCE", 2000).status == 200
    for shorter in (retain(locked, "GOVERNANCE", 1500), retain(locked, "COMPLIANCE", 3000)):
        assert (shorter.status, shorter.code) == (403, "AccessDenied")
    assert locked.ask("PUT", "k", "retention", body="<Retention/>").code == "AccessDenied"
    assert retain(locked, "GOVERNANCE", 1500, **BYPASS).status == 200
    told = locked.ask("GET", "k", "retention")
    assert (told.text("Mode"), told.text("RetainUntilDate")[:16]) == ("GOVERNANCE", after(1500)[:16])
    many = f"<Delete><Object><Key>k</Key><VersionId>{version}</VersionId></Object></Delete>"
    assert locked.ask("POST", query="delete", body=many).text("Error/Code") == "AccessDenied"
    assert locked.delete("k", {"versionId": version}, **BYPASS).status == 204


def test_compliance_gives_way_to_nobody(locked: Bucket):
    version = locked.put(
        "k", b"1", x_amz_object_lock_mode="COMPLIANCE", x_amz_object_lock_retain_until_date=after(1000)
    ).headers["x-amz-version-id"]
    assert retain(locked, "COMPLIANCE", 500, **BYPASS).code == "AccessDenied"
    assert retain(locked, "GOVERNANCE", 5000, **BYPASS).code == "AccessDenied"
    assert locked.delete("k", {"versionId": version}, **BYPASS).code == "AccessDenied"
    assert retain(locked, "COMPLIANCE", 1500).status == 200


def test_retentions_that_cannot_be(locked: Bucket):
    locked.put("k")
    assert retain(locked, "GOVERNANCE", -1000).code == "InvalidArgument"
    assert retain(locked, "SOMETIMES", 1000).code == "MalformedXML"
    body = "<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>tomorrow</RetainUntilDate></Retention>"
    assert locked.ask("PUT", "k", "retention", body=body).code == "MalformedXML"


def test_a_hold_is_set_and_lifted(locked: Bucket):
    version = locked.put("k").headers["x-amz-version-id"]
    assert locked.ask("GET", "k", "legal-hold").code == "NoSuchObjectLockConfiguration"
    assert hold(locked, "MAYBE").code == "MalformedXML"
    for status in ("ON", "OFF"):
        assert hold(locked, status).status == 200
        assert locked.ask("GET", "k", "legal-hold").text("Status") == status
        assert locked.head("k").headers["x-amz-object-lock-legal-hold"] == status
        deleted = locked.delete("k", {"versionId": version}, **BYPASS)
        assert deleted.status == (403 if status == "ON" else 204)


@pytest.mark.parametrize(
    "headers",
    [
        {"mode": "GOVERNANCE"},
        {"retain_until_date": after(1000)},
        {"mode": "SOMETIMES", "retain_until_date": after(1000)},
        {"mode": "GOVERNANCE", "retain_until_date": after(-1000)},
        {"mode": "GOVERNANCE", "retain_until_date": "tomorrow"},
        {"legal_hold": "MAYBE"},
    ],
)
def test_headers_that_cannot_be(locked: Bucket, headers: dict[str, str]):
    named = {f"x_amz_object_lock_{name}": value for name, value in headers.items()}
    refused = locked.put("k", **named)
    assert (refused.status, refused.code) == (400, "InvalidArgument")


def test_a_bucket_without_lock(bucket: Bucket):
    bucket.put("k")
    assert bucket.ask("GET", query="object-lock").code == "ObjectLockConfigurationNotFoundError"
    assert default(bucket, "<Mode>GOVERNANCE</Mode><Days>1</Days>").code == "InvalidBucketState"
    for answer in (
        retain(bucket, "GOVERNANCE", 1000),
        hold(bucket, "ON"),
        bucket.ask("GET", "k", "retention"),
        bucket.ask("GET", "k", "legal-hold"),
        bucket.put("k", x_amz_object_lock_legal_hold="ON"),
    ):
        assert (answer.status, answer.code) == (400, "InvalidRequest")


def test_a_bucket_that_keeps_versions_can_be_given_lock(versioned: Bucket):
    assert default(versioned, "").status == 200
    assert versioned.put("k", x_amz_object_lock_legal_hold="ON").status == 200
