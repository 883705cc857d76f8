"""Lifecycle and CORS: rules read, written, and what they decide."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maruhub.gateway.s3.cors import CorsRule, cors_headers, preflight, read_cors, write_cors
from maruhub.gateway.s3.documents.lifecycle import read_lifecycle, write_lifecycle
from maruhub.gateway.s3.failure import S3Failure
from maruhub.namespace.lifecycle import (
    DAY_US,
    LifecycleFilter,
    LifecycleRule,
    abort_expiry,
    drops_lone_marker,
    due_us,
    expiry,
    noncurrent_expiry,
)

NOON = 100 * DAY_US + DAY_US // 2


def code(call, *args) -> str:
    with pytest.raises(S3Failure) as caught:
        call(*args)
    return caught.value.code


def test_days_end_at_midnight():
    assert due_us(NOON, 1) == 102 * DAY_US
    assert due_us(100 * DAY_US, 1) == 101 * DAY_US


def test_the_earliest_rule_counts():
    rules = [
        LifecycleRule("late", expire_days=9),
        LifecycleRule("soon", filter=LifecycleFilter("tmp/", {"a": "1"}, 10, 100), expire_days=1),
        LifecycleRule("off", enabled=False, expire_days=0),
        LifecycleRule("day", filter=LifecycleFilter("old/"), expire_at_us=DAY_US),
    ]

    def which(key: str, size: int = 50, tag: str = "1") -> str:
        found = expiry(rules, key, size, {"a": tag}, modified_us=NOON)
        return found.rule_id if found else ""

    assert which("tmp/x") == "soon"
    assert [which("tmp/x", size) for size in (10, 11, 99, 100)] == ["late", "soon", "soon", "late"]
    assert which("tmp/x", tag="2") == "late"
    assert which("old/x") == "day"
    assert expiry([], "x", 1, {}, modified_us=NOON) is None


def test_older_versions_uploads_and_lone_markers():
    rule = LifecycleRule("r", filter=LifecycleFilter("a/"), noncurrent_days=2, newer_kept=3, abort_days=1)
    found = noncurrent_expiry([rule], "a/x", 1, {}, replaced_us=NOON, newer=3)
    assert found is not None
    assert found.at_us == 103 * DAY_US
    assert noncurrent_expiry([rule], "a/x", 1, {}, replaced_us=NOON, newer=2) is None
    given_up = abort_expiry([rule], "a/x", NOON)
    assert given_up is not None
    assert given_up.at_us == 102 * DAY_US
    assert abort_expiry([rule], "b", NOON) is None
    assert not drops_lone_marker([rule], "a/x", NOON, now_us=NOON + 99 * DAY_US)
    assert drops_lone_marker([LifecycleRule("m", drop_lone_markers=True)], "x", NOON, now_us=NOON)
    days = [LifecycleRule("d", expire_days=1)]
    assert [drops_lone_marker(days, "x", NOON, now_us=102 * DAY_US + d) for d in (-1, 0)] == [False, True]


_days = st.none() | st.integers(1, 10_000)
_tags = st.dictionaries(st.text("abé", min_size=1, max_size=4), st.text("xy 1", max_size=4), max_size=3)
_rules = st.builds(
    LifecycleRule,
    id=st.uuids().map(str),
    enabled=st.booleans(),
    filter=st.builds(
        LifecycleFilter,
        st.text("a/&<é", max_size=9),
        _tags,
        st.none() | st.integers(0, 9),
        st.none() | st.integers(10, 99),
    ),
    expire_days=st.integers(1, 10_000),
    noncurrent_days=st.integers(1, 10_000),
    newer_kept=st.integers(0, 100),
)


@given(st.lists(_rules, min_size=1, max_size=4, unique_by=lambda r: r.id))
def test_rules_written_are_rules_read(rules: list[LifecycleRule]):
    assert list(read_lifecycle(write_lifecycle(rules))) == rules


def test_other_kinds_of_rules_too():
    rules = (
        LifecycleRule("old", filter=LifecycleFilter("p/"), abort_days=3, old_style=True),
        LifecycleRule("at", expire_at_us=20_000 * DAY_US),
        LifecycleRule("markers", drop_lone_markers=True),
    )
    assert read_lifecycle(write_lifecycle(rules)) == rules


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "MalformedXML"),
        ("<Rule><Status>Enabled</Status><Filter/></Rule>", "InvalidRequest"),
        ("<Rule><Status>enabled</Status><Filter/><Expiration><Days>1</Days></Expiration></Rule>", "MalformedXML"),
        ("<Rule><Status>Enabled</Status><Expiration><Days>1</Days></Expiration></Rule>", "MalformedXML"),
        ("<Rule><Status>Enabled</Status><Filter/><Expiration><Days>0</Days></Expiration></Rule>", "InvalidArgument"),
        ("<Rule><Status>Enabled</Status><Filter/><Expiration><Days>1</Days><Date>2030-01-01</Date></Expiration></Rule>", "MalformedXML"),
        ("<Rule><Status>Enabled</Status><Filter/><Expiration><Date>2030-01-01T01:00:00Z</Date></Expiration></Rule>", "InvalidArgument"),
        ("<Rule><Status>Enabled</Status><Filter/><Transition><Days>1</Days></Transition></Rule>", "NotImplemented"),
        ("<Rule><Status>Enabled</Status><Filter><Prefix>a</Prefix><Tag><Key>k</Key><Value/></Tag></Filter><Expiration><Days>1</Days></Expiration></Rule>", "MalformedXML"),
        ("<Rule><Status>Enabled</Status><Filter><Tag><Key>k</Key><Value/></Tag></Filter><AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule>", "InvalidRequest"),
        ("<Rule><ID>a</ID><Status>Enabled</Status><Filter/><Expiration><Days>1</Days></Expiration></Rule>" * 2, "InvalidArgument"),
        ("<Rule><Status>Enabled</Status><Filter/><NoncurrentVersionExpiration/></Rule>", "MalformedXML"),
        (f"<Rule><ID>{'x' * 256}</ID><Status>Enabled</Status><Filter/><Expiration><Days>1</Days></Expiration></Rule>", "InvalidArgument"),
    ],
)  # fmt: skip
def test_rules_that_can_not_be(content: str, expected: str):
    raw = f"<LifecycleConfiguration>{content}</LifecycleConfiguration>".encode()
    assert code(read_lifecycle, raw) == expected


LAB = CorsRule(("http://*.lab",), ("GET", "PUT"), ("content-*", "x-a"), ("ETag",), 60, "lab")
ANY = CorsRule(("*",), ("GET",))


def _question(origin: str, method: str, headers: str = "") -> dict[str, str]:
    asked = {"origin": origin, "access-control-request-method": method}
    return asked | ({"access-control-request-headers": headers} if headers else {})


def test_a_browser_is_told_what_it_may():
    told = dict(preflight([LAB, ANY], _question("http://a.lab", "PUT", "Content-Type, X-A")))
    assert told["access-control-allow-origin"] == "http://a.lab"
    assert told["access-control-allow-credentials"] == "true"
    assert told["access-control-allow-headers"] == "content-type, x-a"
    assert told["access-control-max-age"] == "60"
    assert "Origin" in told["vary"]
    told = dict(preflight([LAB, ANY], _question("http://b.else", "GET")))
    assert told["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in told


@pytest.mark.parametrize(
    ("rules", "headers", "expected"),
    [
        ([], _question("http://a.lab", "GET"), "AccessDenied"),
        ([LAB], _question("http://a.lab", "DELETE"), "AccessDenied"),
        ([LAB], _question("http://lab", "GET"), "AccessDenied"),
        ([LAB], _question("http://a.lab", "GET", "x-b"), "AccessDenied"),
        ([ANY], _question("http://a.lab", "GET", "x-b"), "AccessDenied"),
        ([ANY], {"origin": "x"}, "BadRequest"),
        ([ANY], {"access-control-request-method": "GET"}, "BadRequest"),
    ],
)
def test_or_that_it_may_not(rules: list[CorsRule], headers: dict[str, str], expected: str):
    assert code(preflight, rules, headers) == expected


def test_other_answers_carry_the_same_headers():
    assert (
        dict(cors_headers([LAB], "GET", {"origin": "http://a.lab"}))["access-control-expose-headers"]
        == "ETag"
    )
    assert [name for name, _ in cors_headers([LAB], "DELETE", {"origin": "http://a.lab"})] == ["vary"]
    assert cors_headers([], "GET", {"origin": "x"}) == cors_headers([], "GET", {}) == []


def test_cors_written_is_cors_read():
    assert read_cors(write_cors([LAB, ANY])) == (LAB, ANY)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "MalformedXML"),
        ("<AllowedMethod>GET</AllowedMethod>", "MalformedXML"),
        ("<AllowedOrigin>*</AllowedOrigin><AllowedMethod>BREW</AllowedMethod>", "InvalidRequest"),
        ("<AllowedOrigin>*.*</AllowedOrigin><AllowedMethod>GET</AllowedMethod>", "InvalidRequest"),
        ("<AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod><ExposeHeader>*</ExposeHeader>", "InvalidRequest"),
        ("<AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod><ExposeHeader>a&#10;b</ExposeHeader>", "MalformedXML"),
        ("<AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod><MaxAgeSeconds>-1</MaxAgeSeconds>", "MalformedXML"),
    ],
)  # fmt: skip
def test_cors_that_can_not_be(content: str, expected: str):
    raw = f"<CORSConfiguration><CORSRule>{content}</CORSRule></CORSConfiguration>".encode()
    assert code(read_cors, raw) == expected
