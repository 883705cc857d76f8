"""Buckets: made, removed, looked at; where they are, and whether they keep versions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from maruhub.errors import AlreadyExists, InvalidName, Refused
from maruhub.gateway.answer import Answer
from maruhub.gateway.need import Need
from maruhub.gateway.s3.documents import settings
from maruhub.gateway.s3.documents.requests import read_create_bucket, read_versioning
from maruhub.gateway.s3.failure import S3Failure
from maruhub.gateway.s3.properties import canned_acl
from maruhub.gateway.service.authority import Authority, bad_bucket_name
from maruhub.gateway.service.listings import REGION, region_of, xml
from maruhub.gateway.service.request import Request
from maruhub.gateway.service.settings import refuse_public_acl
from maruhub.namespace.bucket import Versioning

_REGION = re.compile(r"[a-z]{2,3}(-[a-z]{1,16}){1,3}-[0-9]{1,2}", re.ASCII)
_LOCK = "x-amz-bucket-object-lock-enabled"


def create_bucket(request: Request, authority: Authority) -> Answer:
    """Makes a bucket of the caller's.

    Again by its owner it is no error and resets the ACL, as in S3's first region; one that names
    another region, or asks for object lock, is told that it is there.
    """
    new = read_create_bucket(request.body)
    ownership = request.headers.get("x-amz-object-ownership", "BucketOwnerEnforced")
    if ownership not in ("BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"):
        raise S3Failure(
            "InvalidArgument", ArgumentName="x-amz-object-ownership", ArgumentValue=ownership[:64]
        )
    fields: dict[str, Any] = {}
    if acl := canned_acl(request.headers):
        fields["acl"] = acl
    if new.tags:
        fields["tags"] = dict(new.tags)
    if request.headers.get(_LOCK, "").lower() == "true":
        fields["lock"] = {}
    for action in _rights_beside(fields):
        authority.require_of_new(Need(action, request.bucket))
    if new.location not in ("", REGION):
        _check_region(request, new.location)
        fields["region"] = new.location
    try:
        request.names.buckets.create(request.bucket, owner=request.caller.user, fields=fields)
    except InvalidName as wrong:
        raise bad_bucket_name(request.bucket, wrong) from None
    except AlreadyExists:
        _recreate(request, authority, fields)
    return Answer(200, [("location", f"/{request.bucket}")])


def _rights_beside(fields: Mapping[str, Any]) -> Iterator[str]:
    """What it takes to set fields of a bucket, beside the right to make one."""
    if fields.get("acl", "private") != "private":
        yield "s3:PutBucketAcl"
    if "lock" in fields:
        yield from ("s3:PutBucketObjectLockConfiguration", "s3:PutBucketVersioning")
    if "tags" in fields:
        yield "s3:PutBucketTagging"


def _recreate(request: Request, authority: Authority, fields: dict[str, Any]) -> None:
    bucket = authority.bucket(request.bucket)
    if not authority.owns(bucket):
        raise S3Failure("BucketAlreadyExists", BucketName=request.bucket)
    if "region" in fields or ("lock" in fields and not bucket.locks):
        raise S3Failure("BucketAlreadyOwnedByYou", BucketName=request.bucket)
    acl = fields.get("acl")
    if bucket.owner == request.caller.user and acl != bucket.tail.get("acl"):
        # As much as to put an ACL, so it takes that.
        authority.require(Need("s3:PutBucketAcl", request.bucket))
        refuse_public_acl(bucket, acl or "")
        request.names.buckets.edit(request.bucket, lambda _bucket: {"acl": acl})


def _check_region(request: Request, region: str) -> None:
    """Nothing, if it looks like a region of AWS, or is the one that the request is signed for."""
    signed_for = f"/{region}/s3/aws4_request" in request.headers.get("authorization", "")
    if not (signed_for or region == "EU" or _REGION.fullmatch(region)):
        raise S3Failure("InvalidLocationConstraint", LocationConstraint=region[:64])


def delete_bucket(request: Request, authority: Authority) -> Answer:
    """Hides an empty bucket; it can be brought back until its delay is over."""
    authority.bucket(request.bucket)
    request.names.buckets.delete(request.bucket)
    return Answer(204, [])


def head_bucket(request: Request, authority: Authority) -> Answer:
    """Whether it is there, and the caller may list it."""
    region = region_of(authority.bucket(request.bucket))
    return Answer(200, [("x-amz-bucket-region", region), ("content-type", "application/xml")])


def get_bucket_location(request: Request, authority: Authority) -> Answer:
    """Where it was asked to be; else S3's first region."""
    return xml(settings.location(region_of(authority.bucket(request.bucket))))


def get_bucket_versioning(request: Request, authority: Authority) -> Answer:
    """Enabled, suspended, or never set."""
    state = authority.bucket(request.bucket).versioning
    return xml(settings.versioning(None if state is Versioning.OFF else state is Versioning.ENABLED))


def put_bucket_versioning(request: Request, authority: Authority) -> Answer:
    """Keeps versions from now on, or suspends that."""
    authority.bucket(request.bucket)
    state = Versioning.ENABLED if read_versioning(request.body) else Versioning.SUSPENDED
    try:
        request.names.buckets.set_versioning(request.bucket, state)
    except Refused as refused:
        raise S3Failure("InvalidBucketState", refused.what) from None
    return Answer(200, [])
