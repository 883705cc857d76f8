"""A query is read once without its signature, and says the same as one that is read whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maruhub.gateway.s3.failure import S3Failure
from maruhub.gateway.s3.signatures.query import SIGNATURE, Query, read_query
from maruhub.wire.signing import canonical_query

_WORDS = st.sampled_from(
    ["X-Amz-Date=1", "X-Amz-Date=2", "versionId=7", "acl", "x-amz-acl=private", "", "a=%2F", "b=+", "c"]
)


@given(st.lists(_WORDS, max_size=6), st.integers(0, 6), st.sampled_from(["", "f" * 64]))
def test_a_signature_stands_apart_wherever_it_stood(words: list[str], at: int, signature: str):
    rest = "&".join(words)
    whole = "&".join([*words[:at], f"{SIGNATURE}={signature}", *words[at:]])
    query, found = read_query(whole)
    assert found == signature
    assert query.pairs == Query(rest).pairs
    assert query.canonical == canonical_query(rest)


def test_links_that_differ_in_nothing_but_their_signature_are_read_once():
    one, two = (read_query(f"X-Amz-Date=1&{SIGNATURE}={text}&versionId=2")[0] for text in ("a", "b"))
    assert one is two
    long = "prefix=" + "x" * 5000
    assert read_query(long)[0] is not read_query(long)[0], "long ones are not kept"


@pytest.mark.parametrize("query", [f"a{SIGNATURE}=f", f"x=X&b{SIGNATURE}=f", "X%2DAmz-Signature=f", "acl"])
def test_what_only_looks_like_a_signature_stays_where_it_is(query: str):
    found, signature = read_query(query)
    assert signature is None
    assert len(found.pairs) == len(query.split("&"))


def test_two_signatures_are_one_too_many():
    claim = (
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=K/20261130/r/s3/aws4_request"
        "&X-Amz-Date=20261130T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host"
    )
    query, signature = read_query(f"{claim}&{SIGNATURE}=a&{SIGNATURE}=b")
    assert signature == "a"
    assert query.claim.signature == "b"
    with pytest.raises(S3Failure, match="more than once"):
        _ = Query(f"{claim}&{SIGNATURE}=a&{SIGNATURE}=b").claim


@pytest.mark.parametrize("query", ["a=%ff", "%C3%28=1", "&".join(["a=1"] * 257)])
def test_what_cannot_be_read_is_refused_each_time(query: str):
    for _ in range(2):
        with pytest.raises(S3Failure) as refused:
            read_query(query)
        assert refused.value.code == "InvalidURI"
