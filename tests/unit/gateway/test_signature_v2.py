"""Links of Signature Version 2: AWS's own published examples are right, and nothing altered passes."""

from __future__ import annotations

import dataclasses

import pytest

from maruhub.gateway.head import Head
from maruhub.gateway.s3.failure import S3Failure
from maruhub.gateway.s3.signatures.v2 import (
    check_signature_v2,
    is_link_v2,
    signature_v2,
    string_to_sign_v2,
    verify_link_v2,
)
from maruhub.gateway.s3.signatures.v4 import PayloadMode

# The keys, the requests and the signatures of "Signing and Authenticating REST Requests".
KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
EXPIRES = 1175139620
LINK = Head(
    "GET",
    "/photos/puppy.jpg",
    f"AWSAccessKeyId={KEY}&Signature=NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D&Expires={EXPIRES}",
    (("host", "johnsmith.s3.amazonaws.com"),),
)
UPLOAD_HEADERS = (
    ("host", "static.johnsmith.net:8080"),
    ("x-amz-acl", "public-read"),
    ("content-type", "application/x-download"),
    ("content-md5", "4gJE4saaMU4BqNR0kLY+lw=="),
    ("x-amz-meta-reviewedby", "joe@johnsmith.net"),
    ("x-amz-meta-reviewedby", "jane@johnsmith.net"),
    ("x-amz-meta-filechecksum", "0x02661779"),
    ("x-amz-meta-checksumalgorithm", "crc32"),
    ("content-length", "5913339"),
)
PUBLISHED = {
    "get": (
        "GET",
        "/photos/puppy.jpg",
        "",
        (),
        "Tue, 27 Mar 2007 19:36:42 +0000",
        "bWq2s1WEIj+Ydj0vQ697zp+IXMU=",
    ),
    "put": (
        "PUT",
        "/photos/puppy.jpg",
        "",
        (("content-type", "image/jpeg"), ("content-length", "94328")),
        "Tue, 27 Mar 2007 21:15:45 +0000",
        "MyyxeRY7whkBe+bq8fHCL/2kKUg=",
    ),
    "list": (
        "GET",
        "/",
        "prefix=photos&max-keys=50&marker=puppy",
        (),
        "Tue, 27 Mar 2007 19:42:41 +0000",
        "htDYFYduRNen8P9ZfE/s9SuKy0U=",
    ),
    "acl": ("GET", "/", "acl", (), "Tue, 27 Mar 2007 19:44:46 +0000", "c2WLPFtWHVgbEmeEG93a4cG37dM="),
}
POLICY = (
    "eyAiZXhwaXJhdGlvbiI6ICIyMDA3LTEyLTAxVDEyOjAwOjAwLjAwMFoiLAogICJjb25kaXRpb25zIjogWwogICAgeyJidWNrZXQi"
    "OiAiam9obnNtaXRoIn0sCiAgICBbInN0YXJ0cy13aXRoIiwgIiRrZXkiLCAidXNlci9lcmljLyJdLAogICAgeyJhY2wiOiAicHVi"
    "bGljLXJlYWQifSwKICAgIHsic3VjY2Vzc19hY3Rpb25fcmVkaXJlY3QiOiAiaHR0cDovL2pvaG5zbWl0aC5zMy5hbWF6b25hd3Mu"
    "Y29tL3N1Y2Nlc3NmdWxfdXBsb2FkLmh0bWwifSwKICAgIFsic3RhcnRzLXdpdGgiLCAiJENvbnRlbnQtVHlwZSIsICJpbWFnZS8i"
    "XSwKICAgIHsieC1hbXotbWV0YS11dWlkIjogIjE0MzY1MTIzNjUxMjc0In0sCiAgICBbInN0YXJ0cy13aXRoIiwgIiR4LWFtei1t"
    "ZXRhLXRhZyIsICIiXQogIF0KfQo="
)
POLICY_SIGNATURE = "0RavWzkygo6QX9caELEqKi9kDbU="


def _find(access_key: str) -> str | None:
    return SECRET if access_key == KEY else None


def _verify(head: Head, now: float = EXPIRES, bucket: str = "johnsmith"):
    return verify_link_v2(head, now=now, secrets=_find, virtual_bucket=bucket)


def _signed(path: str, query: str = "", *headers: tuple[str, str], method: str = "GET") -> Head:
    """A link as a client makes it."""
    bare = Head(method, path, query, headers)
    signature = signature_v2(SECRET, string_to_sign_v2(bare, str(EXPIRES)))
    encoded = signature.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")
    query = f"{query}&" if query else ""
    signed = f"{query}AWSAccessKeyId={KEY}&Signature={encoded}&Expires={EXPIRES}"
    return dataclasses.replace(bare, query=signed)


@pytest.mark.parametrize("case", PUBLISHED.values(), ids=PUBLISHED)
def test_the_published_signatures_are_right(case):
    method, path, query, headers, date, signature = case
    text = string_to_sign_v2(Head(method, path, query, headers), date, virtual_bucket="johnsmith")
    assert signature_v2(SECRET, text) == signature


def test_the_published_upload_is_right():
    head = Head("PUT", "/db-backup.dat.gz", "", UPLOAD_HEADERS)
    text = string_to_sign_v2(head, "Tue, 27 Mar 2007 21:06:08 +0000", virtual_bucket="static.johnsmith.net")
    assert signature_v2(SECRET, text) == "ilyl83RwaSoYIEdixDQcA4OnAnc="


def test_the_published_link_is_right_until_it_expires():
    verified = _verify(LINK)
    assert verified.access_key == KEY
    assert verified.payload is not None
    assert verified.payload.mode is PayloadMode.UNSIGNED
    with pytest.raises(S3Failure, match="Request has expired") as late:
        _verify(LINK, EXPIRES + 1)
    assert late.value.fields["Expires"] == "2007-03-29T03:40:20Z"


def test_a_link_is_good_for_seven_days_at_most():
    assert _verify(LINK, EXPIRES - 7 * 24 * 3600)
    with pytest.raises(S3Failure, match="within seven days"):
        _verify(LINK, EXPIRES - 8 * 24 * 3600)


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("EXAMPLE", "EXAMPLF", "InvalidAccessKeyId"),
        ("NpgC", "MpgC", "SignatureDoesNotMatch"),
        ("1175139620", "1175139621", "SignatureDoesNotMatch"),
        ("1175139620", "1175139620.0", "AccessDenied"),
        ("1175139620", "", "AccessDenied"),
        ("&Expires=1175139620", "", "AccessDenied"),
        ("AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&", "", "AccessDenied"),
        ("&Expires", "&Expires=1&Expires", "InvalidArgument"),
        ("&Expires", "&acl&Expires", "SignatureDoesNotMatch"),
        ("&Expires", "&versionId=1&Expires", "SignatureDoesNotMatch"),
        ("&Expires", "&x-amz-acl=public-read&Expires", "SignatureDoesNotMatch"),
        ("&Expires", "&content-type=text%2Fhtml&Expires", "SignatureDoesNotMatch"),
        ("&Expires", "&retention&Expires", "AccessDenied"),
        ("&Expires", "&legal%2Dhold=&Expires", "AccessDenied"),
    ],
)
def test_nothing_altered_passes(old: str, new: str, code: str):
    altered = dataclasses.replace(LINK, query=LINK.query.replace(old, new, 1))
    assert is_link_v2(altered)
    with pytest.raises(S3Failure) as refused:
        _verify(altered)
    assert refused.value.code == code


def test_method_path_bucket_and_headers_are_covered():
    for altered, bucket in (
        (dataclasses.replace(LINK, method="PUT"), "johnsmith"),
        (dataclasses.replace(LINK, path="/photos/kitten.jpg"), "johnsmith"),
        (LINK, "janesmith"),
        (LINK, ""),
        (dataclasses.replace(LINK, headers=(("x-amz-acl", "public-read"),)), "johnsmith"),
    ):
        with pytest.raises(S3Failure) as refused:
            _verify(altered, bucket=bucket)
        assert refused.value.code == "SignatureDoesNotMatch"


def test_what_a_link_carries_in_its_query_is_signed_as_if_it_were_a_header():
    query = "x-amz-meta-by=jo%20e&content-type=image%2Fpng"
    assert _verify(_signed("/b/k", query, method="PUT"), bucket="")
    sent = (("x-amz-meta-by", "jo e"), ("content-type", "image/png"))
    link = _signed("/b/k", "", *sent, method="PUT")
    hoisted = dataclasses.replace(link, query=f"{query}&{link.query}", headers=())
    assert _verify(hoisted, bucket="")


def test_decoded_values_and_encoded_paths_are_signed():
    link = _signed("/b/a b/ü+", "response-content-type=text%2Fplain&uploads")
    assert string_to_sign_v2(link, "1").endswith(
        "/b/a%20b/%C3%BC%2B?response-content-type=text/plain&uploads"
    )
    assert _verify(link, bucket="")


def test_a_sub_resource_with_a_value_and_without_is_signed_as_both():
    head = dataclasses.replace(LINK, query=f"acl=x&acl&{LINK.query}")
    assert string_to_sign_v2(head, "1").endswith("?acl&acl=x")
    with pytest.raises(S3Failure, match="signature"):
        _verify(head)


def test_a_bucket_is_signed_with_a_slash_however_it_is_addressed():
    link = _signed("/b/", "prefix=a")
    for path, bucket in (("/b/", ""), ("/b", ""), ("/", "b")):
        assert _verify(dataclasses.replace(link, path=path), bucket=bucket)


def test_chunks_cannot_be_signed_with_a_link():
    link = _signed("/b/k", "", ("x-amz-content-sha256", PayloadMode.CHUNKS.value), method="PUT")
    with pytest.raises(S3Failure) as refused:
        _verify(link, bucket="")
    assert refused.value.code == "InvalidRequest"


def test_other_queries_are_no_links():
    for query in ("", "Expires=1", "prefix=Signature", "X-Amz-Signature=1", "prefix=AWSAccessKeyId"):
        assert not is_link_v2(Head("GET", "/", query, ()))


def test_the_published_policy_of_a_form_is_right():
    # Of "Browser-based uploads using POST": signed is the text in Base64, there with an older secret.
    with pytest.raises(S3Failure, match="does not match"):
        check_signature_v2(KEY, POLICY, given=POLICY_SIGNATURE, secrets=_find)
    older = {KEY: "uV3F3YluFJax1cknvbcGwgjvx4QpvB+leU8dUj2o"}
    check_signature_v2(KEY, POLICY, given=POLICY_SIGNATURE, secrets=older.get)
