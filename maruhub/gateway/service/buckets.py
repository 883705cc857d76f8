"""Buckets: made, removed, looked at; where they are, and whether they keep versions."""

from __future__ import annotations

from typing import Any

from maruhub.errors import AlreadyExists, Refused
from maruhub.gateway.answer import Answer
from maruhub.gateway.s3 import settings
from maruhub.gateway.s3.documents import read_create_bucket, read_versioning
from maruhub.gateway.s3.failure import S3Failure
from maruhub.gateway.s3.properties import canned_acl
from maruhub.gateway.service.authority import Authority
from maruhub.gateway.service.listings import xml
from maruhub.gateway.service.request import Request
from maruhub.namespace.bucket import Versioning

_LOCK = "x-amz-bucket-object-lock-enabled"


def create_bucket(request: Request, authority: Authority) -> Answer:
    """Makes a bucket of the caller's. Again by its owner it is an error of its own, which clients know."""
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
    location = ("location", f"/{request.bucket}")
    try:
        request.names.buckets.create(request.bucket, owner=request.caller.user, fields=fields)
    except AlreadyExists:
        if not authority.owns(authority.bucket(request.bucket)):
            raise S3Failure("BucketAlreadyExists", BucketName=request.bucket) from None
        raise S3Failure("BucketAlreadyOwnedByYou", BucketName=request.bucket) from None
    return Answer(200, [location])


def delete_bucket(request: Request, authority: Authority) -> Answer:
    """Hides an empty bucket; it can be brought back until its delay is over."""
    authority.bucket(request.bucket)
    request.names.buckets.delete(request.bucket)
    return Answer(204, [])


def head_bucket(request: Request, authority: Authority) -> Answer:
    """Whether it is there, and the caller may list it."""
    authority.bucket(request.bucket)
    return Answer(200, [("x-amz-bucket-region", "us-east-1"), ("content-type", "application/xml")])


def get_bucket_location(request: Request, authority: Authority) -> Answer:
    """One place there is: S3's first region."""
    authority.bucket(request.bucket)
    return xml(settings.location("us-east-1"))


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
