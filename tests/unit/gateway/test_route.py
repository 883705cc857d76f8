"""What a request asks for: address, operation, parameters; or a failure that says why not."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maruhub.gateway.head import Head
from maruhub.gateway.s3.failure import S3Failure
from maruhub.gateway.s3.operation import Operation, Place, Support
from maruhub.gateway.s3.route import Asked, route

O = Operation  # noqa: E741


def ask(method: str, path: str, query: str = "", hosts: tuple[str, ...] = (), **headers: str) -> Asked:
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return route(Head(method, path, query, named), hosts=hosts)


def refusal(method: str, path: str, query: str = "", **headers: str) -> S3Failure:
    with pytest.raises(S3Failure) as caught:
        ask(method, path, query, **headers)
    return caught.value


@pytest.mark.parametrize("operation", list(Operation), ids=lambda o: o.api_name)
def test_every_operation_is_reached_or_refused_by_name(operation: Operation):
    path = {Place.SERVICE: "/", Place.BUCKET: "/photos", Place.OBJECT: "/photos/a"}[operation.place]
    if operation is O.WRITE_GET_OBJECT_RESPONSE:
        path = "/"
    words = [w for w in operation.chosen_by.split("&") if w and w != "x-amz-copy-source"]
    query = "&".join(
        f"{w}=2" if w in ("list-type", "uploadId", "max-directory-buckets") else w for w in words
    )
    if operation in (O.UPLOAD_PART, O.UPLOAD_PART_COPY):
        query += "&partNumber=1"
    headers = {"content-type": "multipart/form-data; boundary=x"} if operation is O.POST_OBJECT else {}
    if "x-amz-copy-source" in operation.chosen_by:
        headers["x-amz-copy-source"] = "/b/k"
    if operation.support is Support.REFUSED:
        failure = refusal(operation.method, path, query, **headers)
        assert failure.code == "NotImplemented"
        assert operation.api_name in failure.message
    else:
        assert ask(operation.method, path, query, **headers).operation is operation


@pytest.mark.parametrize(
    "key", ["a", "a/", "a//b", "../a", "a/../b", ".", "/", "//x", "é", "\x00", "+", "a%20b", "?"]
)
def test_a_key_is_what_the_path_says(key: str):
    asked = ask("GET", f"/photos/{key}")
    assert (asked.bucket, asked.key) == ("photos", key)
    asked = ask("GET", f"/{key}", host="photos.s3.lab:9000", hosts=("s3.lab",))
    assert (asked.bucket, asked.key, asked.virtual_host) == ("photos", key, True)


@pytest.mark.parametrize(
    ("host", "bucket", "key"),
    [
        ("s3.lab", "x", "y"),
        ("S3.LAB.:80", "x", "y"),
        ("photos.s3.lab", "photos", "x/y"),
        ("my.photos.S3.lab", "my.photos", "x/y"),
        ("photos.deep.s3.lab", "photos", "x/y"),
        ("deep.s3.lab", "x", "y"),
        ("evils3.lab", "x", "y"),
        ("[::1]:9000", "x", "y"),
        ("127.0.0.1:9000", "x", "y"),
        (".s3.lab", "x", "y"),
        ("", "x", "y"),
    ],
)
def test_the_most_specific_base_name_counts(host: str, bucket: str, key: str):
    asked = ask("GET", "/x/y", host=host, hosts=("s3.lab", "deep.s3.lab"))
    assert (asked.bucket, asked.key) == (bucket, key)


@pytest.mark.parametrize(
    ("method", "path", "query", "operation"),
    [
        ("GET", "/photos/", "", O.LIST_OBJECTS),
        ("GET", "/photos", "acl=", O.GET_BUCKET_ACL),
        ("GET", "/photos", "x-id=ListObjectsV2&list-type=2", O.LIST_OBJECTS_V2),
        ("GET", "/photos", "cache-buster=1&prefix=a", O.LIST_OBJECTS),
        ("PUT", "/photos", "analytics&id=1", None),
        ("GET", "/photos", "analytics&id=1", O.GET_BUCKET_ANALYTICS_CONFIGURATION),
        ("GET", "/photos/k", "X-Amz-Signature=ab&X-Amz-Date=x&X-Amz-Security-Token=", O.GET_OBJECT),
        ("GET", "/photos/k", "AWSAccessKeyId=a&Signature=b&Expires=", O.GET_OBJECT),
        ("PUT", "/photos/k", "x-amz-copy-source=/b/k", O.COPY_OBJECT),
        ("HEAD", "/photos/k", "partNumber=1&versionId=null", O.HEAD_OBJECT),
        ("OPTIONS", "/photos/k", "uploads&acl", O.PREFLIGHT),
    ],
)
def test_what_chooses(method: str, path: str, query: str, operation: Operation | None):
    if operation is None:
        assert refusal(method, path, query).code == "NotImplemented"
    else:
        assert ask(method, path, query).operation is operation


@pytest.mark.parametrize(
    ("method", "path", "query", "code"),
    [
        ("GET", "/photos", "acl&cors", "InvalidArgument"),
        ("GET", "/photos", "future-thing", "NotImplemented"),
        ("GET", "/photos/k", "future-thing=", "NotImplemented"),
        ("GET", "/photos/k", "cors", "NotImplemented"),
        ("DELETE", "/photos", "acl", "MethodNotAllowed"),
        ("PATCH", "/photos/k", "", "MethodNotAllowed"),
        ("POST", "/photos/k", "", "MethodNotAllowed"),
        ("POST", "/photos", "", "PreconditionFailed"),
        ("HEAD", "/", "", "MethodNotAllowed"),
        ("PUT", "/photos/k", "uploadId=1", "InvalidArgument"),
        ("PUT", "/photos/k", "partNumber=1", "InvalidArgument"),
        ("DELETE", "/photos/k", "uploadId=", "InvalidArgument"),
        ("PUT", "/photos/k", "versionId=1", "InvalidArgument"),
        ("GET", "/photos/k", "versionId=", "InvalidArgument"),
        ("GET", "/photos/k", "versionId=1&versionId=2", "InvalidArgument"),
        ("GET", "/photos", "list-type=3", "InvalidArgument"),
        ("GET", "/photos", "prefix=%ff", "InvalidURI"),
        ("GET", "/photos", "&".join(f"a{i}=1" for i in range(300)), "InvalidURI"),
        ("GET", "//key", "", "InvalidURI"),
        ("GET", "*", "", "InvalidURI"),
        ("GET", "/photos/\udcff", "", "InvalidURI"),
        ("GET", "/photos/" + "é" * 513, "", "KeyTooLongError"),
    ],
)
def test_what_is_refused_and_how(method: str, path: str, query: str, code: str):
    assert refusal(method, path, query).code == code


@pytest.mark.parametrize(
    "header",
    [
        "x-amz-server-side-encryption",
        "x-amz-server-side-encryption-customer-key",
        "x-amz-copy-source-server-side-encryption-customer-algorithm",
        "x-amz-website-redirect-location",
        "x-amz-request-payer",
        "x-amz-mfa",
        "x-amz-write-offset-bytes",
        "x-amz-of-next-year",
    ],
)
def test_headers_that_ask_for_more_are_never_passed_over(header: str):
    assert refusal("PUT", "/photos/k", **{header: "x"}).code == "NotImplemented"
    assert refusal("PUT", "/photos/k", f"{header}=x").code == "NotImplemented"


@pytest.mark.parametrize(
    ("method", "query", "more", "allowed"),
    [
        ("PUT", "", {}, {"if_match", "if_none_match"}),
        ("PUT", "", {"x_amz_copy_source": "b/k"}, {"if_match", "if_none_match"}),
        ("DELETE", "", {}, {"if_match", "if_none_match"}),
        ("POST", "uploadId=1", {}, {"if_match", "if_none_match"}),
        ("POST", "uploads", {}, set()),
        ("PUT", "uploadId=1&partNumber=1", {}, set()),
        ("PUT", "uploadId=1&partNumber=1", {"x_amz_copy_source": "b/k"}, {"x_amz_copy_source_range"}),
        ("PUT", "tagging", {}, set()),
    ],
)
def test_a_write_on_a_condition_that_is_not_asked_is_refused(
    method: str, query: str, more: dict[str, str], allowed: set[str]
):
    conditions = {"if_match", "if_none_match", "if_modified_since", "if_unmodified_since"}
    for name in conditions | {"content_range", "x_amz_copy_source_range"}:
        if name in allowed:
            assert ask(method, "/photos/k", query, **{name: "*"}, **more)
        else:
            refused = refusal(method, "/photos/k", query, **{name: "*"}, **more)
            assert (refused.code, refused.fields["Header"]) == ("NotImplemented", name.replace("_", "-"))
        assert ask("GET", "/photos/k", **{name: "*"})


def test_saying_the_version_of_the_api_is_no_more():
    assert ask("HEAD", "/photos", x_amz_api_version="2006-03-01").bucket == "photos"
    assert refusal("HEAD", "/photos", x_amz_api_version="2030-01-01").code == "NotImplemented"


def test_a_presigned_address_carries_headers_in_its_query():
    asked = ask("PUT", "/photos/k", "x-amz-meta-label=cat&X-Amz-Acl=private", x_amz_date="now")
    assert asked.headers["x-amz-meta-label"] == "cat"
    assert asked.headers["x-amz-acl"] == "private"
    assert refusal("PUT", "/photos/k", "x-amz-acl=private", x_amz_acl="public-read").code == "InvalidArgument"


_texts = (
    st.text(max_size=30) | st.sampled_from([o.chosen_by for o in Operation]) | st.text("%&=+;\x00é\udcff")
)


def test_sums_in_an_address_are_those_of_no_body():
    query = "x-amz-checksum-crc32=AAAAAA%3D%3D&x-amz-sdk-checksum-algorithm=CRC32&x-amz-checksum-mode=ENABLED"
    sums = {
        name: value for name, value in ask("PUT", "/photos/k", query).headers.items() if "checksum" in name
    }
    assert sums == {"x-amz-checksum-mode": "ENABLED"}
    sent = ask("PUT", "/photos/k", query, x_amz_checksum_crc32="sRvC4Q==")
    assert sent.headers["x-amz-checksum-crc32"] == "sRvC4Q=="


@given(
    method=st.sampled_from(["GET", "PUT", "POST", "DELETE", "HEAD", "OPTIONS", "BREW"]),
    path=_texts.map("/".__add__) | _texts,
    query=st.lists(st.tuples(_texts, _texts)),
    raw=st.text(max_size=60),
    headers=st.dictionaries(
        st.sampled_from(["host", "x-amz-copy-source", "x-amz-acl", "content-type"]), _texts
    ),
)
def test_any_head_gives_a_question_or_a_failure(method, path, query, raw, headers):
    encoded = "&".join(f"{quote(n, errors='replace')}={quote(v, errors='replace')}" for n, v in query)
    for sent in (encoded, raw):
        try:
            asked = route(Head(method, path, sent, tuple(headers.items())), hosts=["s3.lab"])
        except S3Failure:
            continue
        assert asked.operation.support is not Support.REFUSED
        assert len(asked.key.encode()) <= 1024
