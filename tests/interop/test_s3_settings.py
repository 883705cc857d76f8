"""Settings of buckets over HTTP: CORS, policies, public access, ACLs, tags, and what is never set here."""

from __future__ import annotations

import json

import pytest

from tests.s3_client import Bucket, Reply, S3Client

RULE = (
    "<CORSRule><AllowedOrigin>http://a.com</AllowedOrigin><AllowedOrigin>*.b.com</AllowedOrigin>"
    "<AllowedMethod>GET</AllowedMethod><AllowedMethod>PUT</AllowedMethod><AllowedHeader>x-*</AllowedHeader>"
    "<ExposeHeader>ETag</ExposeHeader><MaxAgeSeconds>30</MaxAgeSeconds></CORSRule>"
)
VARY = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"


def put_cors(bucket: Bucket, rules: str) -> Reply:
    return bucket.ask("PUT", query="cors", body=f"<CORSConfiguration>{rules}</CORSConfiguration>")


def preflight(bucket: Bucket, client: S3Client, origin: str, method: str, headers: str = "") -> Reply:
    named = {"origin": origin, "access-control-request-method": method}
    named |= {"access-control-request-headers": headers} if headers else {}
    return bucket.by(client).ask("OPTIONS", "k", headers=named)


def test_preflights(bucket: Bucket, anyone: S3Client):
    assert preflight(bucket, anyone, "http://a.com", "GET").code == "AccessDenied"
    assert put_cors(bucket, RULE).status == 200
    allowed = preflight(bucket, anyone, "http://a.com", "PUT", "X-One, x-two")
    assert allowed.status == 200
    told = {
        "access-control-allow-origin": "http://a.com",
        "access-control-allow-methods": "GET, PUT",
        "access-control-allow-headers": "x-one, x-two",
        "access-control-expose-headers": "ETag",
        "access-control-max-age": "30",
        "vary": VARY,
    }
    assert {name: allowed.headers[name] for name in told} == told
    assert preflight(bucket, anyone, "http://x.b.com", "GET").status == 200
    for origin, method, headers in (
        ("http://c.com", "GET", ""),
        ("http://a.com", "DELETE", ""),
        ("http://a.com", "PUT", "content-type"),
    ):
        refused = preflight(bucket, anyone, origin, method, headers)
        assert (refused.status, refused.code) == (403, "AccessDenied")
    assert preflight(bucket, anyone, "http://a.com", "FETCH").code == "BadRequest"
    assert bucket.by(anyone).ask("OPTIONS", "k").code == "BadRequest"


def test_answers_to_pages_of_others(bucket: Bucket, anyone: S3Client):
    bucket.put("k", b"x")
    put_cors(bucket, RULE)
    for answer in (
        bucket.get("k", origin="http://a.com"),
        bucket.get("none", origin="http://a.com"),
        bucket.by(anyone).get("k", origin="http://a.com"),
    ):
        assert answer.headers["access-control-allow-origin"] == "http://a.com"
        assert answer.headers["vary"] == VARY
    other = bucket.get("k", origin="http://c.com").headers
    assert "access-control-allow-origin" not in other
    assert other["vary"] == VARY


@pytest.mark.parametrize(
    ("rules", "code"),
    [
        ("", "MalformedXML"),
        ("<CORSRule><AllowedMethod>GET</AllowedMethod></CORSRule>", "MalformedXML"),
        (RULE.replace("GET", "FETCH"), "InvalidRequest"),
        (RULE.replace("*.b.com", "*.*"), "InvalidRequest"),
        (RULE * 101, "MalformedXML"),
    ],
)
def test_rules_of_cors_that_cannot_be(bucket: Bucket, rules: str, code: str):
    assert put_cors(bucket, rules).code == code
    assert bucket.ask("GET", query="cors").code == "NoSuchCORSConfiguration"
    assert bucket.ask("DELETE", query="cors").status == 204


def reading(bucket: Bucket) -> str:
    """A policy that lets everyone read."""
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject"}
    resource = {"Resource": f"arn:aws:s3:::{bucket.name}/*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement | resource]})


def test_policies(bucket: Bucket, bob: S3Client, anyone: S3Client):
    bucket.put("k", b"x")
    for query in ("policy", "policyStatus"):
        assert bucket.ask("GET", query=query).code == "NoSuchBucketPolicy"
    assert bucket.ask("PUT", query="policy", body=reading(bucket)).status == 204
    kept = bucket.ask("GET", query="policy")
    assert (kept.body.decode(), kept.headers["content-type"]) == (reading(bucket), "application/json")
    assert bucket.ask("GET", query="policyStatus").text("IsPublic") == "true"
    for client in (bob, anyone):
        theirs = bucket.by(client)
        assert theirs.get("k").body == b"x"
        assert theirs.ask("GET").code == "AccessDenied"
        assert theirs.put("k", b"y").code == "AccessDenied"
        # Who may not list is not told what isn't there.
        assert theirs.get("none").code == "AccessDenied"
    for wrong in (
        "junk",
        "",
        "{}",
        reading(bucket).replace(bucket.name, "other"),
        reading(bucket).replace("Get", "Fetch"),
    ):
        assert bucket.ask("PUT", query="policy", body=wrong).code == "MalformedPolicy"
    for _ in range(2):
        assert bucket.ask("DELETE", query="policy").status == 204
    assert bucket.by(anyone).get("k").status == 403


def test_public_access_is_blocked(bucket: Bucket, anyone: S3Client):
    bucket.put("k", b"x", x_amz_acl="public-read")
    assert bucket.ask("GET", query="publicAccessBlock").code == "NoSuchPublicAccessBlockConfiguration"
    names = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    inner = "".join(f"<{name}>true</{name}>" for name in names)
    body = f"<PublicAccessBlockConfiguration>{inner}</PublicAccessBlockConfiguration>"
    assert bucket.ask("PUT", query="publicAccessBlock", body=body).status == 200
    kept = bucket.ask("GET", query="publicAccessBlock")
    assert [kept.text(name) for name in names] == ["true"] * 4
    assert bucket.by(anyone).get("k").status == 403
    public = {"x-amz-acl": "public-read"}
    for answer in (
        bucket.ask("PUT", query="policy", body=reading(bucket)),
        bucket.ask("PUT", query="acl", headers=public),
        bucket.ask("PUT", "k", "acl", headers=public),
        bucket.ask("PUT", "k", headers=public),
    ):
        assert (answer.status, answer.code) == (403, "AccessDenied")
    assert bucket.ask("DELETE", query="publicAccessBlock").status == 204
    assert bucket.by(anyone).get("k").status == 200


def test_acls_are_canned(bucket: Bucket, anyone: S3Client):
    bucket.put("k", b"x")
    for key in ("", "k"):
        for acl, status in (("public-read", 200), ("private", 403)):
            assert bucket.ask("PUT", key, "acl", headers={"x-amz-acl": acl}).status == 200
            assert bucket.by(anyone).ask("GET", key).status == status
        told = bucket.ask("GET", key, "acl")
        assert told.text("Owner/ID") == told.text("AccessControlList/Grant/Grantee/ID") == "ann"
        assert told.text("AccessControlList/Grant/Permission") == "FULL_CONTROL"
        assert bucket.ask("PUT", key, "acl", body=told.body.decode()).status == 200
        other = told.body.decode().replace("FULL_CONTROL", "READ")
        assert bucket.ask("PUT", key, "acl", body=other).code == "AccessControlListNotSupported"
        grant = {"x-amz-grant-read": 'id="x"'}
        assert bucket.ask("PUT", key, "acl", headers=grant).code == "AccessControlListNotSupported"
        assert bucket.ask("PUT", key, "acl", headers={"x-amz-acl": "junk"}).code == "InvalidArgument"
        assert bucket.ask("PUT", key, "acl", body="<AccessControlPolicy/>").code == "MalformedACLError"
        assert bucket.ask("PUT", key, "acl").code == "MissingRequestBodyError"
    assert bucket.ask("GET", "none", "acl").code == "NoSuchKey"


def test_tags_of_a_bucket(bucket: Bucket):
    assert bucket.ask("GET", query="tagging").code == "NoSuchTagSet"
    tag = "<Tag><Key>k{}</Key><Value>v</Value></Tag>"
    for count, status in ((50, 204), (51, 400)):
        listed = "".join(tag.format(n) for n in range(count))
        body = f"<Tagging><TagSet>{listed}</TagSet></Tagging>"
        assert bucket.ask("PUT", query="tagging", body=body).status == status
    assert len(bucket.ask("GET", query="tagging").texts("TagSet/Tag/Key")) == 50
    assert bucket.ask("DELETE", query="tagging").status == 204
    assert bucket.ask("GET", query="tagging").code == "NoSuchTagSet"


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("encryption", 404, "ServerSideEncryptionConfigurationNotFoundError"),
        ("website", 404, "NoSuchWebsiteConfiguration"),
        ("replication", 404, "ReplicationConfigurationNotFoundError"),
        ("ownershipControls", 200, ""),
        ("logging", 200, ""),
        ("accelerate", 200, ""),
        ("requestPayment", 200, ""),
        ("notification", 200, ""),
        ("session", 501, "NotImplemented"),
        ("unheard-of", 501, "NotImplemented"),
    ],
)
def test_what_was_never_set(bucket: Bucket, query: str, status: int, code: str):
    answer = bucket.ask("GET", query=query)
    assert (answer.status, answer.code) == (status, code)


def test_what_is_so_anyway_may_be_said(bucket: Bucket):
    said = {
        "ownershipControls": "<OwnershipControls><Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership>"
        "</Rule></OwnershipControls>",
        "notification": "<NotificationConfiguration/>",
        "logging": "<BucketLoggingStatus/>",
        "requestPayment": "<RequestPaymentConfiguration><Payer>BucketOwner</Payer></RequestPaymentConfiguration>",
        "accelerate": "<AccelerateConfiguration><Status>Suspended</Status></AccelerateConfiguration>",
    }
    for query, body in said.items():
        assert bucket.ask("PUT", query=query, body=body).status == 200
    others = {
        "ownershipControls": said["ownershipControls"].replace("BucketOwnerEnforced", "ObjectWriter"),
        "logging": "<BucketLoggingStatus><LoggingEnabled/></BucketLoggingStatus>",
        "requestPayment": said["requestPayment"].replace("BucketOwner", "Requester"),
        "accelerate": said["accelerate"].replace("Suspended", "Enabled"),
        "encryption": "<ServerSideEncryptionConfiguration/>",
        "website": "<WebsiteConfiguration/>",
    }
    for query, body in others.items():
        answer = bucket.ask("PUT", query=query, body=body)
        assert (answer.status, answer.code) == (501, "NotImplemented")
    for query in ("logging", "requestPayment", "accelerate"):
        assert bucket.ask("PUT", query=query, body="<Junk/>").code == "MalformedXML"
