"""Settings of buckets: tags, policy, CORS, lifecycle, object lock, public access, ACL."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple
from typing import Any

from maruhub.errors import Refused
from maruhub.gateway.answer import Answer
from maruhub.gateway.s3.cors import read_cors
from maruhub.gateway.s3.documents import answers, settings
from maruhub.gateway.s3.documents.lifecycle import read_lifecycle, write_lifecycle
from maruhub.gateway.s3.documents.requests import read_object_lock, read_tagging
from maruhub.gateway.s3.documents.settings import PublicAccessBlock
from maruhub.gateway.s3.failure import S3Failure
from maruhub.gateway.s3.object_lock import DefaultRetention, LockMode
from maruhub.gateway.s3.permission import canned_acl_statements
from maruhub.gateway.s3.policies.document import read_policy
from maruhub.gateway.s3.properties import canned_acl
from maruhub.gateway.service.authority import Authority
from maruhub.gateway.service.listings import owner_of, xml
from maruhub.gateway.service.request import Request
from maruhub.namespace.bucket import Bucket
from maruhub.namespace.lifecycle import rules_from_json, rules_to_json

_TAGS_MAX = 50
_BLOCKS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


def _set(request: Request, name: str, value: Any) -> None:
    """Keeps a named field of the bucket; None takes it away."""
    request.names.buckets.edit(request.bucket, lambda _bucket: {name: value})


def _get(request: Request, authority: Authority, name: str, code: str) -> Any:
    value = authority.bucket(request.bucket).tail.get(name)
    if value is None:
        raise S3Failure(code, BucketName=request.bucket)
    return value


def _deleting(name: str) -> Callable[[Request, Authority], Answer]:
    def delete(request: Request, authority: Authority) -> Answer:
        authority.bucket(request.bucket)
        _set(request, name, None)
        return Answer(204, [])

    delete.__doc__ = f"Takes the bucket's setting ``{name}`` away; no error if there is none."
    return delete


def get_bucket_tagging(request: Request, authority: Authority) -> Answer:
    """The bucket's tags."""
    return xml(answers.tagging(_get(request, authority, "tags", "NoSuchTagSet")))


def put_bucket_tagging(request: Request, authority: Authority) -> Answer:
    """Replaces them."""
    authority.bucket(request.bucket)
    _set(request, "tags", read_tagging(request.body, most=_TAGS_MAX))
    return Answer(204, [])


delete_bucket_tagging = _deleting("tags")


def get_bucket_policy(request: Request, authority: Authority) -> Answer:
    """The document as it was put."""
    text = _get(request, authority, "policy", "NoSuchBucketPolicy")
    return Answer(200, [("content-type", "application/json")], text.encode())


def put_bucket_policy(request: Request, authority: Authority) -> Answer:
    """Replaces the policy, if it is understood whole."""
    bucket = authority.bucket(request.bucket)
    policy = read_policy(request.body, bucket=request.bucket)
    if policy.is_public and bucket.tail.get("public_access", {}).get("BlockPublicPolicy"):
        raise S3Failure("AccessDenied", "Public policies are blocked by the bucket's public access block.")
    _set(request, "policy", policy.text)
    return Answer(204, [])


delete_bucket_policy = _deleting("policy")


def get_bucket_policy_status(request: Request, authority: Authority) -> Answer:
    """Whether the policy lets everyone in."""
    text = _get(request, authority, "policy", "NoSuchBucketPolicy")
    policy = read_policy(text.encode(), bucket=request.bucket, kept=True)
    return xml(settings.policy_status(policy.is_public))


def get_bucket_cors(request: Request, authority: Authority) -> Answer:
    """The rules as they were put."""
    return xml(_get(request, authority, "cors", "NoSuchCORSConfiguration").encode())


def put_bucket_cors(request: Request, authority: Authority) -> Answer:
    """Replaces them."""
    authority.bucket(request.bucket)
    read_cors(request.body)
    _set(request, "cors", request.body.decode())
    return Answer(200, [])


delete_bucket_cors = _deleting("cors")


def get_bucket_lifecycle(request: Request, authority: Authority) -> Answer:
    """The rules by which objects expire."""
    kept = _get(request, authority, "lifecycle", "NoSuchLifecycleConfiguration")
    return xml(write_lifecycle(rules_from_json(kept)))


def put_bucket_lifecycle(request: Request, authority: Authority) -> Answer:
    """Replaces them."""
    authority.bucket(request.bucket)
    _set(request, "lifecycle", rules_to_json(read_lifecycle(request.body)))
    return Answer(200, [])


delete_bucket_lifecycle = _deleting("lifecycle")


def get_object_lock(request: Request, authority: Authority) -> Answer:
    """The default retention of a bucket with object lock."""
    bucket = authority.bucket(request.bucket)
    if not bucket.locks:
        raise S3Failure("ObjectLockConfigurationNotFoundError", BucketName=request.bucket)
    return xml(settings.object_lock(default_of(bucket)))


def default_of(bucket: Bucket) -> DefaultRetention | None:
    """The retention that a bucket gives new versions."""
    lock = bucket.tail.get("lock") or {}
    if "mode" not in lock:
        return None
    return DefaultRetention(LockMode(lock["mode"]), int(lock.get("days", 0)), int(lock.get("years", 0)))


def put_object_lock(request: Request, authority: Authority) -> Answer:
    """Gives new versions a default retention, or none; turns object lock on where versions are kept."""
    bucket = authority.bucket(request.bucket)
    default = read_object_lock(request.body)
    if not bucket.locks and bucket.versioning.value != "enabled":
        raise S3Failure(
            "InvalidBucketState",
            "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration",
        )
    lock = (
        {} if default is None else {"mode": default.mode.value, "days": default.days, "years": default.years}
    )
    try:
        _set(request, "lock", lock)
    except Refused as refused:
        raise S3Failure("InvalidBucketState", refused.what) from None
    return Answer(200, [])


def get_public_access_block(request: Request, authority: Authority) -> Answer:
    """What public access is blocked."""
    given = _get(request, authority, "public_access", "NoSuchPublicAccessBlockConfiguration")
    return xml(settings.public_access_block(PublicAccessBlock(*(bool(given.get(name)) for name in _BLOCKS))))


def put_public_access_block(request: Request, authority: Authority) -> Answer:
    """Replaces that."""
    authority.bucket(request.bucket)
    block = settings.read_public_access_block(request.body)
    values = astuple(block)
    _set(request, "public_access", dict(zip(_BLOCKS, values, strict=True)))
    return Answer(200, [])


delete_public_access_block = _deleting("public_access")


def get_bucket_acl(request: Request, authority: Authority) -> Answer:
    """The owner has full control: what S3 says with ACLs disabled."""
    return xml(answers.acl(owner_of(authority.bucket(request.bucket))))


def put_bucket_acl(request: Request, authority: Authority) -> Answer:
    """A canned ACL becomes statements beside the bucket's policy; a document may only say what is so."""
    bucket = authority.bucket(request.bucket)
    acl = acl_asked(request, bucket)
    _set(request, "acl", acl or None)
    return Answer(200, [])


def acl_asked(request: Request, bucket: Bucket) -> str:
    """The canned ACL that a put of an ACL asks for; empty for private. Raises S3Failure."""
    acl = canned_acl(request.headers)
    if not acl:
        if not request.body:
            raise S3Failure("MissingRequestBodyError")
        settings.check_acl(request.body, owner_of(bucket).id)
    refuse_public_acl(bucket, acl)
    return "" if acl == "private" else acl


def refuse_public_acl(bucket: Bucket, acl: str) -> None:
    """Nothing, unless the ACL is public and the bucket blocks that. Raises: S3Failure."""
    public = acl != "" and bool(canned_acl_statements(acl, bucket.name))
    if public and bucket.tail.get("public_access", {}).get("BlockPublicAcls"):
        raise S3Failure("AccessDenied", "Public ACLs are blocked by the bucket's public access block.")


def fixed(request: Request, authority: Authority) -> Answer:
    """What S3 says of a bucket that was never given that setting."""
    authority.bucket(request.bucket)
    status, body = settings.fixed_answer(request.asked.operation, request.body)
    return xml(body, status=status) if body else Answer(status, [])
