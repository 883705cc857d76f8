"""Calls on buckets and keys: what a mapping needs beside reading and writing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from maruhub.gateway.batch.fields import Fields
from maruhub.gateway.batch.rights import Allowed, make_bucket, require
from maruhub.gateway.batch.told import event_to_json, object_to_json

if TYPE_CHECKING:
    from maruhub.api.hub import Hub

PAGE_MAX: Final = 1000


def names(hub: Hub, fields: Fields, allowed: Allowed) -> list[str]:
    """Every bucket's name."""
    fields.done()
    require(allowed, "s3:ListAllMyBuckets")
    return [bucket.name for bucket in hub.namespace.buckets.all()]


def page(hub: Hub, fields: Fields, allowed: Allowed) -> dict[str, Any]:
    """A page of a listing."""
    bucket = fields.text("bucket")
    asked = {
        "prefix": fields.text("prefix", ""),
        "delimiter": fields.maybe_text("delimiter"),
        "start_after": fields.text("start_after", ""),
    }
    limit = fields.whole("limit", PAGE_MAX, high=PAGE_MAX)
    fields.done()
    require(allowed, "s3:ListBucket", bucket)
    found = hub.namespace.listing.page(bucket, **asked, limit=limit)  # type: ignore[arg-type]
    return {
        "objects": [object_to_json(info) for info in found.objects],
        "prefixes": found.prefixes,
        "next_start_after": found.next_start_after,
    }


def stat(hub: Hub, fields: Fields, allowed: Allowed) -> list[dict[str, Any] | None]:
    """What keys hold; null for nothing."""
    bucket, keys = fields.text("bucket"), fields.texts("keys")
    fields.done()
    for key in keys:
        require(allowed, "s3:GetObject", bucket, key)
    found = hub.namespace.objects.head_many(bucket, keys)
    return [None if info is None else object_to_json(info) for info in found]


def delete(hub: Hub, fields: Fields, allowed: Allowed) -> list[bool]:
    """Deletes keys in one commit; for each whether it held something."""
    bucket, keys = fields.text("bucket"), fields.texts("keys")
    fields.done()
    for key in keys:
        require(allowed, "s3:DeleteObject", bucket, key)
    return hub.namespace.objects.delete_many(bucket, keys)


def copy(hub: Hub, fields: Fields, allowed: Allowed) -> dict[str, Any]:
    """Another key for the same bytes."""
    bucket, key = fields.text("bucket"), fields.text("key")
    to_bucket, to = fields.text("to_bucket", bucket), fields.text("to")
    fields.done()
    require(allowed, "s3:GetObject", bucket, key)
    make_bucket(hub.namespace, to_bucket, allowed, fields.owner)
    require(allowed, "s3:PutObject", to_bucket, to)
    return object_to_json(hub.namespace.objects.copy(bucket, key, to_bucket, to))


def copy_all(hub: Hub, fields: Fields, allowed: Allowed) -> int:
    """Copies everything below a prefix; how many. Rights are asked for prefix and ``*``."""
    bucket, prefix = fields.text("bucket"), fields.text("prefix")
    to_bucket, to = fields.text("to_bucket", bucket), fields.text("to")
    fields.done()
    require(allowed, "s3:ListBucket", bucket)
    require(allowed, "s3:GetObject", bucket, prefix + "*")
    make_bucket(hub.namespace, to_bucket, allowed, fields.owner)
    require(allowed, "s3:PutObject", to_bucket, to + "*")
    return hub.namespace.objects.copy_prefix(bucket, prefix, to_bucket, to)


def undelete(hub: Hub, fields: Fields, allowed: Allowed) -> dict[str, Any]:
    """Brings a hidden version of a key back."""
    bucket, key, version_id = fields.text("bucket"), fields.text("key"), fields.maybe_text("version_id")
    fields.done()
    require(allowed, "s3:PutObject", bucket, key)
    return object_to_json(hub.bucket(bucket).undelete(key, version_id))


def history(hub: Hub, fields: Fields, allowed: Allowed) -> list[dict[str, Any]]:
    """Who did what to a key."""
    bucket, key = fields.text("bucket"), fields.text("key")
    fields.done()
    require(allowed, "s3:ListBucketVersions", bucket)
    return [event_to_json(event) for event in hub.bucket(bucket).history(key)]
