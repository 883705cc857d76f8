"""What clients are told of the hub's values: JSON of objects, versions and views. Pure."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from maruhub.catalog.version import VersionInfo
    from maruhub.catalog.view import View
    from maruhub.namespace import ObjectInfo
    from maruhub.namespace.past import Event


def object_to_json(info: ObjectInfo) -> dict[str, Any]:
    """An object's version."""
    return {
        "bucket": info.bucket,
        "key": info.key,
        "size": info.size,
        "etag": info.etag,
        "sha256": info.sha256.hex(),
        "content_type": info.content_type,
        "metadata": info.metadata,
        "mtime_ns": info.mtime_ns,
        "created_us": info.created_us,
        "version_id": info.version_id,
    }


def version_to_json(info: VersionInfo) -> dict[str, Any]:
    """A version of a dataset, as a list shows it."""
    return {
        "number": info.number,
        "rows": info.rows,
        "digest": info.digest,
        "created": moment(info.created),
        "actor": info.actor,
        "message": info.message,
        "sources": list(info.sources),
        "tags": list(info.tags),
        "dropped": info.dropped,
        "restorable_until": moment(info.restorable_until),
        "retained_until": moment(info.retained_until),
    }


def view_to_json(view: View) -> dict[str, Any]:
    """A view: what it is, and how large."""
    return {
        "dataset": view.dataset_name,
        "version": view.version_name,
        "digest": view.digest,
        "version_digest": view.version_digest,
        "rows": len(view),
        "columns": view.column_names,
        "split": view.is_split,
    }


def event_to_json(event: Event) -> dict[str, Any]:
    """What somebody did to a key."""
    return {name: getattr(event, name) for name in event.__dataclass_fields__}


def moment(when: datetime.datetime | None) -> str | None:
    """A moment in ISO 8601."""
    return None if when is None else when.isoformat()
