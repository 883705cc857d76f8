"""CopyObject, and the source of whatever is copied."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Final

from maruhub.errors import NoSuchKey, PreconditionFailed
from maruhub.gateway.answer import Answer
from maruhub.gateway.s3.checksums import KINDS, new_sum
from maruhub.gateway.s3.conditions import Verdict, copy_conditions
from maruhub.gateway.s3.documents.answers import copied_object
from maruhub.gateway.s3.failure import S3Failure
from maruhub.gateway.s3.properties import (
    CopySource,
    Directive,
    Properties,
    directive,
    read_copy_source,
    read_properties,
)
from maruhub.gateway.s3.tags import read_tagging_header
from maruhub.gateway.service.authority import Authority
from maruhub.gateway.service.frozen import BUCKET as DATASET
from maruhub.gateway.service.listings import xml
from maruhub.gateway.service.reads import may_know, version_of
from maruhub.gateway.service.request import Request
from maruhub.gateway.service.sinks import base64_of
from maruhub.gateway.service.writes import condition_of, fields_of, headers_beside, refused
from maruhub.namespace.bucket import Versioning
from maruhub.namespace.object import ObjectInfo
from maruhub.namespace.versions import Version

_NOT_COPIED: Final = (
    "retain_until_us",
    "lock_mode",
    "lock_until_us",
    "hold",
    "acl",
    "by",
    "from",
    "checksum_kind",
)

Fields = dict[str, Any]


def copy_object(request: Request, authority: Authority) -> Answer:
    """A new version that shares the source's bytes."""
    source = read_copy_source(request.headers["x-amz-copy-source"])
    found = find_source(request, authority, source)
    bucket = authority.bucket(request.bucket)
    said = read_properties(request.headers, now_us=request.now_us)
    fields = fields_of(request, bucket, dataclasses.replace(said, tags={}, headers={}))
    retail = _retail(request, said, fields | _checksums(request, found))
    same = (source.bucket, source.key) == (request.bucket, request.key) and source.version_id is None
    if same and not fields and not _replaces(request.headers):
        raise S3Failure(
            "InvalidRequest",
            "This copy request is illegal because it is trying to copy an object to itself without changing"
            " the object's metadata, storage class, website redirect location or encryption attributes.",
        )
    conditions, condition = condition_of(request)
    try:
        info = request.names.objects.copy(
            source.bucket,
            source.key,
            request.bucket,
            request.key,
            source_version=source.version_id,
            expect_etag=found.etag,
            retail=retail,
            request=request.retry_id,
            **condition,
        )
    except PreconditionFailed as failure:
        raise refused(request, conditions, failure) from None
    headers = headers_beside(bucket, info) + source_headers(authority, source, found)
    sums = {f"Checksum{kind.upper()}": value for kind, value in info.tail.get("checksums", {}).items()}
    if sums:
        sums["ChecksumType"] = info.tail.get("checksum_type", "FULL_OBJECT")
    return xml(copied_object(info.etag, info.created_us, sums), *headers)


def _replaces(headers: Mapping[str, str]) -> bool:
    names = ("x-amz-metadata-directive", "x-amz-tagging-directive")
    return any(directive(headers, name) is Directive.REPLACE for name in names)


def _retail(request: Request, said: Properties, fields: Fields) -> Callable[[Fields], Fields]:
    """From the source's named fields to those of its copy, as the directives say."""
    replaces = directive(request.headers, "x-amz-metadata-directive") is Directive.REPLACE
    retags = directive(request.headers, "x-amz-tagging-directive") is Directive.REPLACE
    tags = read_tagging_header(request.headers.get("x-amz-tagging")) if retags else None

    def retail(tail: Fields) -> Fields:
        kept = {name: value for name, value in tail.items() if name not in _NOT_COPIED}
        if replaces:
            kept |= {"type": said.content_type, "meta": dict(said.metadata), "headers": dict(said.headers)}
        if tags is not None:
            kept["tags"] = dict(tags)
        kept |= fields
        return {name: value for name, value in kept.items() if value not in ("", {}, None)}

    return retail


def _checksums(request: Request, source: ObjectInfo) -> Fields:
    """The checksum of the copy if one is asked for: of all its bytes, which are read unless it is known."""
    kind = request.headers.get("x-amz-checksum-algorithm", "").lower()
    if not kind:
        return {}
    if kind not in KINDS:
        raise S3Failure("InvalidRequest", f"The checksum must be one of {', '.join(KINDS)}.")
    known = source.tail.get("checksums", {}).get(kind)
    if known is None or source.tail.get("checksum_type", "FULL_OBJECT") != "FULL_OBJECT":
        total = new_sum(kind)
        for piece in request.names.objects.chunks(source):
            total.update(piece)
        known = base64_of(total.digest())
    return {"checksums": {kind: known}, "checksum_type": "FULL_OBJECT", "part_sums": ""}


def source_headers(authority: Authority, source: CopySource, info: ObjectInfo) -> list[tuple[str, str]]:
    """The version that was copied, where its bucket keeps versions."""
    if authority.bucket(source.bucket).versioning is Versioning.OFF:
        return []
    return [("x-amz-copy-source-version-id", Version(info, True).s3_id)]


def find_source(request: Request, authority: Authority, source: CopySource) -> ObjectInfo:
    """The version that a copy is made of, if its conditions hold."""
    if source.bucket == DATASET:
        raise S3Failure("NotImplemented", "What a dataset's version holds can be read here, but not copied.")
    authority.bucket(source.bucket)
    if source.version_id is None:
        try:
            info = request.names.objects.head(source.bucket, source.key)
        except NoSuchKey:
            may_know(authority, source.bucket)
            raise S3Failure("NoSuchKey", Key=source.key) from None
    else:
        version = version_of(
            request, authority, bucket=source.bucket, key=source.key, version_id=source.version_id
        )
        if version.is_marker:
            raise S3Failure(
                "InvalidRequest",
                "The source of a copy request may not specifically refer to a delete marker by version id.",
            )
        info = version.info
    verdict = copy_conditions(request.headers).of_copy(info.etag, info.created_us)
    if verdict is not Verdict.GO_ON:
        raise S3Failure("PreconditionFailed")
    return info
