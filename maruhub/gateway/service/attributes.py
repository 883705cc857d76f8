"""GetObjectAttributes: what an object is, without its bytes and its users' own fields."""

from __future__ import annotations

from maruhub.gateway.answer import Answer
from maruhub.gateway.s3.conditions import to_http_date
from maruhub.gateway.s3.documents.answers import ObjectAttributes, asked_attributes, object_attributes
from maruhub.gateway.s3.documents.listings import ListedPart
from maruhub.gateway.s3.listing import whole_number
from maruhub.gateway.service.authority import Authority
from maruhub.gateway.service.reads import element_of, find_version, part_sums, version_headers
from maruhub.gateway.service.request import Request
from maruhub.namespace.part import unpack_sizes


def get_object_attributes(request: Request, authority: Authority) -> Answer:
    """What is asked of an object's ETag, checksums, parts, size."""
    asked = asked_attributes(request.headers.get("x-amz-object-attributes"))
    bucket, version = find_version(request, authority)
    info = version.info
    sums = info.tail.get("checksums", {})
    sizes = unpack_sizes(info.tail.get("parts", ()))
    after = whole_number(request.headers, "x-amz-part-number-marker", 0)
    limit = min(whole_number(request.headers, "x-amz-max-parts", 1000), 1000)
    page = sizes[after : after + limit]
    listed = part_sums(info)[after : after + limit] or [()] * len(page)
    parts = [
        ListedPart(number, "", size, 0, each)
        for number, (size, each) in enumerate(zip(page, listed, strict=True), after + 1)
    ]
    told = ObjectAttributes(
        etag=info.etag,
        size_bytes=info.size,
        checksums={element_of(kind): value for kind, value in sums.items()},
        checksum_type=info.tail.get("checksum_type", "FULL_OBJECT") if sums else "",
        parts=parts if sums else [],
        total_parts=len(sizes) or info.head.parts,
        part_marker=after,
        max_parts=limit,
        more_parts=after + len(page) < len(sizes),
    )
    headers = [("content-type", "application/xml"), ("last-modified", to_http_date(info.created_us))]
    return Answer(200, headers + version_headers(bucket, version), object_attributes(told, asked))
