"""An object's current version, and its row K. Pure: bytes to values and back.

The row's envelope holds who, when and where the bytes are; the payload here holds a
struct of 96 bytes and, only if something optional is set, a JSON object after it
(``docs/format-names.md``). A read needs the envelope alone, so decoding waits until
somebody asks.
"""

from __future__ import annotations

import json
import struct
from enum import IntEnum, IntFlag
from typing import Any, Final, NamedTuple

from maruhub.errors import InvalidInput, UnsupportedFormat
from maruhub.namespace.bucket import Bucket
from maruhub.namespace.digests import Digest
from maruhub.namespace.fields import Fields, inherited, pack_tail, said
from maruhub.store.format.extent import Blob, Extent
from maruhub.store.format.row import Row
from maruhub.store.protocol import prefix_end

CONTENT_TYPE: Final = "application/octet-stream"
"""What an object is called whose type nobody gave."""

_decode_json: Final = json.JSONDecoder().raw_decode
_HEAD: Final = struct.Struct("<BBHIQqQQq16s32s")
_EXTENT: Final = struct.Struct("<QQIIQ")
_VERSION: Final = 1
_NO_MTIME: Final = -(2**63)
_KEY_AT: Final = 9


class Origin(IntEnum):
    """How a version came to be."""

    PUT = 1
    COPY = 2
    METADATA = 3
    RESTORED = 4


class Flag(IntFlag):
    """What else a version is."""

    VERSIONED = 1
    """It was made while its bucket kept versions: by S3's rules it has an id of its own, not ``null``."""


class Head(NamedTuple):
    """The struct in front of a payload, in its order."""

    version: int
    origin: int
    flags: int
    parts: int
    size: int
    mtime_ns: int
    version_number: int
    from_version: int
    created_us: int
    md5: bytes
    sha256: bytes


class ObjectInfo:
    """One version of an object: what it is, and where its bytes are.

    Args:
        bucket: Name of its bucket.
        key: Its key.
        counter: Counter of the change that wrote its row.
        time_us: Wall time of that change, microseconds.
        extents_raw: Its extents, ``EXTENT_DTYPE`` bytes, in order.
        payload: The row's payload; decoded when a field of it is asked for.
    """

    __slots__ = ("_head", "_tail", "bucket", "counter", "extents_raw", "key", "payload", "time_us")

    def __init__(
        self, bucket: str, key: str, *, counter: int, time_us: int, extents_raw: bytes, payload: bytes
    ) -> None:
        self.bucket = bucket
        self.key = key
        self.counter = counter
        self.time_us = time_us
        self.extents_raw = extents_raw
        self.payload = payload
        self._head: Head | None = None
        self._tail: dict[str, Any] | None = None

    @classmethod
    def of_row(cls, bucket: str, row: Row, key: str | None = None) -> ObjectInfo:
        """From a row K; ``key`` saves decoding it again."""
        counter, time_us, extents_raw, payload = row.parts()
        key = row.key[_KEY_AT:].decode() if key is None else key
        return cls(bucket, key, counter=counter, time_us=time_us, extents_raw=extents_raw, payload=payload)

    @property
    def head(self) -> Head:
        """All fixed fields at once."""
        if self._head is None:
            self._head = decode_head(self.payload)
        return self._head

    @property
    def tail(self) -> dict[str, Any]:
        """The optional named fields; not to be changed."""
        if self._tail is None:
            text = self.payload[_HEAD.size :].decode()
            self._tail = _decode_json(text)[0] if text else {}
        return self._tail

    @property
    def size(self) -> int:
        """Bytes."""
        return self.head.size

    @property
    def etag(self) -> str:
        """Hex MD5 of a whole put; ``<hex>-<n>`` of what was assembled. Without quotes."""
        head = self.head
        return f"{head.md5.hex()}-{head.parts}" if head.parts else head.md5.hex()

    @property
    def sha256(self) -> bytes:
        """SHA-256 of the bytes, 32 bytes."""
        return self.head.sha256

    @property
    def content_type(self) -> str:
        """Media type as given at put."""
        return str(self.tail.get("type", CONTENT_TYPE))

    @property
    def metadata(self) -> dict[str, str]:
        """The user's own fields; the caller's copy."""
        return dict(self.tail.get("meta", ()))

    @property
    def mtime_ns(self) -> int | None:
        """Time of change of the file it came from, nanoseconds since 1970."""
        return None if self.head.mtime_ns == _NO_MTIME else self.head.mtime_ns

    @property
    def created_us(self) -> int:
        """Wall time when this version came to be, microseconds since 1970."""
        return self.head.created_us or self.time_us

    @property
    def version_number(self) -> int:
        """The version id as a number."""
        return self.head.version_number or self.counter

    @property
    def version_id(self) -> str:
        """The version id: 16 hex digits, unique in the hub, rising with time."""
        return f"{self.version_number:016x}"

    @property
    def is_null(self) -> bool:
        """Whether S3 calls this version ``null``: its bucket kept no versions when it was made."""
        return not self.head.flags & Flag.VERSIONED

    @property
    def only_extent(self) -> Extent | None:
        """Its one extent; None where it has none, or several."""
        if len(self.extents_raw) != _EXTENT.size:
            return None
        segment, offset, length, _, checksum = _EXTENT.unpack(self.extents_raw)
        return Extent(segment, offset, length, checksum)

    @property
    def extents(self) -> Blob:
        """Its extents as a tuple."""
        return unpack_extents(self.extents_raw)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ObjectInfo) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash((self.bucket, self.key, self.counter))

    def _identity(self) -> tuple[object, ...]:
        return self.bucket, self.key, self.counter, self.extents_raw, self.payload

    def __repr__(self) -> str:
        return f"ObjectInfo({self.bucket!r}, {self.key!r}, size={self.size}, version_id={self.version_id!r})"


def decode_head(payload: bytes) -> Head:
    """The fixed fields; raises UnsupportedFormat for a version this release does not know."""
    if len(payload) < _HEAD.size or payload[0] != _VERSION:
        raise UnsupportedFormat("an object's row has an unknown version.", hint="Upgrade MaruHub.")
    return Head._make(_HEAD.unpack_from(payload))


def encode_payload(
    digest: Digest,
    size: int,
    *,
    origin: Origin = Origin.PUT,
    mtime_ns: int | None = None,
    from_version: int = 0,
    parts: int = 0,
    tail: bytes = b"",
) -> bytes:
    """A payload of a new version; its id and time are those of its row."""
    mtime = _NO_MTIME if mtime_ns is None else mtime_ns
    try:
        head = _HEAD.pack(_VERSION, origin, 0, parts, size, mtime, 0, from_version, 0, *digest)
    except struct.error:
        raise InvalidInput(f"mtime_ns {mtime_ns!r} is not a 64-bit number of nanoseconds.") from None
    return head + tail


def with_flags(payload: bytes, flags: Flag) -> bytes:
    """A payload with these flags."""
    return payload[:2] + flags.to_bytes(2, "little") + payload[4:]


def with_fields(payload: bytes, tail: Fields) -> bytes:
    """A payload with these named fields instead of its own."""
    return payload[: _HEAD.size] + pack_tail(said(tail))


def split_payload(payload: bytes) -> tuple[bytes, bytes]:
    """The fixed fields, and the named ones as they stand behind them."""
    return payload[: _HEAD.size], payload[_HEAD.size :]


def pinned(info: ObjectInfo, made_by: str, tail: Fields | None = None) -> bytes:
    """The payload of the same version in a row that another change writes: id, time and maker stay.

    With ``tail`` its named fields are these.
    """
    head = info.head._replace(version_number=info.version_number, created_us=info.created_us)
    return with_fields(_HEAD.pack(*head), {"by": made_by} | dict(info.tail if tail is None else tail))


def derive_payload(
    source: ObjectInfo, origin: Origin, *, tail: bytes | None = None, mtime_ns: int | None = None
) -> bytes:
    """The payload of a new version with the same bytes as ``source``.

    Without ``tail`` it inherits the source's named fields, without ``mtime_ns`` its time.
    """
    head = source.head
    return encode_payload(
        Digest(head.md5, head.sha256),
        head.size,
        origin=origin,
        mtime_ns=source.mtime_ns if mtime_ns is None else mtime_ns,
        from_version=source.version_number,
        parts=head.parts,
        tail=pack_tail(inherited(source.tail)) if tail is None else tail,
    )


def pack_extents(blob: Blob) -> bytes:
    """``EXTENT_DTYPE`` bytes of a blob."""
    return b"".join([_EXTENT.pack(e.segment, e.offset, e.length, 0, e.checksum) for e in blob])


def unpack_extents(extents_raw: bytes) -> Blob:
    """The blob of ``EXTENT_DTYPE`` bytes."""
    return tuple(Extent(s, o, n, c) for s, o, n, _, c in _EXTENT.iter_unpack(extents_raw))


def object_prefix(bucket: Bucket) -> bytes:
    """In front of the keys of a bucket's objects."""
    return b"K" + bucket.id_bytes


def objects_range(bucket: Bucket) -> tuple[bytes, bytes]:
    """Start and stop of all current objects of a bucket."""
    prefix = object_prefix(bucket)
    return prefix, prefix_end(prefix)
