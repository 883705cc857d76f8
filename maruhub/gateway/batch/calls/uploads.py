"""Calls of uploads in parts: for objects too large for one request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from maruhub import argument
from maruhub.gateway.batch.fields import Fields
from maruhub.gateway.batch.rights import Allowed, make_bucket, require
from maruhub.gateway.batch.told import object_to_json

if TYPE_CHECKING:
    from maruhub.api.hub import Hub


def begin(hub: Hub, fields: Fields, allowed: Allowed) -> str:
    """Begins an upload to a key; its id."""
    bucket, key = fields.text("bucket"), fields.text("key")
    content_type, metadata = fields.maybe_text("content_type"), fields.take("metadata", None)
    fields.done()
    make_bucket(hub.namespace, bucket, allowed, fields.owner)
    require(allowed, "s3:PutObject", bucket, key)
    given = None if metadata is None else argument.mapping("metadata", metadata)
    upload = hub.namespace.uploads.begin(bucket, key, content_type=content_type, metadata=given)
    return upload.upload_id


def complete(hub: Hub, fields: Fields, allowed: Allowed) -> dict[str, Any]:
    """Makes the object of parts 1 … n; asked again it finds what it made."""
    bucket, key = _where(fields, allowed)
    upload_id, etags = fields.text("upload_id"), fields.texts("etags")
    if_match, if_none_match = fields.maybe_text("if_match"), fields.flag("if_none_match", False)
    fields.done()
    if if_match is not None:  # what comes of it tells what is there
        require(allowed, "s3:GetObject", bucket, key)
    info = hub.namespace.uploads.complete(
        bucket, key, upload_id, list(enumerate(etags, 1)), if_match=if_match, if_none_match=if_none_match
    )
    return object_to_json(info)


def abort(hub: Hub, fields: Fields, allowed: Allowed) -> None:
    """Ends an upload without an object."""
    bucket, key = _where(fields, allowed, "s3:AbortMultipartUpload")
    upload_id = fields.text("upload_id")
    fields.done()
    hub.namespace.uploads.abort(bucket, key, upload_id)


def _where(fields: Fields, allowed: Allowed, action: str = "s3:PutObject") -> tuple[str, str]:
    bucket, key = fields.text("bucket"), fields.text("key")
    require(allowed, action, bucket, key)
    return bucket, key
