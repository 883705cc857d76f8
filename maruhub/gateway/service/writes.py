"""What every write of an object says, asks on condition, and answers."""

from __future__ import annotations

from typing import Any

from maruhub.errors import NoSuchKey, PreconditionFailed
from maruhub.gateway.s3.conditions import Conditions, write_conditions
from maruhub.gateway.s3.failure import S3Failure
from maruhub.gateway.s3.properties import (
    Properties,
)
from maruhub.gateway.service.expiring import expiration_headers
from maruhub.gateway.service.reads import checksum_headers
from maruhub.gateway.service.request import Request
from maruhub.gateway.service.settings import refuse_public_acl
from maruhub.namespace.bucket import Bucket, Versioning
from maruhub.namespace.object import ObjectInfo
from maruhub.namespace.versions import Version


def fields_of(request: Request, bucket: Bucket, said: Properties) -> dict[str, Any]:
    """The named fields of an object that a write makes.

    Raises:
        S3Failure: ``InvalidRequest`` for a lock in a bucket without object lock.
    """
    fields: dict[str, Any] = {}
    for name, value in (("headers", said.headers), ("tags", said.tags)):
        if value:
            fields[name] = dict(value)
    if said.acl and said.acl != "private":
        refuse_public_acl(bucket, said.acl)
        fields["acl"] = said.acl
    lock = said.lock
    if (lock.retention is not None or lock.legal_hold is not None) and not bucket.locks:
        raise S3Failure("InvalidRequest", "Bucket is missing Object Lock Configuration")
    if lock.retention is not None:
        fields |= {"lock_mode": lock.retention.mode.value, "lock_until_us": lock.retention.until_us}
    if lock.legal_hold is not None:
        fields["hold"] = lock.legal_hold
    return fields


def condition_of(request: Request) -> tuple[Conditions, dict[str, Any]]:
    """The conditions of a write, and how the namespace takes them."""
    given = write_conditions(request.headers)
    if len(given.match) > 1:
        raise S3Failure("NotImplemented", "A write takes one ETag in If-Match.", Header="If-Match")
    if not given:
        return given, {}
    return given, {
        "if_match": given.match[0] if given.match else None,
        "if_none_match": bool(given.none_match),
    }


def refused(request: Request, conditions: Conditions, failure: PreconditionFailed) -> S3Failure:
    """What S3 says of a condition that failed: with If-Match where nothing is, that there is nothing."""
    if conditions.match:
        try:
            request.names.objects.head(request.bucket, request.key)
        except NoSuchKey:
            return S3Failure("NoSuchKey", Key=request.key)
    name = "If-Match" if conditions.match else "If-None-Match"
    return S3Failure("PreconditionFailed", failure.what, Condition=name)


def written_headers(bucket: Bucket, info: ObjectInfo) -> list[tuple[str, str]]:
    """What every write answers: ETag, checksums, when it expires, version."""
    headers = [("etag", f'"{info.etag}"'), *checksum_headers(info), *expiration_headers(bucket, info)]
    if bucket.versioning is not Versioning.OFF:
        headers.append(("x-amz-version-id", Version(info, True).s3_id))
    return headers


def headers_beside(bucket: Bucket, info: ObjectInfo) -> list[tuple[str, str]]:
    """Of :func:`written_headers` those that an answer has whose document says the rest."""
    return [h for h in written_headers(bucket, info) if h[0] in ("x-amz-version-id", "x-amz-expiration")]
