"""The protocol alone, without a socket: whatever is asked is understood, or refused by name."""

from __future__ import annotations

import base64
import random
import re
import resource
import statistics
import time
import xml.etree.ElementTree as ET
from array import array
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from maruhub.errors import MaruError
from maruhub.gateway.batch.fields import parse_object
from maruhub.gateway.batch.request import parse_read
from maruhub.gateway.batch.writing import parse_write
from maruhub.gateway.s3 import cors, listing
from maruhub.gateway.s3.byte_range import read_copy_range, read_range
from maruhub.gateway.s3.checksums import Expected
from maruhub.gateway.s3.conditions import copy_conditions, read_conditions, write_conditions
from maruhub.gateway.s3.documents import answers, requests, settings
from maruhub.gateway.s3.documents.lifecycle import read_lifecycle
from maruhub.gateway.s3.metadata import metadata_headers, read_metadata
from maruhub.gateway.s3.object_lock import read_lock_headers
from maruhub.gateway.s3.operation import Operation as Op
from maruhub.gateway.s3.operation import Support
from maruhub.gateway.s3.permission import needs, policy_keys
from maruhub.gateway.s3.policies.document import read_policy
from maruhub.gateway.s3.policies.form import read_post_policy
from maruhub.gateway.s3.properties import (
    read_copy_source,
    read_part_number,
    read_properties,
    response_overrides,
)
from maruhub.gateway.s3.route import Asked, route
from maruhub.gateway.s3.signatures.chunks import Chunks
from maruhub.gateway.s3.signatures.presigned import is_presigned, verify_query
from maruhub.gateway.s3.signatures.v2 import is_link_v2, verify_link_v2
from maruhub.gateway.s3.signatures.v4 import verify_header
from maruhub.gateway.s3.tags import read_tagging_header
from maruhub.gateway.serve.heads import check_head
from maruhub.gateway.service.translation import failure_of
from tests.fuzz.drawn import HOST, KEY, NOW_S, Drawn, Requests
from tests.fuzz.mutation import mutated
from tests.fuzz.prober import COUNT, SEED

REQUESTS = 20 * COUNT
"""A release asks for a million: MARU_FUZZ_COUNT=50000."""
NOW_US = int(NOW_S * 1e6)
SIZE = 5000
GROWTH_MIB = 64
SLOWEST = 5000
"""Times the median: what some bytes cost more than others, without a blow-up. A pause of the collector fits in."""

HEADERS: tuple[Callable[[Mapping[str, str]], Any], ...] = (
    lambda h: read_copy_range(h.get("x-amz-copy-source-range"), SIZE),
    lambda h: read_conditions(h).of_read("a", NOW_US),
    lambda h: copy_conditions(h).of_copy("a", NOW_US),
    lambda h: write_conditions(h).of_write("a"),
    lambda h: metadata_headers(read_metadata(h)),
    lambda h: read_lock_headers(h, now_us=NOW_US),
    lambda h: read_properties(h, now_us=NOW_US),
    lambda h: read_tagging_header(h.get("x-amz-tagging")),
    lambda h: read_copy_source(h.get("x-amz-copy-source", "/a/b")),
    lambda h: answers.asked_attributes(h.get("x-amz-object-attributes")),
    lambda h: cors.cors_headers(RULES, "GET", h),
    lambda h: cors.preflight(RULES, h),
    Expected,
)
"""What an operation reads of its headers: here all of them, whatever the operation."""
RULES = (cors.CorsRule(("https://*.example",), ("GET",), ("x-*",), (), 9, ""),)

PAGES: dict[Op, Callable[[Asked], Any]] = {
    Op.LIST_BUCKETS: listing.buckets_page,
    Op.LIST_OBJECTS: listing.objects_v1_page,
    Op.LIST_OBJECTS_V2: listing.objects_page,
    Op.LIST_OBJECT_VERSIONS: listing.versions_page,
    Op.LIST_MULTIPART_UPLOADS: listing.uploads_page,
    Op.LIST_PARTS: listing.parts_page,
}

BODIES: tuple[Callable[[bytes], Any], ...] = (
    requests.read_complete_upload,
    requests.read_delete,
    requests.read_tagging,
    requests.read_versioning,
    requests.read_create_bucket,
    requests.read_object_lock,
    lambda body: requests.read_retention(body, now_us=NOW_US),
    requests.read_legal_hold,
    cors.read_cors,
    read_lifecycle,
    lambda body: read_policy(body, bucket="shelf"),
    lambda body: read_post_policy(base64.b64encode(body).decode()),
    settings.read_public_access_block,
    lambda body: settings.check_acl(body, "owner"),
    lambda body: parse_read(parse_object(body, "the request")),
    parse_write,
)


def secrets(access_key: str) -> str | None:
    return KEY.secret_key if access_key == KEY.access_key else None


def walk(drawn: Drawn) -> Op:
    """A request's way through the protocol, as a server takes it; what it does, or a MaruError."""
    head = drawn.head
    check_head(head, drawn.names, 16 << 10)
    asked = route(head, hosts=(HOST,))
    if "authorization" in head.by_name:
        verify_header(head, now=NOW_S, secrets=secrets)
    elif is_presigned(head):
        verify_query(head, now=NOW_S, secrets=secrets)
    elif is_link_v2(head):
        verify_link_v2(head, now=NOW_S, secrets=secrets)
    needs(asked)
    policy_keys(asked, user="ann", client_address="127.0.0.1", scheme="http", now_us=NOW_US)
    span = read_range(asked.headers.get("range"))
    if span is not None:
        offset, length = span.within(SIZE)
        assert 0 <= offset < offset + length <= SIZE
    read_part_number(asked)
    response_overrides(asked, anonymous=False)
    if asked.operation in PAGES:
        PAGES[asked.operation](asked)
    if asked.operation.support is Support.FIXED:
        settings.fixed_answer(asked.operation, drawn.body)
    return asked.operation


def refused(error: MaruError, drawn: Drawn) -> str:
    """The code with which it is refused: the client's fault, in a document that any parser reads."""
    failure = failure_of(error)
    assert failure.status < 500 or failure.code == "NotImplemented", (failure, drawn)
    document = answers.error(failure, resource=drawn.head.path[:1024], request_id="1", host_id="h")
    assert ET.fromstring(_without_references(document)).findtext("Code") == failure.code
    return failure.code


def _without_references(document: bytes) -> bytes:
    """Numeric references to what XML 1.0 can't hold, which S3 sends and strict parsers refuse."""
    return re.sub(rb"&#x?[0-9a-fA-F]+;", b"?", document)


def test_whatever_is_asked_is_understood_or_refused_by_name() -> None:
    rng = random.Random(SEED)
    requests = Requests(rng)
    told: Counter[str] = Counter()
    seconds = array("d")
    before = _rss_mib()
    for number in range(REQUESTS):
        drawn = requests.draw()
        began = time.thread_time()
        try:
            told[walk(drawn).api_name] += 1
        except MaruError as error:
            told[refused(error, drawn)] += 1
        for reads in HEADERS:
            with suppress(MaruError):
                reads(drawn.head.by_name)
        if drawn.body:
            for reads_body in BODIES:
                with suppress(MaruError):
                    reads_body(drawn.body)
        seconds.append(time.thread_time() - began)
        if number == REQUESTS // 10:
            before = _rss_mib()
    grown_mib = _rss_mib() - before  # before the median: it sorts objects, 32 bytes for each of these 8
    slowest = max(seconds) / statistics.median(seconds)
    understood = sum(count for name, count in told.items() if name in {op.api_name for op in Op})
    print(f"seed {SEED}: {REQUESTS:,} requests, {understood:,} understood, {len(told)} answers;")
    print(f"slowest {slowest:.0f} times the median, {grown_mib} MiB more after the first tenth")
    # Else they would be turned away at the door, and nothing behind it tried.
    assert REQUESTS // 5 < understood < REQUESTS * 4 // 5
    assert grown_mib < GROWTH_MIB
    assert slowest < SLOWEST


def test_chunks_of_any_bytes_are_a_body_or_refused() -> None:
    rng = random.Random(SEED)
    data = bytes(range(256))
    whole = (
        b"80\r\n"
        + data[:128]
        + b"\r\n80\r\n"
        + data[128:]
        + b"\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n"
    )
    taken = 0
    for _ in range(REQUESTS // 4):
        body = mutated(rng, whole)
        chunks = Chunks(len(data), signer=None, with_trailer=True)
        cut = rng.randrange(len(body) + 1)
        with suppress(MaruError):
            got = b"".join(bytes(piece) for part in (body[:cut], body[cut:]) for piece in chunks.feed(part))
            chunks.finish()
            taken += 1
            assert len(got) == len(data)
    assert 0 < taken < REQUESTS // 4


def _rss_mib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
