"""An object of a hub elsewhere: what its version says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class RemoteObject:
    """One version of an object, with the fields of a local hub's ``ObjectInfo``.

    Attributes:
        bucket, key: Where.
        size: Bytes.
        etag: Without quotes.
        sha256: Of the bytes, 32 bytes.
        content_type: Media type.
        metadata: The user's own fields.
        mtime_ns: Time of change of the file it came from, nanoseconds since 1970.
        created_us: When this version came to be, microseconds since 1970.
        version_id: 16 hex digits.
    """

    bucket: str
    key: str
    size: int
    etag: str
    sha256: bytes
    content_type: str
    metadata: dict[str, str] = field(hash=False)
    mtime_ns: int | None
    created_us: int
    version_id: str

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> RemoteObject:
        """From what the hub says; fields that a later release adds are left out."""
        known = {name: told[name] for name in cls.__slots__}
        return cls(**{**known, "sha256": bytes.fromhex(told["sha256"])})
