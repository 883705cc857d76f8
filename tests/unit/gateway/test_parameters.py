"""Values of queries and headers: listings, ranges, conditions, metadata, what a write says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maruhub.gateway.head import Head
from maruhub.gateway.s3 import listing, object_lock, properties, tags
from maruhub.gateway.s3.byte_range import Range, content_range, read_copy_range, read_range
from maruhub.gateway.s3.conditions import (
    Verdict,
    copy_conditions,
    http_date,
    range_counts,
    read_conditions,
    to_http_date,
    write_conditions,
)
from maruhub.gateway.s3.failure import S3Failure
from maruhub.gateway.s3.metadata import PREFIX, metadata_headers, read_metadata
from maruhub.gateway.s3.route import Asked, route
from maruhub.gateway.s3.span import span_asked

NOW_US = 1_700_000_000_000_000  # Tue, 14 Nov 2023 22:13:20 GMT
BEFORE, AT, AFTER = (to_http_date(NOW_US + s * 1_000_000) for s in (-10, 0, 10))


def get(query: str, path: str = "/photos") -> Asked:
    return route(Head("GET", path, query, ()))


def code(call, *args, **kwargs) -> str:
    with pytest.raises(S3Failure) as caught:
        call(*args, **kwargs)
    return caught.value.code


def test_a_page_of_v2():
    page = listing.objects_page(
        get("list-type=2&prefix=a%20b&delimiter=%2F&max-keys=5&start-after=c&fetch-owner=true")
    )
    assert page == listing.ObjectsPage("a b", "/", "c", "c", "", 5, False, True)
    token = listing.make_token("x/é", "photos")
    page = listing.objects_page(
        get(f"list-type=2&continuation-token={token}&start-after=c&encoding-type=url")
    )
    assert (page.after, page.token, page.encode, page.limit) == ("x/é", token, True, 1000)


def test_the_other_pages():
    assert listing.objects_v1_page(get("marker=m&max-keys=0")).limit == 0
    assert listing.objects_v1_page(get("max-keys=2147483647")).limit == 1000
    page = listing.versions_page(get("versions&key-marker=k&version-id-marker=v"))
    assert (page.key_marker, page.version_id_marker) == ("k", "v")
    assert listing.uploads_page(get("uploads&upload-id-marker=u")).upload_id_marker == ""
    assert listing.parts_page(
        get("uploadId=u&part-number-marker=7&max-parts=2", "/photos/k")
    ) == listing.PartsPage("u", 7, 2)
    assert listing.buckets_page(get("max-buckets=3&prefix=p", "/")) == listing.BucketsPage("p", "", "", 3)


def test_zeros_before_a_number_count_for_nothing():
    assert listing.objects_v1_page(get("max-keys=" + "0" * 5000 + "7")).limit == 7


@pytest.mark.parametrize("number", ["-1", "x", "1.5", "2147483648", "9" * 5000, "٣", " 1"])
def test_numbers_that_are_none(number: str):
    assert code(listing.objects_v1_page, get(f"max-keys={number}")) == "InvalidArgument"


@pytest.mark.parametrize("token", ["", "x", "!!!!", "AAAAAAAAAAAAAAAA", listing.make_token("k", "other")])
def test_tokens_of_others_are_refused(token: str):
    assert code(listing.objects_page, get(f"list-type=2&continuation-token={token}")) == "InvalidArgument"


def test_markers_and_encodings_that_are_none():
    assert code(listing.objects_v1_page, get("encoding-type=base64")) == "InvalidArgument"
    assert code(listing.versions_page, get("versions&version-id-marker=v")) == "InvalidArgument"
    assert code(listing.buckets_page, get("max-buckets=0", "/")) == "InvalidArgument"


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=50), st.text())
def test_a_token_reads_back_and_anything_else_fails(name: str, other: str):
    assert listing.read_token(listing.make_token(name, "b"), "b") == name
    assert code(listing.read_token, other, "b") == "InvalidArgument"


@pytest.mark.parametrize(
    ("text", "size", "expected"),
    [
        ("bytes=0-0", 10, (0, 1)),
        ("bytes=2-", 10, (2, 8)),
        ("bytes=2-99999999999999999999999", 10, (2, 8)),
        ("bytes=-3", 10, (7, 3)),
        ("bytes=-30", 10, (0, 10)),
        ("BYTES=1-2", 10, (1, 2)),
        ("bytes=10-", 10, "InvalidRange"),
        ("bytes=-0", 10, "InvalidRange"),
        ("bytes=0-", 0, "InvalidRange"),
        ("bytes=-5", 0, "InvalidRange"),
        ("bytes=5-2", 10, None),
        ("bytes=0-1,3-4", 10, None),
        ("bytes=-", 10, None),
        ("items=0-1", 10, None),
        ("bytes=a-b", 10, None),
        ("", 10, None),
    ],
)
def test_one_range_or_all_of_it(text: str, size: int, expected: object):
    asked = read_range(text)
    if expected is None:
        assert asked is None
    elif isinstance(expected, str):
        assert asked is not None
        assert code(asked.within, size) == expected
    else:
        assert asked is not None
        assert asked.within(size) == expected


@given(st.text("bytes=0123456789-, ", max_size=40), st.integers(0, 50))
def test_no_range_reaches_outside(text: str, size: int):
    asked = read_range(text)
    if asked is not None:
        try:
            offset, length = asked.within(size)
        except S3Failure:
            return
        assert 0 <= offset < offset + length <= size


def test_a_copys_range_must_be_right():
    assert read_copy_range(None, 5) is None
    assert read_copy_range("bytes=1-4", 5) == (1, 4)
    for wrong in ("bytes=1-5", "bytes=1-", "bytes=-1", "1-2", "bytes=0-1,2-3"):
        assert code(read_copy_range, wrong, 5) == "InvalidArgument"
    assert content_range(1, 4, 5) == "bytes 1-4/5"
    assert Range(first=1).within(5) == (1, 4)


GO, NOT, FAIL = Verdict.GO_ON, Verdict.NOT_MODIFIED, Verdict.FAILED


@pytest.mark.parametrize(
    ("headers", "read", "copy"),
    [
        ({}, GO, GO),
        ({"if-match": '"e"'}, GO, GO),
        ({"if-match": "e"}, GO, GO),
        ({"if-match": "*"}, GO, GO),
        ({"if-match": '"x", "e"'}, GO, GO),
        ({"if-match": '"x"'}, FAIL, FAIL),
        ({"if-match": ""}, FAIL, FAIL),
        ({"if-match": '"e"', "if-unmodified-since": BEFORE}, GO, GO),
        ({"if-match": '"x"', "if-unmodified-since": AFTER}, FAIL, FAIL),
        ({"if-unmodified-since": BEFORE}, FAIL, FAIL),
        ({"if-unmodified-since": AT}, GO, GO),
        ({"if-none-match": '"e"'}, NOT, FAIL),
        ({"if-none-match": 'W/"e"'}, NOT, FAIL),
        ({"if-none-match": "*"}, NOT, FAIL),
        ({"if-none-match": '"x"'}, GO, GO),
        ({"if-none-match": '"x"', "if-modified-since": AFTER}, GO, GO),
        ({"if-none-match": '"e"', "if-modified-since": BEFORE}, NOT, FAIL),
        ({"if-modified-since": BEFORE}, GO, GO),
        ({"if-modified-since": AT}, NOT, FAIL),
        ({"if-modified-since": "Sat, 01 Jan 2050 00:00:00 GMT"}, NOT, FAIL),
        ({"if-modified-since": "yesterday"}, GO, GO),
    ],
)
def test_conditions_decide_in_order(headers: dict[str, str], read: Verdict, copy: Verdict):
    assert read_conditions(headers).of_read("e", NOW_US + 999_999) is read
    source = {f"x-amz-copy-source-{name}": value for name, value in headers.items()}
    assert copy_conditions(source).of_copy("e", NOW_US + 999_999) is copy


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        (None, True),
        ('"e"', True),
        ("e", True),
        ('"x"', False),
        ('W/"e"', False),
        ("", False),
        ("*", False),
        ('"e", "x"', False),
        (BEFORE, False),
        (AT, True),
        (AFTER, False),
    ],
)
def test_a_range_counts_of_what_is_there_alone(text: str | None, counts: bool):
    headers = {} if text is None else {"if-range": text}
    assert range_counts(headers, "e", NOW_US + 999_999) is counts


@pytest.mark.parametrize(
    ("query", "sizes", "span"),
    [
        ("", (), None),
        ("partNumber=1", (), (0, 9)),
        ("partNumber=1", (5, 4), (0, 5)),
        ("partNumber=2", (5, 4), (5, 4)),
        ("partNumber=2", (9, 0), (9, 0)),
        ("partNumber=2", (), "InvalidPartNumber"),
        ("partNumber=3", (5, 4), "InvalidPartNumber"),
        ("partNumber=0", (5, 4), "InvalidArgument"),
        ("partNumber=x", (5, 4), "InvalidArgument"),
    ],
)
def test_a_part_is_a_span(query: str, sizes: tuple[int, ...], span: object):
    def asked(**headers: str) -> object:
        request = route(Head("GET", "/b/k", query, tuple(headers.items())))
        try:
            return span_asked(request, 9, etag="e", modified_us=NOW_US, part_sizes=lambda: sizes)
        except S3Failure as failure:
            return failure.code

    assert asked() == span
    if span and query != "partNumber=0" and query != "partNumber=x":
        assert asked(range="bytes=0-1") == "InvalidRequest"


def test_nothing_has_a_first_part_and_no_range():
    asked = route(Head("GET", "/b/k", "partNumber=1", ()))
    assert span_asked(asked, 0, etag="e", modified_us=0) is None


def test_conditions_of_writes():
    assert write_conditions({"if-none-match": "*"}).of_write(None) is GO
    assert write_conditions({"if-none-match": "*"}).of_write("e") is FAIL
    assert write_conditions({"if-match": '"e"'}).of_write("e") is GO
    assert write_conditions({"if-match": '"e"'}).of_write("x") is FAIL
    assert write_conditions({"if-match": "*"}).of_write(None) is Verdict.NOT_FOUND
    assert not write_conditions({"if-modified-since": BEFORE})
    assert code(write_conditions, {"if-none-match": '"e"'}) == "NotImplemented"
    assert code(write_conditions, {"if-none-match": "*", "if-match": "e"}) == "NotImplemented"


@given(st.text(max_size=70))
def test_no_date_is_too_strange(text: str):
    assert http_date(text) is None or isinstance(http_date(text), int)
    assert http_date(to_http_date(NOW_US)) == NOW_US // 1_000_000


@given(
    st.dictionaries(
        st.text("abc-_.1", min_size=1, max_size=9),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
        max_size=5,
    )
)
def test_metadata_given_back_is_metadata_given(fields: dict[str, str]):
    headers, missing = metadata_headers(fields)
    assert not missing
    assert all(value.isascii() and value.isprintable() for _, value in headers)
    assert read_metadata(dict(headers)) == fields


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("=?UTF-8?B?w6k=?=", "é"),
        ("=?utf-8?q?caf=C3=A9_x?=", "café x"),
        ("=?ISO-8859-1?Q?=E9?=", "é"),
        ("=?UTF-8?B?w6k=?= =?UTF-8?B?w6k=?=", "éé"),
        ("é".encode().decode("latin-1"), "é"),
        ("é", "é"),
        ("日本", "日本"),
        ("=?x-none?B?w6k=?=", "=?x-none?B?w6k=?="),
        ("=?UTF-8?B?!!!!?=", "=?UTF-8?B?!!!!?="),
        ("", ""),
    ],
)
def test_words_of_other_alphabets(raw: str, value: str):
    assert read_metadata({PREFIX + "a": raw, "other": "x"}) == {"a": value}


def test_metadata_has_bounds():
    assert read_metadata({PREFIX + "a": "x" * 2047})
    assert code(read_metadata, {PREFIX + "a": "x" * 2048}) == "MetadataTooLarge"
    assert code(read_metadata, {PREFIX + "a": "é" * 1024}) == "MetadataTooLarge"
    assert code(read_metadata, {PREFIX + "a": "=?UTF-8?B?" * 100_000}) == "MetadataTooLarge"
    assert code(read_metadata, {PREFIX: "x"}) == "InvalidArgument"
    assert metadata_headers({"größe": "x", "a": "1"}) == ([(PREFIX + "a", "1")], 1)


def test_what_a_write_says():
    headers = {
        "content-type": "image/jpeg", "content-encoding": "aws-chunked,gzip", "cache-control": "no-cache",
        "x-amz-meta-label": "cat", "x-amz-tagging": "a=1&b=x%20y", "x-amz-acl": "public-read",
        "x-amz-object-lock-mode": "GOVERNANCE", "x-amz-object-lock-retain-until-date": "2050-01-01T00:00:00Z",
        "x-amz-object-lock-legal-hold": "ON", "x-amz-storage-class": "STANDARD",
    }  # fmt: skip
    said = properties.read_properties(headers, now_us=NOW_US)
    assert said.headers == {"cache-control": "no-cache", "content-encoding": "gzip"}
    assert (said.metadata, said.tags, said.acl) == ({"label": "cat"}, {"a": "1", "b": "x y"}, "public-read")
    assert said.lock.legal_hold is True
    given_back = dict(properties.property_headers(said, {"content-type": "text/plain"}))
    assert given_back["content-type"] == "text/plain"
    assert given_back["x-amz-tagging-count"] == "2"
    assert dict(object_lock.lock_headers(said.lock.retention, True)).items() >= {
        (object_lock.MODE, "GOVERNANCE")
    }


@pytest.mark.parametrize(
    ("header", "value", "expected"),
    [
        ("x-amz-storage-class", "GLACIER", "InvalidStorageClass"),
        ("x-amz-acl", "everyone", "InvalidArgument"),
        ("x-amz-grant-read", "id=bob", "AccessControlListNotSupported"),
        ("x-amz-tagging", "a=1&a=2", "InvalidArgument"),
        ("x-amz-tagging", "aws:x=1", "InvalidTag"),
        ("x-amz-tagging", "a=%00", "InvalidTag"),
        ("x-amz-tagging", "a=%ff", "InvalidArgument"),
        ("x-amz-tagging", "&".join(f"k{i}=" for i in range(11)), "BadRequest"),
        ("x-amz-object-lock-mode", "GOVERNANCE", "InvalidArgument"),
        ("x-amz-object-lock-legal-hold", "yes", "InvalidArgument"),
        ("cache-control", "a\r\nset-cookie: x", "InvalidArgument"),
        ("content-type", "a\x00", "InvalidArgument"),
    ],
)
def test_what_a_write_must_not_say(header: str, value: str, expected: str):
    assert code(properties.read_properties, {header: value}, now_us=NOW_US) == expected


def test_locks_end_in_the_future():
    headers = {object_lock.MODE: "COMPLIANCE", object_lock.UNTIL: "2001-01-01"}
    assert code(object_lock.read_lock_headers, headers, now_us=NOW_US) == "InvalidArgument"
    headers[object_lock.MODE] = "SOMETIMES"
    assert code(object_lock.read_lock_headers, headers, now_us=NOW_US) == "InvalidArgument"
    for wrong in (
        "2050-13-01",
        "soon",
        "2050-01-01T99:00:00Z",
        "9999-99-99",
        "0000-01-01",
        "2050-01-01T00:00:00+99:99",
    ):
        assert code(object_lock.read_iso_date, wrong, "x") == "InvalidArgument"
    assert (
        object_lock.to_iso_date(object_lock.read_iso_date("2050-01-01T01:00:00.5+01:00", "x"))
        == "2050-01-01T00:00:00.500Z"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/b/k", properties.CopySource("b", "k")),
        ("b/a%20b//c", properties.CopySource("b", "a b//c")),
        ("b/a+b?versionId=v1", properties.CopySource("b", "a+b", "v1")),
        ("b/what%3FversionId=x", properties.CopySource("b", "what?versionId=x")),
        ("b", None), ("", None), ("/", None), ("b/", None), ("b/%ff", None), ("b/k?versionId=", None), ("//k", None),
        ("b/" + "k" * 1025, None),
    ],
)  # fmt: skip
def test_sources_of_copies(text: str, expected: properties.CopySource | None):
    if expected is None:
        assert code(properties.read_copy_source, text) == "InvalidArgument"
    else:
        assert properties.read_copy_source(text) == expected


def test_part_numbers_and_overrides():
    assert properties.read_part_number(get("partNumber=10000", "/b/k")) == 10_000
    for wrong in ("0", "10001", "-1", "x", "", "9" * 5000):
        assert code(properties.read_part_number, get(f"partNumber={wrong}", "/b/k")) == "InvalidArgument"
    asked = get("response-content-type=text%2Fplain&response-expires=x", "/b/k")
    assert properties.response_overrides(asked, anonymous=False) == {
        "content-type": "text/plain",
        "expires": "x",
    }
    assert code(properties.response_overrides, asked, anonymous=True) == "InvalidRequest"
    smuggled = get("response-content-type=a%0d%0ab", "/b/k")
    assert code(properties.response_overrides, smuggled, anonymous=False) == "InvalidArgument"
    assert properties.directive({}, "x-amz-metadata-directive") is properties.Directive.COPY
    assert (
        code(properties.directive, {"x-amz-tagging-directive": "MERGE"}, "x-amz-tagging-directive")
        == "InvalidArgument"
    )


_NAMES = st.sampled_from(
    [*properties.KEPT_HEADERS, "content-type", "x-amz-acl", "x-amz-tagging", "x-amz-meta-a", "x-amz-meta-é", object_lock.MODE,
     object_lock.UNTIL, object_lock.HOLD, "x-amz-storage-class", "if-match", "if-none-match", "if-modified-since", "range"]
)  # fmt: skip


@given(st.dictionaries(_NAMES, st.text(max_size=30) | st.text("=?&%UTF-8BQ\udcff0123:TZ")))
def test_any_headers_give_values_or_a_failure(headers: dict[str, str]):
    for read in (
        lambda: properties.read_properties(headers, now_us=NOW_US),
        lambda: read_conditions(headers).of_read("e", NOW_US),
        lambda: write_conditions(headers).of_write("e"),
        lambda: tags.tagging_header(tags.read_tagging_header(headers.get("x-amz-tagging"))),
        lambda: properties.read_copy_source(headers.get("range", "")),
    ):
        try:
            read()
        except S3Failure:
            pass
