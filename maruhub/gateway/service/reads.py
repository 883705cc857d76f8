"""GetObject, HeadObject: what an object is, and its bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from maruhub.errors import NoSuchVersion
from maruhub.gateway.answer import Answer
from maruhub.gateway.need import Need
from maruhub.gateway.s3.byte_range import content_range
from maruhub.gateway.s3.checksums import unpack_sums
from maruhub.gateway.s3.conditions import Verdict, read_conditions, to_http_date
from maruhub.gateway.s3.failure import S3Failure
from maruhub.gateway.s3.object_lock import LockMode, Retention, lock_headers
from maruhub.gateway.s3.operation import HEAD
from maruhub.gateway.s3.permission import of_version
from maruhub.gateway.s3.properties import (
    DEFAULT_TYPE,
    Properties,
    property_headers,
    read_part_number,
    response_overrides,
    wants_checksums,
)
from maruhub.gateway.s3.span import span_asked
from maruhub.gateway.service.authority import Authority
from maruhub.gateway.service.expiring import expiration_headers
from maruhub.gateway.service.pieces import ObjectPieces
from maruhub.gateway.service.request import Request, Unready
from maruhub.namespace.bucket import Bucket, Versioning
from maruhub.namespace.deleting import NULL
from maruhub.namespace.object import ObjectInfo
from maruhub.namespace.part import unpack_sizes
from maruhub.namespace.versions import Version

_OFF: Final = Versioning.OFF
_SMALL_BYTES: Final = 1 << 20
_VERSION_ID_DIGITS: Final = 16
# What a read tells beside the bytes only to whoever has the right to ask for it.
_OWN_RIGHTS: Final = {
    "tags": "s3:GetObjectTagging",
    "lock_mode": "s3:GetObjectRetention",
    "hold": "s3:GetObjectLegalHold",
}
Headers = list[tuple[str, str]]
Fields = Mapping[str, Any]
Body = bytes | bytearray | ObjectPieces


def get_object(request: Request, authority: Authority) -> Answer:
    """The bytes of an object, or of a range or a part of it."""
    return _read(request, authority, with_body=True)


def head_object(request: Request, authority: Authority) -> Answer:
    """The same answer without the bytes."""
    return _read(request, authority, with_body=False)


def part_sums(info: ObjectInfo) -> list[tuple[tuple[str, str], ...]]:
    """Element and value of the checksum of each part; nothing where only that of the whole is kept."""
    packed = info.tail.get("part_sums")
    if not packed:
        return []
    kind = next(iter(info.tail["checksums"]))
    return [((element_of(kind), value),) for value in unpack_sums(kind, packed)]


def element_of(kind: str) -> str:
    """The element of a document that holds a checksum of this kind."""
    return f"Checksum{kind.upper()}"


def _read(request: Request, authority: Authority, *, with_body: bool) -> Answer:
    asked = request.asked
    overrides = response_overrides(asked, anonymous=request.caller.anonymous)
    bucket, version = find_version(request, authority)
    info = version.info
    common: Headers = [
        ("etag", f'"{info.etag}"'),
        ("last-modified", to_http_date(info.created_us)),
        *version_headers(bucket, version),
    ]
    if not _is_news(request, info):
        return Answer(304, common + _caching(info))
    span = _span(request, info)
    offset, length = (0, info.size) if span is None else span
    headers = common
    headers += _describing(_told(request, authority, info.tail), overrides)
    if version.is_latest:
        headers += expiration_headers(bucket, info)
    headers += (("accept-ranges", "bytes"), ("content-length", str(length)))
    # A part may have no bytes; no range is empty.
    partly = span is not None and length > 0
    if partly:
        headers.append(("content-range", content_range(offset, length, info.size)))
    if wants_checksums(asked.headers):
        headers += _checksums_of(request, info, whole=length == info.size)
    if "partNumber" in asked.parameters and info.head.parts:
        headers.append(("x-amz-mp-parts-count", str(info.head.parts)))
    body = _body(request, info, offset, length) if with_body else b""
    return Answer(206 if partly else 200, headers, body)


def _is_news(request: Request, info: ObjectInfo) -> bool:
    """Whether the client hasn't got it yet, as its conditions say. Raises: S3Failure: ``PreconditionFailed``."""
    conditions = read_conditions(request.asked.headers)
    if not conditions:
        return True
    verdict = conditions.of_read(info.etag, info.created_us)
    if verdict is Verdict.FAILED:
        raise S3Failure("PreconditionFailed", Condition=conditions.failing)
    return verdict is not Verdict.NOT_MODIFIED


def _span(request: Request, info: ObjectInfo) -> tuple[int, int] | None:
    asked = request.asked
    if "range" not in asked.headers and "partNumber" not in asked.parameters:
        return None
    return span_asked(
        asked,
        info.size,
        etag=info.etag,
        modified_us=info.created_us,
        part_sizes=lambda: unpack_sizes(info.tail.get("parts", ())),
    )


def _caching(info: ObjectInfo) -> Headers:
    """How long a cache may go on giving it out, which a 304 says anew (RFC 9110, 15.4.5)."""
    kept = info.tail.get("headers", {})
    return [(name, kept[name]) for name in ("cache-control", "expires") if name in kept]


def _checksums_of(request: Request, info: ObjectInfo, *, whole: bool) -> Headers:
    """The checksum of what is sent: of the object, or of the part asked for."""
    if whole:
        return checksum_headers(info)
    number = read_part_number(request.asked)
    sums = part_sums(info) if number is not None else []
    if number is None or not sums:
        return []
    ((element, value),) = sums[number - 1]
    name = element.removeprefix("Checksum").lower()
    return [(f"x-amz-checksum-{name}", value), ("x-amz-checksum-type", "COMPOSITE")]


def _told(request: Request, authority: Authority, tail: Fields) -> Fields:
    """The fields of a version without those that the caller may not ask for by themselves either."""
    if not tail:
        return tail
    hidden = [n for n, right in _OWN_RIGHTS.items() if n in tail and not _may(request, authority, right)]
    return {name: value for name, value in tail.items() if name not in hidden} if hidden else tail


def _may(request: Request, authority: Authority, action: str) -> bool:
    version = request.asked.version_id
    return authority.allows(Need(of_version(action, version), request.bucket, request.key, version))


def _describing(tail: Fields, overrides: dict[str, str]) -> Headers:
    if not tail and not overrides:
        return [("content-type", DEFAULT_TYPE)]
    properties = Properties(
        content_type=tail.get("type", ""),
        headers=tail.get("headers", {}),
        metadata=tail.get("meta", {}),
        tags=tail.get("tags", {}),
    )
    return property_headers(properties, overrides) + lock_headers(_retention(tail), _hold(tail))


def retention_of(info: ObjectInfo) -> Retention | None:
    """The retention of a version as S3 shows it."""
    return _retention(info.tail)


def hold_of(info: ObjectInfo) -> bool | None:
    """Whether a version is held; None if nothing was ever said."""
    return _hold(info.tail)


def _retention(tail: Fields) -> Retention | None:
    mode = tail.get("lock_mode")
    return Retention(LockMode(mode), int(tail.get("lock_until_us", 0))) if mode else None


def _hold(tail: Fields) -> bool | None:
    held = tail.get("hold")
    return None if held is None else bool(held)


def checksum_headers(info: ObjectInfo) -> Headers:
    """The checksums kept with a version."""
    sums = info.tail.get("checksums", {})
    headers = [(f"x-amz-checksum-{kind}", value) for kind, value in sums.items()]
    return [*headers, ("x-amz-checksum-type", info.tail.get("checksum_type", "FULL_OBJECT"))] if sums else []


def version_headers(bucket: Bucket, version: Version) -> Headers:
    """The id of a version, where its bucket keeps them."""
    return [] if bucket.versioning is _OFF else [("x-amz-version-id", version.s3_id)]


def find_version(request: Request, authority: Authority) -> tuple[Bucket, Version]:
    """The version that a request is about.

    Raises:
        S3Failure: ``NoSuchKey``, ``MethodNotAllowed`` for a marker; ``AccessDenied`` where the caller
            may not know that there is none.
    """
    wanted = request.asked.version_id
    if wanted is None:
        bucket, info = authority.current()
        if info is None:
            raise _missing(request, authority, bucket)
        return bucket, Version(info, True)
    bucket = authority.bucket(request.bucket)
    version = version_of(request, authority, bucket=request.bucket, key=request.key, version_id=wanted)
    if version.is_marker:
        raise S3Failure("MethodNotAllowed", Method=request.head.method, ResourceType="DeleteMarker").answered(
            ("x-amz-delete-marker", "true"),
            ("x-amz-version-id", version.s3_id),
            ("allow", "DELETE"),
            ("last-modified", to_http_date(version.info.created_us)),
        )
    return bucket, version


def version_of(request: Request, authority: Authority, *, bucket: str, key: str, version_id: str) -> Version:
    """A version by its id; a marker too. Raises S3Failure, NoSuchVersion."""
    check_version_id(version_id)
    try:
        return request.names.versions.head(bucket, key, version_id)
    except NoSuchVersion:
        may_know(authority, bucket)
        raise


def may_know(authority: Authority, bucket: str) -> None:
    """Nothing, if the caller may know that something is not there. Raises: S3Failure: ``AccessDenied``."""
    if not authority.allows(Need("s3:ListBucket", bucket)):
        raise S3Failure("AccessDenied")


def check_version_id(wanted: str) -> None:
    """Nothing, if it may be the id of a version. Raises: S3Failure: ``InvalidArgument``."""
    hexadecimal = len(wanted) == _VERSION_ID_DIGITS and set(wanted) <= set("0123456789abcdef")
    if wanted != NULL and not hexadecimal:
        raise S3Failure(
            "InvalidArgument",
            "Invalid version id specified",
            ArgumentName="versionId",
            ArgumentValue=wanted[:256],
        )


def _missing(request: Request, authority: Authority, bucket: Bucket) -> S3Failure:
    may_know(authority, request.bucket)
    failure = S3Failure("NoSuchKey", Key=request.key)
    if bucket.versioning is _OFF:
        return failure
    marker = request.names.versions.marker(request.bucket, request.key)
    if marker is None:
        return failure
    return failure.answered(("x-amz-delete-marker", "true"), ("x-amz-version-id", marker.s3_id))


def _body(request: Request, info: ObjectInfo, offset: int, length: int) -> Body:
    if request.asked.operation is HEAD or not length:
        return b""
    extent = info.only_extent if length == info.size and request.at_once is not None else None
    if extent is not None and request.at_once is not None:
        whole = request.at_once(extent, None)
        if whole is None:
            raise Unready
        return whole
    pieces = ObjectPieces(request.names.objects, info, offset, length, at_once=request.at_once)
    if length > _SMALL_BYTES:
        return pieces
    if request.at_once is None:
        return b"".join(pieces)
    small = bytearray()
    while len(small) < length:
        piece = pieces.at_once()
        if piece is None:
            raise Unready
        small += piece
    return small
