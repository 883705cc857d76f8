"""Calls on buckets and keys: what a mapping needs beside reading and writing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from maruhub import argument
from maruhub.errors import Corrupt, InvalidInput
from maruhub.gateway.batch.fields import I63_MAX, Fields
from maruhub.gateway.batch.rights import Allowed, make_bucket, refusal, require
from maruhub.gateway.batch.told import event_to_json, moment, object_to_json
from maruhub.gateway.need import ADMIN, Need
from maruhub.ingest import Report, Reports
from maruhub.ingest.destination import Update, update_all

if TYPE_CHECKING:
    from maruhub.api.hub import Hub

PAGE_MAX: Final = 1000


def names(hub: Hub, fields: Fields, allowed: Allowed) -> list[str]:
    """The names of the buckets that the caller may list."""
    fields.done()
    require(allowed, "s3:ListAllMyBuckets")
    everything = [bucket.name for bucket in hub.namespace.buckets.all()]
    return [name for name in everything if allowed(Need("s3:ListBucket", name))]


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
    told = {"s3:prefix": asked["prefix"], "s3:delimiter": asked["delimiter"], "s3:max-keys": str(limit)}
    parameters = tuple((name, value) for name, value in told.items() if value)
    need = Need("s3:ListBucket", bucket, parameters=parameters)
    if not allowed(need):
        raise refusal(need)
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
    """Copies everything below a prefix, if each of it may be copied; how many."""
    bucket, prefix = fields.text("bucket"), fields.text("prefix")
    to_bucket, to = fields.text("to_bucket", bucket), fields.text("to")
    fields.done()
    require(allowed, "s3:ListBucket", bucket)
    make_bucket(hub.namespace, to_bucket, allowed, fields.owner)

    # By each key: whoever denies a few of them says nothing of a prefix.
    def check(key: str, new: str) -> None:
        require(allowed, "s3:GetObject", bucket, key)
        require(allowed, "s3:PutObject", to_bucket, new)

    return hub.namespace.objects.copy_prefix(bucket, prefix, to_bucket, to, check=check)


def undelete(hub: Hub, fields: Fields, allowed: Allowed) -> dict[str, Any]:
    """Brings a hidden version of a key back."""
    bucket, key, version_id = fields.text("bucket"), fields.text("key"), fields.maybe_text("version_id")
    fields.done()
    # What it was is told, and whoever may only write has not seen it.
    for action in ("s3:GetObject", "s3:PutObject"):
        require(allowed, action, bucket, key)
    return object_to_json(hub.bucket(bucket).undelete(key, version_id))


def create(hub: Hub, fields: Fields, allowed: Allowed) -> None:
    """Makes a bucket that is not there."""
    bucket = fields.text("bucket")
    fields.done()
    make_bucket(hub.namespace, bucket, allowed, fields.owner)


def update(hub: Hub, fields: Fields, allowed: Allowed) -> list[dict[str, Any]]:
    """Other metadata or another time for what keys hold, in one commit."""
    bucket, updates = fields.text("bucket"), [_update(each) for each in fields.items("updates")]
    fields.done()
    for each in updates:
        require(allowed, "s3:GetObject", bucket, each.key)
        require(allowed, "s3:PutObject", bucket, each.key)
    return [object_to_json(info) for info in update_all(hub.namespace, bucket, updates)]


def _update(value: object) -> Update:
    told = Fields(value, "an entry of updates")
    key, metadata = told.text("key"), argument.mapping("metadata", told.take("metadata", {}))
    made = Update(key, metadata, told.maybe_whole("mtime_ns", high=I63_MAX), told.maybe_text("if_match"))
    told.done()
    return made


def keep_report(hub: Hub, fields: Fields, allowed: Allowed) -> None:
    """Keeps the report of an ingest into a bucket."""
    bucket, told = fields.text("bucket"), fields.take("report")
    fields.done()
    try:
        report = Report.from_json(json.dumps(told))
    except Corrupt as wrong:
        raise InvalidInput(f"this is no report of an ingest: {wrong.what}") from None
    if report.bucket != bucket:
        raise InvalidInput("the report is of an ingest into another bucket.")
    require(allowed, "s3:PutObject", bucket, f"{report.prefix}*")
    Reports(hub.namespace).keep(report)


def retain(hub: Hub, fields: Fields, allowed: Allowed) -> str | None:
    """Lets nothing in a bucket be removed for good before a date; which."""
    require(allowed, ADMIN)
    bucket = hub.bucket(fields.text("bucket"))
    until, for_s = fields.maybe_moment("until"), fields.take("for_s", None)
    fields.done()
    return moment(bucket.retain(until=until, for_s=for_s))


def history(hub: Hub, fields: Fields, allowed: Allowed) -> list[dict[str, Any]]:
    """Who did what to a key."""
    bucket, key = fields.text("bucket"), fields.text("key")
    fields.done()
    require(allowed, "s3:ListBucketVersions", bucket)
    return [event_to_json(event) for event in hub.bucket(bucket).history(key)]
