"""Documents in and out: what is written reads back, what isn't right is refused, quickly."""

from __future__ import annotations

import functools
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable
from urllib.parse import unquote, unquote_plus
from xml.parsers import expat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maruhub.gateway.s3.cors import read_cors
from maruhub.gateway.s3.documents import answers, requests, settings
from maruhub.gateway.s3.documents.element import BYTES_MAX, read_document
from maruhub.gateway.s3.documents.lifecycle import read_lifecycle
from maruhub.gateway.s3.documents.listings import (
    ListedObject,
    ListedPart,
    ListedUpload,
    ListedVersion,
    Owner,
    objects_v1,
    objects_v2,
    parts,
    uploads,
    versions,
)
from maruhub.gateway.s3.failure import S3Failure
from maruhub.gateway.s3.listing import ObjectsPage, PartsPage, UploadsPage, VersionsPage
from maruhub.gateway.s3.object_lock import DefaultRetention, LockMode, Retention
from maruhub.gateway.s3.operation import Operation, Support

NOW_US = 1_700_000_000_000_000
ANN = Owner("ann", "Ann")
S3 = "{http://s3.amazonaws.com/doc/2006-03-01/}"

READERS: dict[str, Callable[[bytes], object]] = {
    "CompleteMultipartUpload": requests.read_complete_upload,
    "Delete": requests.read_delete,
    "Tagging": requests.read_tagging,
    "VersioningConfiguration": requests.read_versioning,
    "CreateBucketConfiguration": requests.read_create_bucket,
    "ObjectLockConfiguration": requests.read_object_lock,
    "Retention": lambda raw: requests.read_retention(raw, now_us=NOW_US),
    "LegalHold": requests.read_legal_hold,
    "PublicAccessBlockConfiguration": settings.read_public_access_block,
    "OwnershipControls": settings.check_ownership,
    "NotificationConfiguration": settings.check_notification,
    "AccessControlPolicy": lambda raw: settings.check_acl(raw, "ann"),
    "CORSConfiguration": read_cors,
    "LifecycleConfiguration": read_lifecycle,
}

# All that XML 1.0 can hold; S3 has no way of writing the rest, but encoding-type=url.
_XML = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40).filter(
    lambda t: all(c in "\t\n\r" or (c >= " " and c not in "\ufffe\uffff") for c in t)
)
_ANY = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)


def _code(read: Callable[[bytes], object], raw: bytes) -> str:
    with pytest.raises(S3Failure) as caught:
        read(raw)
    return caught.value.code


def _bombs(root: str) -> list[bytes]:
    entities = '<!ENTITY e0 "lol">'
    for i in range(1, 10):
        entities += f'<!ENTITY e{i} "' + f"&e{i - 1};" * 10 + '">'
    attributes = " ".join(f"a{i}=''" for i in range(50_000))
    return [
        f"<!DOCTYPE {root} [{entities}]><{root}>&e9;</{root}>".encode(),
        f'<!DOCTYPE {root} SYSTEM "file:///etc/passwd"><{root}/>'.encode(),
        f'<!DOCTYPE {root} [<!ENTITY x SYSTEM "file:///etc/passwd">]><{root}>&x;</{root}>'.encode(),
        f"<{root}>".encode() + b"<a>" * 100_000 + b"</a>" * 100_000 + f"</{root}>".encode(),
        f"<{root}>{'<Part/>' * 200_000}</{root}>".encode(),
        f"<{root} {attributes}><b/></{root}>".encode(),
        f'<?xml version="1.0" encoding="UTF-16"?><{root}><b/></{root}>'.encode(),
        f'<?xml version="1.0" encoding="UTF-16"?><{root}><b/></{root}>'.encode("utf-16"),
        f'<?xml version="1.0" encoding="latin-1"?><{root}><b>\xe9</b></{root}>'.encode("latin-1"),
        f"<{root}>".encode() + b"\xff\xfe</" + root.encode() + b">",
        f"<{root}><b></{root}>".encode(),
        f"<{root}><b>&undefined;</b></{root}>".encode(),
        f"<{root}><b>\x00</b></{root}>".encode(),
        f"<{root}/><{root}/>".encode(),
        b"<Other/>",
        b"",
        b"\xef\xbb\xbf",
        b"{}",
    ]


@pytest.mark.parametrize("root", READERS)
def test_bombs_and_nonsense_are_malformed_at_once(root: str):
    for raw in _bombs(root):
        if root == "CreateBucketConfiguration" and not raw:
            continue
        begun = time.process_time()
        assert _code(READERS[root], raw) in ("MalformedXML", "MalformedACLError", "MaxMessageLengthExceeded")
        assert time.process_time() - begun < 25 * _plain_parsing_s(), raw[:80]


@functools.cache
def _plain_parsing_s() -> float:
    """What the largest document that is read at all costs a parser that builds nothing."""
    flat = b"<a>" + b"<b/>" * (BYTES_MAX // 4 - 2) + b"</a>"
    begun = time.process_time()
    expat.ParserCreate().Parse(flat, True)
    return time.process_time() - begun


@pytest.mark.parametrize("content", [" ".join(f"a{n}='b'" for n in range(9)) + ">", ">text"])
def test_what_stands_where_nothing_can_is_malformed(content: str):
    raw = f"<PublicAccessBlockConfiguration {content}</PublicAccessBlockConfiguration>".encode()
    with pytest.raises(S3Failure) as refused:
        settings.read_public_access_block(raw)
    assert refused.value.code == "MalformedXML"


def test_a_hundred_megabytes_are_not_even_parsed():
    assert _code(requests.read_delete, b"<Delete>" + b" " * (100 << 20)) == "MaxMessageLengthExceeded"


@given(
    root=st.sampled_from(sorted(READERS)),
    names=st.recursive(
        st.sampled_from(
            ["Part", "Object", "Key", "Rule", "Mode", "Days", "Tag", "TagSet", "Value", "Filter"]
        ).map(lambda n: f"<{n}>7</{n}>"),
        lambda inner: st.tuples(
            st.sampled_from(["Rule", "Part", "Object", "TagSet", "Filter", "And", "CORSRule"]),
            st.lists(inner),
        ).map(lambda t: f"<{t[0]}>{''.join(t[1])}</{t[0]}>"),
    ),
    raw=st.binary(max_size=60),
)
def test_any_body_gives_a_value_or_a_failure(root: str, names: str, raw: bytes):
    for body in (
        f"<{root}>{names}</{root}>".encode(),
        raw,
        f"<{root}>".encode() + raw + f"</{root}>".encode(),
    ):
        try:
            READERS[root](body)
        except S3Failure:
            pass


@pytest.mark.parametrize(
    "namespace", ["", ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"', ' xmlns="urn:other"']
)
def test_namespaces_are_all_the_same(namespace: str):
    raw = f'<Delete{namespace}><Quiet> true </Quiet><Object><Key> a </Key><ETag>"x"</ETag></Object></Delete>'
    assert requests.read_delete(raw.encode()) == requests.Deletion(
        (requests.ObjectToDelete(" a ", None, "x"),), quiet=True
    )


def test_parts_come_in_order():
    part = "<Part><PartNumber>{}</PartNumber><ETag>&quot;e&quot;</ETag><ChecksumCRC32>AA==</ChecksumCRC32></Part>"

    def whole(*numbers: int) -> bytes:
        listed = "".join(part.format(n) for n in numbers)
        return f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()

    assert requests.read_complete_upload(whole(1, 7)) == tuple(
        requests.CompletedPart(n, "e", {"crc32": "AA=="}) for n in (1, 7)
    )
    assert len(requests.read_complete_upload(whole(*range(1, 10_001)))) == 10_000
    assert _code(requests.read_complete_upload, whole(2, 1)) == "InvalidPartOrder"
    assert _code(requests.read_complete_upload, whole(1, 1)) == "InvalidPartOrder"
    assert _code(requests.read_complete_upload, whole(0)) == "InvalidArgument"
    assert _code(requests.read_complete_upload, whole()) == "MalformedXML"


@pytest.mark.parametrize(
    ("root", "content", "code"),
    [
        ("Delete", "<Object><Key>a</Key></Object>" * 1001, "MalformedXML"),
        ("Delete", "<Object><Key></Key></Object>", "MalformedXML"),
        ("Delete", "<Object><Key>a</Key><Size>1</Size></Object>", "NotImplemented"),
        ("Tagging", "<TagSet><Tag><Key>a</Key><Value>1</Value></Tag><Tag><Key>a</Key><Value/></Tag></TagSet>", "InvalidTag"),
        ("Tagging", "<TagSet>" + "".join(f"<Tag><Key>{i}</Key><Value/></Tag>" for i in range(11)) + "</TagSet>", "BadRequest"),
        ("Tagging", "<TagSet><Tag><Key>a</Key></Tag></TagSet>", "MalformedXML"),
        ("VersioningConfiguration", "<Status>On</Status>", "MalformedXML"),
        ("VersioningConfiguration", "<MfaDelete>Enabled</MfaDelete><Status>Enabled</Status>", "NotImplemented"),
        ("VersioningConfiguration", "", "IllegalVersioningConfigurationException"),
        ("ObjectLockConfiguration", "<ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention><Mode>GOVERNANCE</Mode><Days>1</Days><Years>1</Years></DefaultRetention></Rule>", "MalformedXML"),
        ("ObjectLockConfiguration", "<ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention><Mode>GOVERNANCE</Mode><Days>0</Days></DefaultRetention></Rule>", "InvalidArgument"),
        ("ObjectLockConfiguration", "<ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention><Mode>abc</Mode><Days>1</Days></DefaultRetention></Rule>", "MalformedXML"),
        ("Retention", "<Mode>GOVERNANCE</Mode><RetainUntilDate>2001-01-01T00:00:00Z</RetainUntilDate>", "InvalidArgument"),
        ("Retention", "<Mode>GOVERNANCE</Mode><RetainUntilDate>soon</RetainUntilDate>", "MalformedXML"),
        ("OwnershipControls", "<Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule>", "NotImplemented"),
        ("NotificationConfiguration", "<TopicConfiguration/>", "NotImplemented"),
        ("AccessControlPolicy", "<AccessControlList><Grant><Grantee><ID>bob</ID></Grantee><Permission>READ</Permission></Grant></AccessControlList>", "AccessControlListNotSupported"),
        ("AccessControlPolicy", "<AccessControlList><Grant><Permission>EAT</Permission></Grant></AccessControlList>", "MalformedACLError"),
        ("CreateBucketConfiguration", "<Bucket><Type>Directory</Type></Bucket>", "NotImplemented"),
    ],
)  # fmt: skip
def test_what_is_refused_and_how(root: str, content: str, code: str):
    assert _code(READERS[root], f"<{root}>{content}</{root}>".encode()) == code


def test_settings_written_are_settings_read():
    for retention in (
        None,
        DefaultRetention(LockMode.COMPLIANCE, days=3),
        DefaultRetention(LockMode.GOVERNANCE, years=1),
    ):
        assert requests.read_object_lock(settings.object_lock(retention)) == retention
    kept = Retention(LockMode.GOVERNANCE, NOW_US + 5_000)
    assert requests.read_retention(answers.retention(kept), now_us=NOW_US) == kept
    assert [requests.read_legal_hold(answers.legal_hold(held)) for held in (True, False)] == [True, False]
    assert [requests.read_versioning(settings.versioning(on)) for on in (True, False)] == [True, False]
    block = settings.PublicAccessBlock(block_public_acls=True, restrict_public_buckets=True)
    assert settings.read_public_access_block(settings.public_access_block(block)) == block
    assert requests.read_create_bucket(b"").location == ""
    settings.check_acl(answers.acl(ANN), "ann")


@given(
    st.dictionaries(
        st.text("aé _.:/=+-@1", min_size=1, max_size=20), st.text("bü 2", max_size=20), max_size=10
    )
)
def test_tags_written_are_tags_read(tags: dict[str, str]):
    assert requests.read_tagging(answers.tagging(tags)) == tags


@pytest.mark.parametrize(
    "operation", [o for o in Operation if o.support is Support.FIXED], ids=lambda o: o.api_name
)
def test_every_fixed_answer_is_there(operation: Operation):
    body = {
        Operation.PUT_BUCKET_OWNERSHIP_CONTROLS: b"<OwnershipControls><Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule></OwnershipControls>",
        Operation.PUT_BUCKET_NOTIFICATION_CONFIGURATION: b"<NotificationConfiguration/>",
        Operation.PUT_BUCKET_LOGGING: b"<BucketLoggingStatus/>",
        Operation.PUT_BUCKET_REQUEST_PAYMENT: b"<RequestPaymentConfiguration><Payer>BucketOwner</Payer></RequestPaymentConfiguration>",
        Operation.PUT_BUCKET_ACCELERATE_CONFIGURATION: b"<AccelerateConfiguration><Status>Suspended</Status></AccelerateConfiguration>",
    }.get(operation, b"")
    code = ""
    try:
        status, answer = settings.fixed_answer(operation, body)
    except S3Failure as failure:
        status, answer, code = 404, b"", failure.code
    assert status in (200, 204) or code.startswith("NoSuch") or code.endswith("NotFoundError")
    if answer:
        ET.fromstring(answer)


@given(keys=st.lists(_XML, max_size=5), prefixes=st.lists(_XML, max_size=3))
def test_a_listing_reads_back_for_every_key_that_xml_holds(keys: list[str], prefixes: list[str]):
    _check_listings(keys, prefixes, encode=False, decode=str)


@given(keys=st.lists(_ANY, max_size=5), prefixes=st.lists(_ANY, max_size=3))
def test_and_for_every_key_at_all_if_encoded(keys: list[str], prefixes: list[str]):
    for decode in (unquote, unquote_plus):
        _check_listings(keys, prefixes, encode=True, decode=decode)


def _check_listings(
    keys: list[str], prefixes: list[str], *, encode: bool, decode: Callable[[str], str]
) -> None:
    page = ObjectsPage(prefix="p", delimiter="/", encode=encode)
    objects = [ListedObject(key, "e-1", 5, NOW_US, ANN, ("CRC32",), "FULL_OBJECT") for key in keys]
    versioned = [
        ListedVersion(key, "v", True, NOW_US, ANN, None if i % 2 else "e") for i, key in enumerate(keys)
    ]
    begun = [ListedUpload(key, "u", NOW_US, ANN) for key in keys]
    for raw in (
        objects_v1("b", page, objects, prefixes, more=True),
        objects_v2("b", page, objects, prefixes, next_token="t"),
        versions("b", VersionsPage(encode=encode), versioned, prefixes, next_key="k"),
        uploads("b", UploadsPage(encode=encode), begun, prefixes),
    ):
        root = ET.fromstring(raw)
        assert [decode(e.text or "") for e in root.iter(f"{S3}Key")] == keys
        shown = [decode(e.findtext(f"{S3}Prefix") or "") for e in root.iter(f"{S3}CommonPrefixes")]
        assert shown == prefixes
        assert root.findtext(f"{S3}IsTruncated") in ("true", "false")


def test_what_xml_can_not_hold_is_a_number_as_in_s3():
    raw = objects_v1("b", ObjectsPage(), [ListedObject("a\x01&\r", "e", 0, NOW_US)], [], more=False)
    assert b"<Key>a&#x1;&amp;&#xD;</Key>" in raw


def test_a_page_of_a_thousand_keys_costs_no_more_than_a_tree_of_it():
    page = [ListedObject(f"photos/{i:09d}.jpg", "0" * 32, i, NOW_US + i * 999_999) for i in range(1000)]
    best = min(_timed(lambda: objects_v2("b", ObjectsPage(), page, [], next_token="t")) for _ in range(5))
    tree = ET.fromstring(objects_v2("b", ObjectsPage(), page, [], next_token="t"))
    assert best < 2 * min(_timed(lambda: ET.tostring(tree)) for _ in range(5))


def _timed(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


def test_answers_about_one_object_hold_what_they_say():
    raw = answers.error(
        S3Failure("NoSuchKey", "gone <&>", Key="a&b"), resource="/b/a&b", request_id="1", host_id="2"
    )
    root = ET.fromstring(raw)
    assert {e.tag: e.text for e in root} == {
        "Code": "NoSuchKey", "Message": "gone <&>", "Key": "a&b", "Resource": "/b/a&b", "RequestId": "1", "HostId": "2",
    }  # fmt: skip
    gone = answers.deleted(
        [answers.DeletedObject("a", "", "m")],
        [answers.DeleteError("b", "v", S3Failure("AccessDenied"))],
        quiet=True,
    )
    assert [e.tag for e in ET.fromstring(gone)] == [f"{S3}Error"]
    told = answers.ObjectAttributes(
        "e-2", 9, {"ChecksumCRC32": "AA=="}, "COMPOSITE", [ListedPart(1, "e", 9, NOW_US)], 2
    )
    for asked in answers.ATTRIBUTES:
        names = answers.asked_attributes(asked)
        assert len(ET.fromstring(answers.object_attributes(told, names))) == 1
    for raw in (
        answers.copied_object("e", NOW_US, {"ChecksumCRC32": "AA=="}),
        answers.copied_part("e", NOW_US, {}),
        answers.begun_upload("b", "k", "u"),
        answers.completed_upload("http://b/k", "b", "k", etag="e-1", checksums={}),
        answers.posted_object("http://b/k", "b", "k", "e"),
        parts(
            "b",
            "k",
            PartsPage("u"),
            [ListedPart(1, "e", 9, NOW_US)],
            ListedUpload("k", "u", NOW_US, ANN),
            more=False,
        ),
    ):
        ET.fromstring(raw)
    assert read_document(answers.acl(ANN), "AccessControlPolicy").one("Owner") is not None
