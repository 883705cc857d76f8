"""What can be set of a version that is there: tags, retention, legal hold, ACL."""

from __future__ import annotations

from typing import Any

from maruhub.errors import Refused
from maruhub.gateway.answer import Answer
from maruhub.gateway.need import Need
from maruhub.gateway.s3.documents import answers
from maruhub.gateway.s3.documents.requests import read_legal_hold, read_retention, read_tagging
from maruhub.gateway.s3.failure import S3Failure
from maruhub.gateway.s3.permission import BYPASS, bypasses_governance
from maruhub.gateway.service.authority import Authority
from maruhub.gateway.service.listings import owner_of, xml
from maruhub.gateway.service.reads import find_version, hold_of, retention_of, version_headers
from maruhub.gateway.service.request import Request
from maruhub.gateway.service.settings import acl_asked
from maruhub.namespace.bucket import Bucket
from maruhub.namespace.versions import Version


def _edit(request: Request, **changes: Any) -> None:
    """Replaces named fields of the version asked for; None takes one away."""
    request.names.objects.edit(
        request.bucket, request.key, lambda _info: changes, version_id=request.asked.version_id
    )


def get_object_tagging(request: Request, authority: Authority) -> Answer:
    """The tags of a version."""
    bucket, version = find_version(request, authority)
    return xml(answers.tagging(version.info.tail.get("tags", {})), *version_headers(bucket, version))


def put_object_tagging(request: Request, authority: Authority) -> Answer:
    """Replaces them; it is no new version."""
    bucket, version = find_version(request, authority)
    _edit(request, tags=read_tagging(request.body) or None)
    return Answer(200, version_headers(bucket, version))


def delete_object_tagging(request: Request, authority: Authority) -> Answer:
    """Takes them away."""
    bucket, version = find_version(request, authority)
    _edit(request, tags=None)
    return Answer(204, version_headers(bucket, version))


def _find_lockable(request: Request, authority: Authority) -> tuple[Bucket, Version]:
    """The version that is asked for, in a bucket that has object lock. Raises S3Failure."""
    bucket, version = find_version(request, authority)
    if not bucket.locks:
        raise S3Failure("InvalidRequest", "Bucket is missing Object Lock Configuration")
    return bucket, version


def get_object_retention(request: Request, authority: Authority) -> Answer:
    """Until when a version can't be deleted."""
    _, version = _find_lockable(request, authority)
    kept = retention_of(version.info)
    if kept is None:
        raise S3Failure("NoSuchObjectLockConfiguration", Key=request.key)
    return xml(answers.retention(kept))


def put_object_retention(request: Request, authority: Authority) -> Answer:
    """Sets that; to shorten it takes the right to bypass, and is never done in COMPLIANCE."""
    bucket, version = _find_lockable(request, authority)
    new = read_retention(request.body, now_us=request.now_us)
    bypass = bypasses_governance(request.headers) and authority.allows(
        Need(BYPASS, request.bucket, request.key)
    )
    mode, until = (None, None) if new is None else (new.mode.value, new.until_us)
    try:
        request.names.objects.edit(
            request.bucket,
            request.key,
            lambda _info: {"lock_mode": mode, "lock_until_us": until},
            version_id=request.asked.version_id,
            bypass_governance=bypass,
        )
    except Refused as refused:
        raise S3Failure("AccessDenied", refused.what) from None
    return Answer(200, version_headers(bucket, version))


def get_object_legal_hold(request: Request, authority: Authority) -> Answer:
    """Whether a version is held."""
    _, version = _find_lockable(request, authority)
    held = hold_of(version.info)
    if held is None:
        raise S3Failure("NoSuchObjectLockConfiguration", Key=request.key)
    return xml(answers.legal_hold(held))


def put_object_legal_hold(request: Request, authority: Authority) -> Answer:
    """Holds a version, or lets it go."""
    bucket, version = _find_lockable(request, authority)
    _edit(request, hold=read_legal_hold(request.body))
    return Answer(200, version_headers(bucket, version))


def get_object_acl(request: Request, authority: Authority) -> Answer:
    """The bucket's owner has full control: what S3 says with ACLs disabled."""
    bucket, version = find_version(request, authority)
    return xml(answers.acl(owner_of(bucket)), *version_headers(bucket, version))


def put_object_acl(request: Request, authority: Authority) -> Answer:
    """A canned ACL becomes statements beside the bucket's policy."""
    bucket, version = find_version(request, authority)
    _edit(request, acl=acl_asked(request, bucket) or None)
    return Answer(200, version_headers(bucket, version))
