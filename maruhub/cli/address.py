"""What a user types to name things, told apart: objects, versions, local paths.

``maru://bucket/key`` names an object everywhere. Where only the hub can be meant,
``bucket/key`` does too; where a local path could be meant, it is a local path.
"""

from __future__ import annotations

from pathlib import Path

from maruhub.errors import InvalidInput
from maruhub.namespace.address import ObjectAddress, is_address, parse_bucket_path

Place = ObjectAddress
"""A bucket and a key in it; an empty key is the whole bucket."""

place = parse_bucket_path
"""A bucket, or a key in it: ``maru://bucket/key`` or ``bucket/key``."""


def object_place(text: str) -> ObjectAddress:
    """As ``place``, but it must name an object."""
    found = place(text)
    if not found.key:
        raise InvalidInput(f"{text!r} names a bucket, not an object.", hint="Write maru://BUCKET/KEY.")
    return found


def place_or_path(text: str) -> ObjectAddress | Path:
    """``maru://…`` as a place, anything else as a local path."""
    return place(text) if is_address(text) else Path(text)


def version_name(text: str, *, hint: str) -> tuple[str, str]:
    """``cats@v3`` as (dataset, version); raises InvalidInput without ``@``."""
    dataset, at, version = text.partition("@")
    if not at or not version:
        raise InvalidInput(f"{text!r} names no version.", hint=hint)
    return dataset, version
