"""What policies and ACLs give and take, over HTTP: who gets in by which of them, and who does not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.s3_wire import Told, Wire
from tests.serving import Key, Server, maru, serving, wait_until


class Doors:
    """A server of one worker; ``door`` gives a connection of a user, or of nobody."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server = server
        self.folder = folder
        self._open: dict[str, Wire] = {}

    def door(self, user: str = "") -> Wire:
        if user not in self._open:
            self._open[user] = Wire(self.server, self.server.key(user) if user else None)
        return self._open[user]

    def door_with(self, user: str, name: str, policy: dict[str, Any], *, admin: bool = False) -> Wire:
        """A door by a key of the user's that has a policy of its own."""
        words = ["key", "create", name, "--user", user, "--json", "--policy", self._file(name, policy)]
        made = json.loads(maru(self.server.hub, *words, *(["--admin"] if admin else [])))
        wire = Wire(self.server, Key(made["access_key"], made["secret_key"], user, admin))
        self._open[made["access_key"]] = wire
        return wire

    def close(self) -> None:
        for wire in self._open.values():
            wire.close()

    def user_policy(self, user: str, policy: dict[str, Any]) -> None:
        self.door(user)
        maru(self.server.hub, "user", "policy", user, self._file(user, policy))

    def bucket(self, name: str) -> str:
        """A bucket of ann's with one object, ``k``."""
        assert self.door("ann").ask("PUT", f"/{name}").status == 200
        assert self.door("ann").ask("PUT", f"/{name}/k", body=b"bytes").status == 200
        return name

    def bucket_policy(self, bucket: str, *statements: dict[str, Any]) -> Told:
        body = json.dumps({"Version": "2012-10-17", "Statement": list(statements)}).encode()
        return self.door("ann").ask("PUT", f"/{bucket}", "policy", body=body)

    def _file(self, name: str, policy: dict[str, Any]) -> str:
        path = self.folder / f"{name}.json"
        path.write_text(json.dumps(policy))
        return str(path)


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    folder = tmp_path_factory.mktemp("grants")
    with serving(folder, "--workers", "1", "--no-care", blades=1) as server:
        doors = Doors(server, folder)
        yield doors
        doors.close()


def statement(effect: str, action: Any, resource: str, who: Any = "*", **more: Any) -> dict[str, Any]:
    said = {"Effect": effect, "Action": action, "Resource": f"arn:aws:s3:::{resource}", **more}
    return said if who is None else {**said, "Principal": who}


def test_a_bucket_policy_lets_everybody_in(doors: Doors):
    bucket = doors.bucket("shown")
    assert doors.door().ask("GET", f"/{bucket}/k").code == "AccessDenied"
    assert doors.bucket_policy(bucket, statement("Allow", "s3:GetObject", f"{bucket}/*")).status == 204
    assert doors.door().ask("GET", f"/{bucket}/k").body == b"bytes"
    assert doors.door("bob").ask("GET", f"/{bucket}/k").body == b"bytes"
    for refused in (
        doors.door().ask("PUT", f"/{bucket}/k", body=b"other"),
        doors.door().ask("DELETE", f"/{bucket}/k"),
        doors.door().ask("GET", f"/{bucket}"),
        doors.door().ask("GET", f"/{bucket}/k", "tagging"),
        doors.door("bob").ask("GET", f"/{bucket}", "policy"),
    ):
        assert refused.code == "AccessDenied"
    # Who may not list is not told what is missing.
    assert doors.door().ask("GET", f"/{bucket}/other").code == "AccessDenied"


def test_a_deny_wins_over_every_allow(doors: Doors):
    bucket = doors.bucket("denied")
    said = doors.bucket_policy(
        bucket,
        statement("Allow", "s3:*", f"{bucket}/*", {"AWS": ["bob", "carol"]}),
        statement("Deny", "s3:GetObject", f"{bucket}/k", {"AWS": "bob"}),
        statement("Deny", "s3:DeleteObject", f"{bucket}/*"),
    )
    assert said.status == 204
    assert doors.door("carol").ask("GET", f"/{bucket}/k").status == 200
    assert doors.door("bob").ask("GET", f"/{bucket}/k").code == "AccessDenied"
    assert doors.door("bob").ask("PUT", f"/{bucket}/j", body=b"x").status == 200
    # Its owner is bound by it too, and may take it away.
    assert doors.door("ann").ask("DELETE", f"/{bucket}/j").code == "AccessDenied"
    assert doors.door("ann").ask("DELETE", f"/{bucket}", "policy").status == 204
    assert doors.door("ann").ask("DELETE", f"/{bucket}/j").status == 204


CONDITIONS = {
    "IpAddress": ({"aws:SourceIp": "127.0.0.0/8"}, {"aws:SourceIp": "10.0.0.0/8"}),
    "NotIpAddress": ({"aws:SourceIp": "10.0.0.0/8"}, {"aws:SourceIp": "127.0.0.0/8"}),
    "StringEquals": ({"aws:UserAgent": "reader"}, {"aws:UserAgent": "other"}),
    "StringLike": ({"aws:Referer": "https://a.example/*"}, {"aws:Referer": "https://b.example/*"}),
    "Bool": ({"aws:SecureTransport": "false"}, {"aws:SecureTransport": "true"}),
    "DateLessThan": (
        {"aws:CurrentTime": "2199-01-01T00:00:00Z"},
        {"aws:CurrentTime": "1999-01-01T00:00:00Z"},
    ),
    "Null": ({"aws:username": "true"}, {"aws:username": "false"}),
    "StringEqualsIfExists": ({"s3:ExistingObjectTag/shelf": "open"}, {"s3:ExistingObjectTag/shelf": "shut"}),
}


@pytest.mark.parametrize("operator", CONDITIONS)
def test_a_condition_must_hold(doors: Doors, operator: str):
    bucket = doors.bucket(f"condition-{operator.lower()}")
    tags = b"<Tagging><TagSet><Tag><Key>shelf</Key><Value>open</Value></Tag></TagSet></Tagging>"
    assert doors.door("ann").ask("PUT", f"/{bucket}/k", "tagging", body=tags).status == 200
    headers = {"user-agent": "reader", "referer": "https://a.example/page"}
    for condition, status in zip(CONDITIONS[operator], (200, 403), strict=True):
        allow = statement("Allow", "s3:GetObject", f"{bucket}/*", Condition={operator: condition})
        assert doors.bucket_policy(bucket, allow).status == 204
        assert doors.door().ask("GET", f"/{bucket}/k", headers=headers).status == status


TAGS = b"<CreateBucketConfiguration><Tags><Tag><Key>a</Key><Value>b</Value></Tag></Tags></CreateBucketConfiguration>"


@pytest.mark.parametrize(
    ("name", "headers", "body", "rights"),
    [
        ("acl", {"x-amz-acl": "public-read-write"}, b"", ["s3:PutBucketAcl"]),
        ("tags", {}, TAGS, ["s3:PutBucketTagging"]),
        (
            "lock",
            {"x-amz-bucket-object-lock-enabled": "true"},
            b"",
            ["s3:PutBucketObjectLockConfiguration", "s3:PutBucketVersioning"],
        ),
    ],
)
def test_to_make_a_bucket_with_settings_takes_their_rights(
    doors: Doors, name: str, headers: dict[str, str], body: bytes, rights: list[str]
):
    def maker(*actions: str) -> Wire:
        allow = {"Effect": "Allow", "Action": ["s3:CreateBucket", *actions], "Resource": "*"}
        return doors.door_with("nora", f"maker-{name}-{len(actions)}", {"Statement": [allow]})

    for known in range(len(rights)):
        asked = maker(*rights[:known]).ask("PUT", f"/made-with-{name}", headers=headers, body=body)
        assert asked.code == "AccessDenied"
    assert doors.door("nora").ask("HEAD", f"/made-with-{name}").status == 404
    assert maker(*rights).ask("PUT", f"/made-with-{name}", headers=headers, body=body).status == 200
    assert maker().ask("PUT", f"/made-plainly-{name}", headers={"x-amz-acl": "private"}).status == 200
    assert doors.door("nora").ask("PUT", f"/made-freely-{name}", headers=headers, body=body).status == 200


@pytest.mark.parametrize(
    ("action", "key", "denied", "query", "document"),
    [
        (
            "s3:PutObjectTagging",
            "s3:RequestObjectTag/level",
            ("admin", "user"),
            "tagging",
            "<Tagging><TagSet><Tag><Key>level</Key><Value>{}</Value></Tag></TagSet></Tagging>",
        ),
        (
            "s3:PutObjectRetention",
            "s3:object-lock-mode",
            ("COMPLIANCE", "GOVERNANCE"),
            "retention",
            "<Retention><Mode>{}</Mode><RetainUntilDate>2099-01-01T00:00:00Z</RetainUntilDate></Retention>",
        ),
        (
            "s3:PutObjectLegalHold",
            "s3:object-lock-legal-hold",
            ("ON", "OFF"),
            "legal-hold",
            "<LegalHold><Status>{}</Status></LegalHold>",
        ),
    ],
)
def test_a_condition_is_on_what_a_document_asks_for_too(
    doors: Doors, action: str, key: str, denied: tuple[str, str], query: str, document: str
):
    bucket, ann, olga = f"conditioned-{query}", doors.door("ann"), doors.door("olga")
    assert ann.ask("PUT", f"/{bucket}", headers={"x-amz-bucket-object-lock-enabled": "true"}).status == 200
    assert ann.ask("PUT", f"/{bucket}/k", body=b"x").status == 200
    allow = statement("Allow", action, f"{bucket}/*", {"AWS": "olga"})
    deny = statement("Deny", action, f"{bucket}/*", Condition={"StringEquals": {key: denied[0]}})
    assert doors.bucket_policy(bucket, allow, deny).status == 204
    for word, status in zip(denied, (403, 200), strict=True):
        answer = olga.ask("PUT", f"/{bucket}/k", query, body=document.format(word).encode())
        assert (word, answer.status) == (word, status)


def test_nobody_locks_themselves_out(doors: Doors):
    bucket = doors.bucket("locked-out")
    ann, whole = doors.door("ann"), f"/{bucket}"
    key_of_hers = doors.door_with(
        "ann", "ann-bound", {"Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    )
    everything = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": everything}
    for _ in range(2):
        assert doors.bucket_policy(bucket, deny).status == 204
        assert ann.ask("GET", f"{whole}/k").code == "AccessDenied"
        assert ann.ask("PUT", whole, "versioning").code == "AccessDenied"
        for method in ("GET", "DELETE"):
            for other in (doors.door("bob"), doors.door(), key_of_hers):
                assert other.ask(method, whole, "policy").code == "AccessDenied"
    assert ann.ask("GET", whole, "policy").status == 200
    assert ann.ask("DELETE", whole, "policy").status == 204
    assert ann.ask("GET", f"{whole}/k").status == 200
    own = {"Statement": [{"Effect": "Deny", "Action": "s3:*BucketPolicy", "Resource": "*"}]}
    doors.user_policy("mia", own)
    mia = doors.door("mia")
    assert mia.ask("PUT", "/mias").status == 200
    wait_until(lambda: mia.ask("DELETE", "/mias", "policy").code == "AccessDenied")


def test_a_users_policy_gives_and_denies(doors: Doors):
    bucket = doors.bucket("by-user")
    allow = statement("Allow", ["s3:GetObject", "s3:ListBucket"], "by-user*", None)
    doors.user_policy("dora", {"Statement": [allow]})
    assert doors.door("dora").ask("GET", f"/{bucket}/k").status == 200
    assert doors.door("dora").ask("GET", f"/{bucket}").status == 200
    assert doors.door("dora").ask("PUT", f"/{bucket}/k", body=b"x").code == "AccessDenied"
    # What her own policy denies is denied in her own bucket.
    assert doors.door("dora").ask("PUT", "/doras").status == 200
    doors.user_policy("dora", {"Statement": [statement("Deny", "s3:PutObject", "doras/*", None)]})
    wait_until(lambda: doors.door("dora").ask("PUT", "/doras/k", body=b"x").status == 403)
    assert doors.door("dora").ask("GET", f"/{bucket}/k").code == "AccessDenied"


@pytest.mark.parametrize("admin", [False, True])
def test_a_key_with_a_policy_may_do_what_it_says_and_no_more(doors: Doors, admin: bool):
    bucket = doors.bucket(f"by-key-{admin}".lower())
    policy = {"Statement": [statement("Allow", "s3:GetObject", f"{bucket}/*", None)]}
    with doors.door_with("ann", f"narrow-{admin}", policy, admin=admin) as narrow:
        assert narrow.ask("GET", f"/{bucket}/k").body == b"bytes"
        for method, path, query in (
            ("PUT", f"/{bucket}/k", ""),
            ("DELETE", f"/{bucket}/k", ""),
            ("GET", f"/{bucket}", ""),
            ("PUT", f"/{bucket}", "policy"),
            ("DELETE", f"/{bucket}", "policy"),
            ("PUT", "/a-new-bucket", ""),
            ("GET", "/", ""),
        ):
            assert narrow.ask(method, path, query).code == "AccessDenied", (method, path, query)
    assert doors.door("ann").ask("GET", f"/{bucket}/k").body == b"bytes"


def test_to_make_a_bucket_again_takes_the_right_to_its_acl(doors: Doors):
    bucket, public = doors.bucket("made-again"), {"x-amz-acl": "public-read"}
    policy = {"Statement": [statement("Allow", "s3:CreateBucket", bucket, None)]}
    with doors.door_with("ann", "maker", policy) as maker:
        assert maker.ask("PUT", f"/{bucket}").status == 200, "it changes nothing"
        assert maker.ask("PUT", f"/{bucket}", headers=public).code == "AccessDenied"
    assert doors.door().ask("GET", f"/{bucket}").code == "AccessDenied"


ACLS = {
    # ACL of the bucket: what (nobody, another user) may do of list, read, write.
    "private": ("", ""),
    "public-read": ("list", "list"),
    "public-read-write": ("list write", "list write"),
    "authenticated-read": ("", "list"),
    "bucket-owner-full-control": ("", ""),
}


@pytest.mark.parametrize("acl", ACLS)
def test_a_canned_acl_of_a_bucket(doors: Doors, acl: str):
    bucket = doors.bucket(f"acl-{acl}")
    assert doors.door("ann").ask("PUT", f"/{bucket}", "acl", headers={"x-amz-acl": acl}).status == 200
    for user, may in zip(("", "erin"), ACLS[acl], strict=True):
        wire = doors.door(user)
        assert wire.ask("GET", f"/{bucket}").status == (200 if "list" in may else 403)
        assert wire.ask("GET", f"/{bucket}/k").status == 403
        assert wire.ask("PUT", f"/{bucket}/new", body=b"x").status == (200 if "write" in may else 403)
        assert wire.ask("PUT", f"/{bucket}", "acl", headers={"x-amz-acl": acl}).status == 403


@pytest.mark.parametrize(("acl", "nobody", "other"), [
    ("private", 403, 403), ("public-read", 200, 200), ("authenticated-read", 403, 200),
])  # fmt: skip
def test_a_canned_acl_of_an_object(doors: Doors, acl: str, nobody: int, other: int):
    bucket = doors.bucket(f"object-acl-{acl}")
    assert doors.door("ann").ask("PUT", f"/{bucket}/k", "acl", headers={"x-amz-acl": acl}).status == 200
    for path, expected in ((f"/{bucket}/k", (nobody, other)), (f"/{bucket}/kk", (403, 403))):
        told = [doors.door(user).ask("GET", path).status for user in ("", "frank")]
        assert tuple(told) == expected
    assert doors.door().ask("PUT", f"/{bucket}/k", body=b"x").status == 403
    assert doors.door().ask("GET", f"/{bucket}").status == 403


def _block(**which: bool) -> bytes:
    said = "".join(f"<{name}>{str(value).lower()}</{name}>" for name, value in which.items())
    return f"<PublicAccessBlockConfiguration>{said}</PublicAccessBlockConfiguration>".encode()


def test_public_access_can_be_blocked(doors: Doors):
    bucket, ann = doors.bucket("blocked"), doors.door("ann")
    everyone = statement("Allow", "s3:GetObject", f"{bucket}/*")
    public = {"x-amz-acl": "public-read"}
    assert doors.bucket_policy(bucket, everyone).status == 204
    assert ann.ask("PUT", f"/{bucket}/k", "acl", headers=public).status == 200
    assert doors.door().ask("GET", f"/{bucket}/k").status == 200

    assert (
        ann.ask("PUT", f"/{bucket}", "publicAccessBlock", body=_block(RestrictPublicBuckets=True)).status
        == 200
    )
    assert doors.door().ask("GET", f"/{bucket}/k").status == 200, "the object's ACL is not restricted"
    block = _block(RestrictPublicBuckets=True, IgnorePublicAcls=True)
    assert ann.ask("PUT", f"/{bucket}", "publicAccessBlock", body=block).status == 200
    assert doors.door().ask("GET", f"/{bucket}/k").code == "AccessDenied"
    assert ann.ask("GET", f"/{bucket}/k").status == 200

    block = _block(BlockPublicPolicy=True, BlockPublicAcls=True)
    assert ann.ask("PUT", f"/{bucket}", "publicAccessBlock", body=block).status == 200
    assert doors.door().ask("GET", f"/{bucket}/k").status == 200, "what is there stays"
    for refused in (
        doors.bucket_policy(bucket, everyone),
        ann.ask("PUT", f"/{bucket}", "acl", headers=public),
        ann.ask("PUT", f"/{bucket}", headers=public),
        ann.ask("PUT", f"/{bucket}/k", "acl", headers=public),
        ann.ask("PUT", f"/{bucket}/j", body=b"x", headers=public),
        ann.ask("POST", f"/{bucket}/j", "uploads", headers=public),
        ann.ask("PUT", f"/{bucket}/j", headers={**public, "x-amz-copy-source": f"/{bucket}/k"}),
    ):
        assert refused.code == "AccessDenied"
    assert ann.ask("GET", f"/{bucket}/j").code == "NoSuchKey"


def test_a_copy_needs_to_read_its_source(doors: Doors):
    source, target = doors.bucket("source"), doors.bucket("target")
    write = statement("Allow", "s3:PutObject", f"{target}/*", {"AWS": "gina"})
    assert doors.bucket_policy(target, write).status == 204
    gina, headers = doors.door("gina"), {"x-amz-copy-source": f"/{source}/k"}
    assert gina.ask("PUT", f"/{target}/copy", headers=headers).code == "AccessDenied"
    upload = gina.ask("POST", f"/{target}/big", "uploads").body
    upload_id = upload.partition(b"<UploadId>")[2].partition(b"<")[0].decode()
    part = f"partNumber=1&uploadId={upload_id}"
    assert gina.ask("PUT", f"/{target}/big", part, headers=headers).code == "AccessDenied"
    read = statement("Allow", "s3:GetObject", f"{source}/k", {"AWS": "gina"})
    assert doors.bucket_policy(source, read).status == 204
    assert gina.ask("PUT", f"/{target}/copy", headers=headers).status == 200
    assert gina.ask("PUT", f"/{target}/big", part, headers=headers).status == 200


@pytest.mark.parametrize(
    ("header", "value"),
    [("x-amz-tagging", "a=b"), ("x-amz-acl", "public-read"), ("x-amz-object-lock-legal-hold", "ON")],
)
def test_what_a_write_sets_beside_its_bytes_needs_its_own_right(doors: Doors, header: str, value: str):
    bucket = f"beside-{header.removeprefix('x-amz-')}"
    ann = doors.door("ann")
    assert ann.ask("PUT", f"/{bucket}", headers={"x-amz-bucket-object-lock-enabled": "true"}).status == 200
    allow = statement("Allow", "s3:PutObject", f"{bucket}/*", {"AWS": "hugo"})
    assert doors.bucket_policy(bucket, allow).status == 204
    hugo = doors.door("hugo")
    assert hugo.ask("PUT", f"/{bucket}/k", body=b"x").status == 200
    for method, query in (("PUT", ""), ("POST", "uploads")):
        assert hugo.ask(method, f"/{bucket}/k", query, headers={header: value}).code == "AccessDenied"
    copied = {header: value, "x-amz-copy-source": f"/{bucket}/k", "x-amz-tagging-directive": "REPLACE"}
    assert hugo.ask("PUT", f"/{bucket}/k", headers=copied).code == "AccessDenied"


@pytest.mark.parametrize(
    ("header", "right", "told"),
    [
        ("x-amz-tagging", "s3:GetObjectTagging", "x-amz-tagging-count"),
        ("x-amz-object-lock-legal-hold", "s3:GetObjectLegalHold", "x-amz-object-lock-legal-hold"),
        ("x-amz-object-lock-mode", "s3:GetObjectRetention", "x-amz-object-lock-mode"),
    ],
)
def test_a_read_tells_what_may_be_asked_for_by_itself(doors: Doors, header: str, right: str, told: str):
    bucket, ann, kim = f"told-{told.removeprefix('x-amz-')}", doors.door("ann"), doors.door("kim")
    assert ann.ask("PUT", f"/{bucket}", headers={"x-amz-bucket-object-lock-enabled": "true"}).status == 200
    values = {"x-amz-tagging": "a=b", "x-amz-object-lock-legal-hold": "ON"}
    lock = {header: "GOVERNANCE", "x-amz-object-lock-retain-until-date": "2099-01-01T00:00:00Z"}
    headers = {header: values[header]} if header in values else lock
    made = ann.ask("PUT", f"/{bucket}/k", body=b"x", headers=headers).headers["x-amz-version-id"]
    assert told in ann.ask("GET", f"/{bucket}/k").headers
    of_version = "s3:GetObjectVersionTagging" if "Tagging" in right else right
    for rights, query in ((right, ""), (of_version, f"versionId={made}")):
        reads = ["s3:GetObject", "s3:GetObjectVersion"]
        for actions, is_told in ((reads, False), ([*reads, rights], True)):
            allow = statement("Allow", actions, f"{bucket}/*", {"AWS": "kim"})
            assert doors.bucket_policy(bucket, allow).status == 204
            for method in ("GET", "HEAD"):
                answer = kim.ask(method, f"/{bucket}/k", query)
                assert (answer.status, told in answer.headers) == (200, is_told)


def test_who_may_not_list_learns_not_what_is_missing(doors: Doors):
    bucket, lea = doors.bucket("unlisted"), doors.door("lea")
    assert lea.ask("PUT", "/leas").status == 200
    read = statement("Allow", ["s3:GetObject", "s3:GetObjectVersion"], f"{bucket}/*", {"AWS": "lea"})
    may_list = statement("Allow", "s3:ListBucket", bucket, {"AWS": "lea"})
    version, missing = "versionId=00000000000000ff", "/unlisted/none"
    asked = [("GET", missing, "", {}), ("HEAD", missing, version, {}), ("GET", "/unlisted/k", version, {})]
    asked += [
        ("PUT", "/leas/copy", "", {"x-amz-copy-source": source})
        for source in (missing, f"{missing}?{version}", f"/unlisted/k?{version}")
    ]
    for statements, status in (([read], 403), ([read, may_list], 404)):
        assert doors.bucket_policy(bucket, *statements).status == 204
        for method, path, query, headers in asked:
            assert (path, lea.ask(method, path, query, headers=headers).status) == (path, status)


def test_who_may_not_read_learns_no_etag(doors: Doors):
    bucket = doors.bucket("drop-box")
    allow = statement("Allow", ["s3:PutObject", "s3:DeleteObject"], f"{bucket}/*", {"AWS": "jona"})
    assert doors.bucket_policy(bucket, allow).status == 204
    jona, wrong = doors.door("jona"), {"if-match": '"0"'}
    many = b"<Delete><Object><Key>k</Key><ETag>0</ETag></Object></Delete>"
    for key in ("k", "nothing"):
        for method, more in (("PUT", {}), ("PUT", {"x-amz-copy-source": f"/{bucket}/k"}), ("DELETE", {})):
            assert jona.ask(method, f"/{bucket}/{key}", headers={**wrong, **more}).code == "AccessDenied"
    assert b"<Code>AccessDenied</Code>" in jona.ask("POST", f"/{bucket}", "delete", body=many).body
    assert jona.ask("PUT", f"/{bucket}/k", headers={"if-none-match": "*"}).code == "PreconditionFailed"
    assert jona.ask("DELETE", f"/{bucket}/nothing", headers={"if-match": "*"}).code == "NoSuchKey"
    assert jona.ask("DELETE", f"/{bucket}/k", headers={"if-match": "*"}).status == 204


def test_a_disabled_and_a_rotated_key_are_refused(doors: Doors):
    bucket, key = doors.bucket("taken-back"), doors.server.key("ida")
    doors.bucket_policy(bucket, statement("Allow", "s3:GetObject", f"{bucket}/*", {"AWS": "ida"}))
    ida = doors.door("ida")
    assert ida.ask("GET", f"/{bucket}/k").status == 200
    maru(doors.server.hub, "key", "disable", key.access_key)
    wait_until(lambda: ida.ask("GET", f"/{bucket}/k").code == "InvalidAccessKeyId")
    maru(doors.server.hub, "key", "enable", key.access_key)
    wait_until(lambda: ida.ask("GET", f"/{bucket}/k").status == 200)
    maru(doors.server.hub, "key", "rotate", key.access_key)
    wait_until(lambda: ida.ask("GET", f"/{bucket}/k").code == "SignatureDoesNotMatch")


def test_a_deny_by_tag_is_of_the_version_that_is_asked_for(doors: Doors):
    """However it is named: in an address, as the source of a copy, in a list of deletes, in a batch."""
    bucket, ann, bob = doors.bucket("tagged-versions"), doors.door("ann"), doors.door("bob")
    enabled = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
    assert ann.ask("PUT", f"/{bucket}", "versioning", body=enabled).status == 200
    tagged = ann.ask("PUT", f"/{bucket}/k", body=b"secret", headers={"x-amz-tagging": "kind=secret"})
    version = tagged.headers["x-amz-version-id"]
    current = ann.ask("PUT", f"/{bucket}/k", body=b"open").headers["x-amz-version-id"]
    secret = {"StringEquals": {"s3:ExistingObjectTag/kind": "secret"}}
    everything = statement("Allow", "s3:*", f"{bucket}/*", {"AWS": "bob"})
    actions = ["s3:GetObjectVersion", "s3:DeleteObjectVersion"]
    deny = statement("Deny", actions, f"{bucket}/*", {"AWS": "bob"}) | {"Condition": secret}
    assert doors.bucket_policy(bucket, everything, deny).status == 204
    assert bob.ask("PUT", "/of-bob-for-versions").status == 200

    def read(version: str) -> bytes:
        named = [{"bucket": bucket, "keys": ["k"], "version_ids": [version]}]
        return bob.ask(
            "POST", "/-/batch/v1/read", body=json.dumps({"format": 1, "objects": named}).encode()
        ).body

    source = {"x-amz-copy-source": f"/{bucket}/k?versionId={version}"}
    doomed = f"<Delete><Object><Key>k</Key><VersionId>{version}</VersionId></Object></Delete>".encode()
    assert bob.ask("GET", f"/{bucket}/k", f"versionId={version}").code == "AccessDenied"
    assert bob.ask("PUT", "/of-bob-for-versions/k", headers=source).code == "AccessDenied"
    assert b"AccessDenied" in bob.ask("POST", f"/{bucket}", "delete", body=doomed).body
    assert b"secret" not in read(version)
    assert b"open" in read(current)
    assert ann.ask("GET", f"/{bucket}/k", f"versionId={version}").body == b"secret"


def test_a_condition_on_a_prefix_is_the_same_in_both_doors(doors: Doors):
    bucket, bob = doors.bucket("listed-by-prefix"), doors.door("bob")
    allow = statement("Allow", "s3:ListBucket", bucket, {"AWS": "bob"})

    def may_list(prefix: str) -> tuple[bool, bool]:
        call = {"call": "bucket.page", "arguments": {"bucket": bucket, "prefix": prefix}}
        paged = bob.ask("POST", "/-/batch/v1/call", body=json.dumps(call).encode())
        listed = bob.ask("GET", f"/{bucket}", f"list-type=2&prefix={prefix}&max-keys=1000")
        return listed.status == 200, paged.status == 200

    def like(pattern: str) -> dict[str, Any]:
        return {"Condition": {"StringLike": {"s3:prefix": pattern}}}

    assert doors.bucket_policy(bucket, allow, {**allow, "Effect": "Deny", **like("secret/*")}).status == 204
    assert (may_list("secret/"), may_list("open/")) == ((False, False), (True, True))
    assert doors.bucket_policy(bucket, {**allow, **like("home/*")}).status == 204
    assert (may_list("home/bob/"), may_list("other/")) == ((True, True), (False, False))
    few = {"Condition": {"NumericLessThanEquals": {"s3:max-keys": "10"}}}
    assert doors.bucket_policy(bucket, {**allow, **few}).status == 204
    assert may_list("home/") == (False, False)
