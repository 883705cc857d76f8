"""Form uploads as a browser sends them."""

from __future__ import annotations

import base64
import datetime
import hashlib
import http.client
import json
import secrets

from maruhub.wire.signing import signature_of, signing_key
from tests.s3_wire import Wire
from tests.serving import Key, Server, maru

BOUNDARY = "----boundary0123456789"


def signed(key: Key, bucket: str, *conditions: object) -> dict[str, str]:
    """The fields that sign a form."""
    now = datetime.datetime.now(datetime.UTC)
    date = now.strftime("%Y%m%d")
    own = {
        "x-amz-algorithm": "AWS4-HMAC-SHA256",
        "x-amz-credential": f"{key.access_key}/{date}/us-east-1/s3/aws4_request",
        "x-amz-date": now.strftime("%Y%m%dT%H%M%SZ"),
    }
    document = {
        "expiration": (now + datetime.timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "conditions": [{"bucket": bucket}, *conditions, *({n: v} for n, v in own.items())],
    }
    text = base64.b64encode(json.dumps(document).encode()).decode()
    signature = signature_of(signing_key(key.secret_key, date, "us-east-1", "s3"), text)
    return own | {"policy": text, "x-amz-signature": signature}


def post(server: Server, bucket: str, fields: dict[str, str], data: bytes, filename: str = "a.txt"):
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n'
        for n, v in fields.items()
    ]
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{filename}"\r\n\r\n'
    body = (
        "".join([*parts, head]).encode(errors="surrogateescape") + data + f"\r\n--{BOUNDARY}--\r\n".encode()
    )
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    kind = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    connection.request("POST", f"/{bucket}", body, kind)
    answer = connection.getresponse()
    told = answer.status, dict(answer.getheaders()), answer.read()
    connection.close()
    return told


def test_a_browser_puts_what_the_form_lets_it(server: Server):
    key, bucket = server.key("ann", admin=True), f"forms-{secrets.token_hex(4)}"
    maru(server.hub, "mb", bucket)
    form = signed(key, bucket, ["starts-with", "$key", "up/"], ["content-length-range", 1, 10 << 20])
    status, headers, _ = post(server, bucket, {"key": "up/${filename}", **form}, b"hello", "photo.png")
    assert (status, headers["etag"]) == (204, '"5d41402abc4b2a76b9719d911017c592"')
    assert maru(server.hub, "cat", f"maru://{bucket}/up/photo.png") == "hello"

    big = secrets.token_bytes(3 << 20)
    form = signed(key, bucket, {"key": "big"}, {"success_action_status": "201"}, {"x-amz-meta-a": "b"})
    more = {"key": "big", "success_action_status": "201", "x-amz-meta-a": "b"}
    status, _, body = post(server, bucket, more | form, big)
    assert status == 201
    assert b"<Key>big</Key>" in body
    stat = json.loads(maru(server.hub, "stat", f"maru://{bucket}/big", "--json"))
    assert (stat["size"], stat["metadata"]) == (len(big), {"a": "b"})


def test_what_the_form_does_not_let_is_refused_and_not_there(server: Server):
    key, bucket = server.key("ann", admin=True), f"forms-{secrets.token_hex(4)}"
    maru(server.hub, "mb", bucket)
    form = signed(key, bucket, ["starts-with", "$key", "up/"], ["content-length-range", 1, 4])
    cases = {
        "another key": ({"key": "down/1", **form}, b"1", 403, b"AccessDenied"),
        "too large": ({"key": "up/1", **form}, b"12345", 400, b"EntityTooLarge"),
        "too small": ({"key": "up/1", **form}, b"", 400, b"EntityTooSmall"),
        "another field": ({"key": "up/1", "acl": "public-read", **form}, b"1", 403, b"AccessDenied"),
        "unsigned": ({"key": "up/1"}, b"1", 403, b"AccessDenied"),
        "altered": (
            {"key": "up/1", **form, "x-amz-signature": "0" * 64},
            b"1",
            403,
            b"SignatureDoesNotMatch",
        ),
        "no key": (form, b"1", 400, b"UserKeyMustBeSpecified"),
    }
    for name, (fields, data, wanted, code) in cases.items():
        status, _, body = post(server, bucket, fields, data)
        assert (name, status) == (name, wanted), body
        assert code in body, name
    assert json.loads(maru(server.hub, "ls", f"maru://{bucket}", "--json")) == []


TAGS = "<Tagging><TagSet><Tag><Key>a</Key><Value>b + c</Value></Tag></TagSet></Tagging>"


def test_a_form_needs_the_rights_that_a_put_does(server: Server):
    """Whoever may put may not make public, or tag, for that."""
    ann, eve, bucket = server.key("ann"), server.key("eve"), f"forms-{secrets.token_hex(4)}"
    asks = {"acl": "public-read", "tagging": TAGS, "x-amz-tagging": "a=b"}
    with Wire(server, ann) as wire:
        assert wire.ask("PUT", f"/{bucket}").status == 200
        rights = ["s3:PutObject"]
        for name, value in asks.items():
            wire.ask("PUT", f"/{bucket}", "policy", body=policy(bucket, rights))
            fields = {"key": "k", name: value, **signed(eve, bucket, {"key": "k"}, {name: value})}
            status, _, body = post(server, bucket, fields, b"1")
            assert (name, status, b"AccessDenied" in body) == (name, 403, True)
            assert wire.ask("HEAD", f"/{bucket}/k").status == 404
            more = ["s3:PutObjectAcl" if name == "acl" else "s3:PutObjectTagging"]
            wire.ask("PUT", f"/{bucket}", "policy", body=policy(bucket, rights + more))
            assert post(server, bucket, fields, b"1")[0] == 204
            assert wire.ask("DELETE", f"/{bucket}/k").status == 204


def policy(bucket: str, actions: list[str]) -> bytes:
    allow = {"Effect": "Allow", "Principal": {"AWS": "eve"}, "Action": actions}
    return json.dumps({"Statement": [allow | {"Resource": f"arn:aws:s3:::{bucket}/*"}]}).encode()


def test_a_form_is_kept_as_it_asks_or_refused(server: Server):
    """Nothing that it asks for is passed over: what we don't do, a lock, a sum."""
    key, bucket = server.key("ann"), f"forms-{secrets.token_hex(4)}"
    until = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    lock = {"x-amz-object-lock-mode": "GOVERNANCE", "x-amz-object-lock-retain-until-date": until}
    right = base64.b64encode(hashlib.sha256(b"1").digest()).decode()
    wrong = base64.b64encode(hashlib.sha256(b"2").digest()).decode()
    cases: list[tuple[dict[str, str], int, bytes]] = [
        ({"x-amz-server-side-encryption": "AES256"}, 501, b"NotImplemented"),
        ({"x-amz-website-redirect-location": "/elsewhere"}, 501, b"NotImplemented"),
        ({"x-amz-checksum-sha256": wrong}, 400, b"BadDigest"),
        ({"x-amz-checksum-sha256": right, **lock, "tagging": TAGS}, 204, b""),
    ]
    with Wire(server, key) as wire:
        lockable = {"x-amz-bucket-object-lock-enabled": "true"}
        assert wire.ask("PUT", f"/{bucket}", headers=lockable).status == 200
        for asks, wanted, code in cases:
            each = [{name: value} for name, value in asks.items()]
            fields = {"key": "k", **asks, **signed(key, bucket, {"key": "k"}, *each)}
            status, _, body = post(server, bucket, fields, b"1")
            assert (asks, status, code in body) == (asks, wanted, True)
            found = wire.ask("HEAD", f"/{bucket}/k", headers={"x-amz-checksum-mode": "ENABLED"})
            assert (found.status == 200) is (wanted == 204)
        assert found.headers["x-amz-checksum-sha256"] == right
        assert found.headers["x-amz-object-lock-mode"] == "GOVERNANCE"
        assert b"<Value>b + c</Value>" in wire.ask("GET", f"/{bucket}/k", "tagging").body


def test_a_key_that_is_no_text_is_refused(server: Server):
    key, bucket = server.key("ann"), f"forms-{secrets.token_hex(4)}"
    with Wire(server, key) as wire:
        assert wire.ask("PUT", f"/{bucket}").status == 200
        fields = {"key": "\udcff", **signed(key, bucket, ["starts-with", "$key", ""])}
        status, _, body = post(server, bucket, fields, b"1")
        assert (status, b"MalformedPOSTRequest" in body) == (400, True)
        assert wire.ask("GET", f"/{bucket}").body.count(b"<Key>") == 0
