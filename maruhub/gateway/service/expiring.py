"""What answers say of a bucket's lifecycle: when an object expires, when an upload is given up."""

from __future__ import annotations

from urllib.parse import quote

from maruhub.gateway.s3.conditions import to_http_date
from maruhub.namespace.bucket import Bucket
from maruhub.namespace.lifecycle import LifecycleRule, abort_expiry, expiry, rules_from_json
from maruhub.namespace.object import ObjectInfo
from maruhub.namespace.part import MultipartUpload

Headers = list[tuple[str, str]]


def expiration_headers(bucket: Bucket, info: ObjectInfo) -> Headers:
    """``x-amz-expiration`` of a current version, if a rule fits it."""
    rules = _rules_of(bucket)
    if not rules:
        return []
    found = expiry(rules, info.key, info.size, info.tail.get("tags", {}), modified_us=info.created_us)
    if found is None:
        return []
    # A rule's name may be any text; a header's value not.
    name = quote(found.rule_id, safe=" ")
    return [("x-amz-expiration", f'expiry-date="{to_http_date(found.at_us)}", rule-id="{name}"')]


def abort_headers(bucket: Bucket, upload: MultipartUpload) -> Headers:
    """When an upload is given up and by which rule, if there is one."""
    found = abort_expiry(_rules_of(bucket), upload.key, upload.created_us)
    if found is None:
        return []
    name = quote(found.rule_id, safe=" ")
    return [("x-amz-abort-date", to_http_date(found.at_us)), ("x-amz-abort-rule-id", name)]


def _rules_of(bucket: Bucket) -> tuple[LifecycleRule, ...]:
    kept = bucket.tail.get("lifecycle")
    return rules_from_json(kept) if kept else ()
