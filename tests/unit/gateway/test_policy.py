"""The policy language: what is understood decides as documented, what isn't is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maruhub.gateway.head import Head
from maruhub.gateway.s3.documents.requests import ObjectToDelete
from maruhub.gateway.s3.failure import S3Failure
from maruhub.gateway.s3.operation import Operation
from maruhub.gateway.s3.permission import (
    bypasses_governance,
    canned_acl_statements,
    deletion_needs,
    document_keys,
    needs,
    policy_keys,
    resource_of,
)
from maruhub.gateway.s3.policies.condition import KEYS, OPERATORS
from maruhub.gateway.s3.policies.document import POLICY_BYTES_MAX, read_policy
from maruhub.gateway.s3.policies.policy import Decision, PolicyRequest, Statement, arn, evaluate
from maruhub.gateway.s3.route import route

ALLOW, DENY, NONE = Decision.ALLOW, Decision.DENY, Decision.NONE
PAGE = Path(__file__).parents[3] / "docs" / "reference" / "policies.md"


def statement(**changes: object) -> dict[str, object]:
    base: dict[str, object] = {
        "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::photos/*",
    }  # fmt: skip
    return {name: value for name, value in {**base, **changes}.items() if value is not None}


def policy(*statements: dict[str, object], **changes: object) -> bytes:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements), **changes}).encode()


def decide(
    raw: bytes,
    *,
    user: str = "",
    action: str = "s3:GetObject",
    key: str = "a",
    bucket: str | None = "photos",
    **keys: str,
) -> Decision:
    named = {name.replace("__", ":").replace("_", "-"): value for name, value in keys.items()}
    return evaluate(
        read_policy(raw, bucket=bucket).statements, PolicyRequest(user, action, arn("photos", key), named)
    )


def test_everyone_or_a_user_by_name():
    assert decide(policy(statement())) is ALLOW
    for principal in ("ann", ["bob", "ann"], "arn:aws:iam:::user/ann", "arn:aws:iam::000000000000:user/ann"):
        raw = policy(statement(Principal={"AWS": principal}))
        assert decide(raw, user="ann") is ALLOW
        assert decide(raw, user="eve") is NONE
        assert decide(raw) is NONE
    digits = policy(statement(Principal={"AWS": "arn:aws:iam:::user/123456789012"}))
    assert decide(digits, user="123456789012") is ALLOW
    assert decide(policy(statement(Principal={"AWS": "*"}))) is ALLOW


def test_an_explicit_deny_wins_wherever_it_stands():
    deny = statement(Effect="Deny", Principal={"AWS": "eve"}, Action="s3:*")
    for raw in (policy(statement(), deny), policy(deny, statement())):
        assert decide(raw, user="eve") is DENY
        assert decide(raw, user="ann") is ALLOW
    assert decide(policy(deny), user="ann") is NONE


def test_patterns_of_actions_and_resources():
    assert decide(policy(statement(Action="S3:getobj*"))) is ALLOW
    assert decide(policy(statement(Action=["s3:PutObject", "s3:*Tagging"]))) is NONE
    assert decide(policy(statement(Resource="arn:aws:s3:::photos/pub?ic/*")), key="public/x") is ALLOW
    assert decide(policy(statement(Resource="arn:aws:s3:::photos/public/*")), key="private") is NONE
    assert decide(policy(statement(Action=None, NotAction="s3:PutObject"))) is ALLOW
    assert decide(policy(statement(Action=None, NotAction="s3:Get*"))) is NONE
    raw = policy(statement(Effect="Deny", Resource=None, NotResource="arn:aws:s3:::photos/public/*"))
    assert decide(raw, key="public/x") is NONE
    assert decide(raw, key="x") is DENY
    assert decide(policy(statement(Action="*", Resource="*"))) is ALLOW


@pytest.mark.parametrize(
    ("operator", "key", "wanted", "fits", "fails", "without"),
    [
        ("StringEquals", "s3:prefix", ["a", "b"], "b", "c", False),
        ("StringNotEquals", "s3:prefix", ["a", "b"], "c", "b", True),
        ("StringEqualsIgnoreCase", "s3:prefix", "Ab", "aB", "c", False),
        ("StringNotEqualsIgnoreCase", "s3:prefix", "Ab", "c", "aB", True),
        ("StringLike", "aws:Referer", "http://*.lab/*", "http://x.lab/1", "http://lab/", False),
        ("StringNotLike", "aws:Referer", "http://*.lab/*", "http://lab/", "http://x.lab/1", True),
        ("StringEqualsIfExists", "s3:prefix", "a", "a", "b", True),
        ("NumericLessThanEquals", "s3:max-keys", "10", "10", "11", False),
        ("NumericLessThan", "s3:max-keys", 10, "9", "10", False),
        ("NumericGreaterThan", "s3:max-keys", "10", "11", "x", False),
        ("NumericGreaterThanEquals", "s3:max-keys", "10", "10", "9", False),
        ("NumericEquals", "s3:max-keys", "10", "010", "9", False),
        ("NumericNotEquals", "s3:max-keys", "10", "9", "10", True),
        ("DateLessThan", "aws:CurrentTime", "2030-01-01T00:00:00Z", "2029-12-31T23:59:59.999Z", "2030-01-01T00:00:00Z", False),
        ("DateGreaterThan", "aws:CurrentTime", "2030-01-01", "2030-01-01T01:00:00Z", "2029-01-01T00:00:00Z", False),
        ("DateGreaterThanEquals", "aws:EpochTime", "100", "100", "99", False),
        ("Bool", "aws:SecureTransport", "true", "true", "false", False),
        ("Bool", "aws:SecureTransport", False, "false", "true", False),
        ("IpAddress", "aws:SourceIp", ["10.0.0.0/8", "2001:db8::/32"], "10.1.2.3", "11.1.2.3", False),
        ("IpAddress", "aws:SourceIp", "10.0.0.0/8", "::ffff:10.1.2.3", "2001:db8::1", False),
        ("NotIpAddress", "aws:SourceIp", "10.0.0.1", "10.0.0.2", "10.0.0.1", True),
        ("Null", "s3:prefix", "false", "x", None, False),
    ],
)  # fmt: skip
def test_conditions(operator: str, key: str, wanted: object, fits: str, fails: str | None, without: bool):
    raw = policy(
        statement(Action="s3:ListBucket", Resource="arn:aws:s3:::photos", Condition={operator: {key: wanted}})
    )
    read = read_policy(raw, bucket="photos").statements

    def decided(value: str | None) -> bool:
        keys = {} if value is None else {key.lower(): value}
        return evaluate(read, PolicyRequest("", "s3:ListBucket", arn("photos"), keys)) is ALLOW

    assert decided(fits)
    assert not decided(fails) or fails is None
    assert decided(None) is without


def test_all_conditions_must_hold():
    both = {"StringEquals": {"s3:prefix": "a", "s3:delimiter": "/"}}
    raw = policy(statement(Action="s3:ListBucket", Resource="arn:aws:s3:::photos", Condition=both))
    assert decide(raw, action="s3:ListBucket", key="", s3__prefix="a", s3__delimiter="/") is ALLOW
    assert decide(raw, action="s3:ListBucket", key="", s3__prefix="a") is NONE


def test_tags_of_objects():
    raw = policy(statement(Condition={"StringEquals": {"s3:ExistingObjectTag/Team": "x"}}))
    read = read_policy(raw, bucket="photos")
    assert read.reads_object_tags
    request = PolicyRequest("", "s3:GetObject", arn("photos", "a"), {"s3:existingobjecttag/Team": "x"})
    assert evaluate(read.statements, request) is ALLOW
    request = PolicyRequest("", "s3:GetObject", arn("photos", "a"), {"s3:existingobjecttag/team": "x"})
    assert evaluate(read.statements, request) is NONE


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"{", b"[]", b"\xff", b"[" * 20_000, b"null", b"{}", b'{"Statement": []}',
        b'{"Statement": {"Effect": "Allow"}, "Statement": {}}', b"9" * 10_000, b"NaN",
        policy(), policy(statement(), Version="2020-01-01"), policy(statement(), Extra=1),
        policy(statement(Effect="allow")), policy(statement(Effect=None)), policy(statement(Principal=None)),
        policy(statement(Principal=None, NotPrincipal="*")), policy(statement(Principal={"Service": "x"})),
        policy(statement(Principal={"AWS": "arn:aws:iam::123456789012:root"})), policy(statement(Principal={"AWS": []})),
        policy(statement(Effect="Deny", Principal={"AWS": "123456789012"})),
        policy(statement(Principal={"AWS": "a*"})), policy(statement(Action="s3:FlyToMoon")),
        policy(statement(Action="ec2:*")), policy(statement(Action=1)), policy(statement(NotAction="s3:*")),
        policy(statement(Action=None)), policy(statement(Resource="photos/*")),
        policy(statement(Resource="arn:aws:s3:::other/*")), policy(statement(Resource="arn:aws:s3:::photos")),
        policy(statement(Action="s3:ListBucket")), policy(statement(Resource="arn:aws:s3:::photos/${aws:username}/*")),
        policy(statement(Condition={"StringEqual": {"s3:prefix": "a"}})),
        policy(statement(Condition={"ForAllValues:StringEquals": {"s3:prefix": "a"}})),
        policy(statement(Condition={"StringEquals": {"aws:PrincipalOrgID": "a"}})),
        policy(statement(Condition={"StringEquals": {"s3:x-amz-": "a"}})), policy(statement(Condition={"NullIfExists": {"s3:prefix": "true"}})),
        policy(statement(Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/99"}})),
        policy(statement(Condition={"NumericEquals": {"s3:max-keys": "many"}})),
        policy(statement(Condition={"DateLessThan": {"aws:CurrentTime": "2030-99-01"}})),
        policy(statement(Condition={"Bool": {"aws:SecureTransport": "maybe"}})),
        policy(statement(Condition={"StringEquals": {"s3:prefix": []}})), policy(statement(Condition={"StringEquals": {"s3:prefix": {}}})),
        policy(statement(Condition={"StringEquals": {}})), policy(statement(Condition=[])),
        policy(statement(Sid="a"), statement(Sid="a")), policy(statement(Sid="x" * POLICY_BYTES_MAX)),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_malformed(raw: bytes):
    with pytest.raises(S3Failure) as caught:
        read_policy(raw, bucket="photos")
    assert caught.value.code == "MalformedPolicy"
    assert caught.value.message


def test_the_policy_of_a_user_names_nobody():
    raw = policy(statement(Principal=None, Resource="arn:aws:s3:::any/*"))
    assert read_policy(raw, bucket=None).statements[0].principals is None
    assert not read_policy(raw, bucket=None).is_public
    with pytest.raises(S3Failure):
        read_policy(policy(statement()), bucket=None)


def test_public_is_what_everyone_may():
    assert read_policy(policy(statement()), bucket="photos").is_public
    narrow = [
        {"IpAddress": {"aws:SourceIp": n}} for n in ("10.0.0.0/8", "1.2.3.4", "2001:db8::/32", "fc00::/7")
    ]
    for bound in (*narrow, {"StringEquals": {"aws:username": "ann"}}):
        assert not read_policy(policy(statement(Condition=bound)), bucket="photos").is_public
    halves = (["0.0.0.0/1", "128.0.0.0/1"], "8.0.0.0/7", ["10.0.0.0/8", "2000::/3"], "0.0.0.0/0")
    wide = [{"IpAddress": {"aws:SourceIp": networks}} for networks in halves]
    for bound in (*wide, {"StringLike": {"aws:Referer": "x"}}):
        assert read_policy(policy(statement(Condition=bound)), bucket="photos").is_public
    assert not read_policy(policy(statement(Effect="Deny")), bucket="photos").is_public


_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from(["Allow", "*", "s3:*", "arn:aws:s3:::photos/*"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["AWS", "StringEquals", "s3:prefix", "Bool", "DateEquals", "IpAddress"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)
_words = ["Sid", "Effect", "Principal", "Action", "NotAction", "Resource", "NotResource", "Condition"]


@given(st.dictionaries(st.sampled_from(_words), _json), st.binary(max_size=30))
def test_any_document_is_a_policy_or_malformed(changes: dict[str, object], raw: bytes):
    for document in (policy({**statement(), **changes}), raw):
        try:
            decide(document, user="ann", s3__prefix="x")
        except S3Failure as failure:
            if failure.code != "MalformedPolicy":
                raise


def _asked(method: str, path: str, query: str = "", **headers: str):
    return route(Head(method, path, query, tuple((n.replace("_", "-"), v) for n, v in headers.items())))


def test_the_rights_that_requests_need():
    def named(*args: str, **headers: str) -> list[tuple[str, str]]:
        return [(n.action, resource_of(n)) for n in needs(_asked(*args, **headers))]

    assert named("GET", "/") == [("s3:ListAllMyBuckets", "arn:aws:s3:::*")]
    assert named("GET", "/b/k") == [("s3:GetObject", "arn:aws:s3:::b/k")]
    assert named("GET", "/b/k", "versionId=1") == [("s3:GetObjectVersion", "arn:aws:s3:::b/k")]
    assert named("HEAD", "/b") == [("s3:ListBucket", "arn:aws:s3:::b")]
    assert named("PUT", "/b/k", "", x_amz_copy_source="c/x?versionId=2", x_amz_acl="private") == [
        ("s3:PutObject", "arn:aws:s3:::b/k"), ("s3:GetObjectVersion", "arn:aws:s3:::c/x"), ("s3:PutObjectAcl", "arn:aws:s3:::b/k"),
    ]  # fmt: skip
    assert named("PUT", "/b/k", "", x_amz_tagging="a=1") == [
        ("s3:PutObject", "arn:aws:s3:::b/k"), ("s3:PutObjectTagging", "arn:aws:s3:::b/k"),
    ]  # fmt: skip
    assert named("POST", "/b", "delete") == named("OPTIONS", "/b/k") == []
    assert [n.action for n in deletion_needs("b", ObjectToDelete("k", "1"))] == ["s3:DeleteObjectVersion"]
    assert bypasses_governance({"x-amz-bypass-governance-retention": "True"})


@pytest.mark.parametrize(
    ("method", "query", "headers"),
    [
        ("PUT", "", {}),
        ("PUT", "", {"x_amz_copy_source": "b/o"}),
        ("POST", "uploadId=1", {}),
        ("DELETE", "", {}),
    ],
)
def test_who_may_not_read_may_not_ask_what_is_there(method: str, query: str, headers: dict[str, str]):
    def actions(**condition: str) -> list[str]:
        return [
            n.action for n in needs(_asked(method, "/b/k", query, **headers, **condition)) if n.key == "k"
        ]

    plain = actions()
    assert actions(if_match='"0"') == [*plain, "s3:GetObject"]
    assert actions(if_match="*") == (plain if method == "DELETE" else [*plain, "s3:GetObject"])
    if method != "DELETE":
        assert actions(if_none_match="*") == plain


def test_of_many_deleted_each_with_an_etag_must_be_readable():
    def actions(doomed: ObjectToDelete) -> list[str]:
        return [n.action for n in deletion_needs("b", doomed)]

    assert actions(ObjectToDelete("k", etag="0")) == ["s3:DeleteObject", "s3:GetObject"]
    assert actions(ObjectToDelete("k", "1", "0")) == ["s3:DeleteObjectVersion", "s3:GetObjectVersion"]
    assert actions(ObjectToDelete("k", etag="*")) == actions(ObjectToDelete("k")) == ["s3:DeleteObject"]


def test_the_keys_of_a_request():
    asked = _asked("GET", "/b", "prefix=p&max-keys=3", x_amz_acl="private", user_agent="s5cmd")
    keys = policy_keys(
        asked, user="ann", client_address="::1", scheme="https", now_us=0, object_tags={"Team": "x"}
    )
    assert keys.items() >= {
        "aws:username": "ann", "aws:sourceip": "::1", "aws:securetransport": "true", "aws:currenttime": "1970-01-01T00:00:00.000Z",
        "s3:prefix": "p", "s3:max-keys": "3", "s3:x-amz-acl": "private", "aws:useragent": "s5cmd", "s3:existingobjecttag/Team": "x",
    }.items()  # fmt: skip
    assert "aws:username" not in policy_keys(asked, user="", client_address="", scheme="http", now_us=0)


@pytest.mark.parametrize(
    "source", ["c/top/x y", "/c/top/x y", "c/top/x%20y", "%63/t%6Fp/x%20y", "/c/top/x%20y?versionId=1"]
)
@pytest.mark.parametrize("query", ["", "uploadId=1&partNumber=1"])
def test_a_source_is_the_same_however_it_is_written(source: str, query: str):
    asked = _asked("PUT", "/b/k", query, x_amz_copy_source=source)
    keys = policy_keys(asked, user="", client_address="", scheme="http", now_us=0)
    assert keys["s3:x-amz-copy-source"] == "c/top/x y"


RETAIN = (
    "<Retention><Mode>COMPLIANCE</Mode><RetainUntilDate>2030-01-01T00:00:00Z</RetainUntilDate></Retention>"
)


@pytest.mark.parametrize(
    ("operation", "document", "keys"),
    [
        (
            Operation.PUT_OBJECT_TAGGING,
            "<Tagging><TagSet><Tag><Key>Team</Key><Value>x</Value></Tag></TagSet></Tagging>",
            {"s3:requestobjecttag/Team": "x"},
        ),
        (
            Operation.PUT_OBJECT_RETENTION,
            RETAIN,
            {
                "s3:object-lock-mode": "COMPLIANCE",
                "s3:object-lock-retain-until-date": "2030-01-01T00:00:00.000Z",
            },
        ),
        (Operation.PUT_OBJECT_RETENTION, "<Retention/>", {}),
        (
            Operation.PUT_OBJECT_LEGAL_HOLD,
            "<LegalHold><Status>ON</Status></LegalHold>",
            {"s3:object-lock-legal-hold": "ON"},
        ),
        (Operation.PUT_OBJECT_LEGAL_HOLD, "<LegalHold>", {}),
        (Operation.PUT_OBJECT_ACL, RETAIN, {}),
    ],
)
def test_what_a_document_asks_for_is_what_a_header_would(operation: Operation, document: str, keys: object):
    assert document_keys(operation, document.encode(), now_us=0) == keys
    assert document_keys(operation, b"", now_us=0) == {}


def test_canned_acls_as_statements():
    def decided(acl: str, key: str, action: str, of: str, user: str = "") -> Decision:
        keys = {"aws:username": user} if user else {}
        return evaluate(canned_acl_statements(acl, "b", key), PolicyRequest(user, action, of, keys))

    assert decided("public-read", "a*", "s3:GetObject", arn("b", "a*")) is ALLOW
    assert decided("public-read", "a*", "s3:GetObject", arn("b", "abc")) is NONE
    assert decided("public-read", "", "s3:ListBucket", arn("b")) is ALLOW
    assert decided("public-read", "", "s3:PutObject", arn("b", "x")) is NONE
    assert decided("public-read-write", "", "s3:PutObject", arn("b", "x")) is ALLOW
    assert decided("authenticated-read", "k", "s3:GetObject", arn("b", "k")) is NONE
    assert decided("authenticated-read", "k", "s3:GetObject", arn("b", "k"), "ann") is ALLOW
    assert decided("private", "k", "s3:GetObject", arn("b", "k")) is NONE
    assert Statement(True, None, ("*",), ("*",)).speaks_of(PolicyRequest("", "s3:GetObject", "x"))


def test_the_page_names_every_operator_and_key_and_its_example_is_one():
    page = PAGE.read_text()
    for operator in OPERATORS:
        assert f"`{operator}`" in page
    for key in KEYS:
        assert f"`{key}`" in page.lower()
    example = page.split("```json\n")[1].split("```")[0]
    assert len(read_policy(example.encode(), bucket="photos").statements) == 2
