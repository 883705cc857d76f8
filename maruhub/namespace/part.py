"""An upload in parts, and its rows U. Pure: bytes to values and back.

Row 0 of an upload holds what its object will be called and said to be; row n the extents
and sums of part n. All of them go in the change that completes or aborts the upload.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from maruhub.errors import UnsupportedFormat
from maruhub.namespace.bucket import Bucket
from maruhub.namespace.digests import Digest
from maruhub.namespace.fields import pack_tail
from maruhub.namespace.hidden import KEY_DOWN, KEY_UP
from maruhub.store.format.row import Row
from maruhub.store.protocol import Rows, prefix_end, scan_all

PART_NUMBER_MAX: Final = 10_000

_RUNS_MAX: Final = 2_000
_PART: Final = struct.Struct("<BBHIQ16s32s")
_UPLOAD: Final = struct.Struct("<BBHI")
_VERSION: Final = 1
_KEY_AT: Final = 9
_HEX: Final = frozenset("0123456789abcdef")
_ENDING: Final = struct.Struct(">BQH")
"""Behind the key: 0, upload id, part number."""


@dataclass(frozen=True, slots=True)
class MultipartUpload:
    """An upload that was begun and neither completed nor aborted.

    Args:
        bucket: Name of its bucket.
        key: Where the object will be.
        number: The upload id as a number: the counter of the change that began it.
        actor: Who began it.
        created_us: Wall time of that.
        tail: Named fields of the object to be.
    """

    bucket: str
    key: str
    number: int
    actor: str
    created_us: int
    tail: dict[str, Any]

    @property
    def upload_id(self) -> str:
        """16 hex digits."""
        return f"{self.number:016x}"


@dataclass(frozen=True, slots=True)
class PartInfo:
    """One part as it was uploaded last.

    Args:
        number: 1 to 10,000.
        size: Bytes.
        digest: Its sums.
        counter: Of the change that recorded it.
        time_us: Wall time of that.
        extents_raw: Where its bytes are, ``EXTENT_DTYPE`` bytes.
        tail: Named fields: sums that a client gave along.
    """

    number: int
    size: int
    digest: Digest
    counter: int
    time_us: int
    extents_raw: bytes
    tail: dict[str, Any]

    @property
    def etag(self) -> str:
        """Hex MD5, without quotes."""
        return self.digest.md5.hex()


def encode_upload(tail: dict[str, Any]) -> bytes:
    """The payload of row 0."""
    return _UPLOAD.pack(_VERSION, 0, 0, 0) + pack_tail(tail)


def encode_part(size: int, digest: Digest, tail: dict[str, Any]) -> bytes:
    """The payload of the row of a part."""
    return _PART.pack(_VERSION, 0, 0, 0, size, *digest) + pack_tail(tail)


def decode_upload(bucket: Bucket, row: Row) -> MultipartUpload:
    """The upload of a row 0."""
    key, number, _ = split_row_key(row.key)
    tail = _tail(row, _UPLOAD.size)
    return MultipartUpload(bucket.name, key.decode(), number, row.actor, row.time_us, tail)


def decode_part(row: Row) -> PartInfo:
    """The part of a row n."""
    tail = _tail(row, _PART.size)
    size, md5, sha256 = _PART.unpack_from(row.payload)[4:]
    number = split_row_key(row.key)[2]
    return PartInfo(number, size, Digest(md5, sha256), row.counter, row.time_us, row.extents_raw, tail)


def pack_sizes(sizes: Sequence[int]) -> list[list[int]]:
    """Sizes of an object's parts as runs [count, size]; nothing if they are too many to be kept."""
    runs = [[len(list(group)), size] for size, group in groupby(sizes)]
    return runs if len(runs) <= _RUNS_MAX else []


def unpack_sizes(runs: Sequence[Sequence[int]]) -> list[int]:
    """The sizes that :func:`pack_sizes` has packed."""
    return [size for count, size in runs for _ in range(count)]


def _tail(row: Row, at: int) -> dict[str, Any]:
    payload = row.payload
    if len(payload) < at or payload[0] != _VERSION:
        raise UnsupportedFormat(f"upload row {row.key!r} has an unknown version.", hint="Upgrade MaruHub.")
    return dict(json.loads(payload[at:])) if len(payload) > at else {}


def upload_row_key(bucket: Bucket, key: bytes, number: int, part: int = 0) -> bytes:
    """The row key of an upload, or of a part of it."""
    return uploads_prefix(bucket) + key.translate(KEY_UP) + _ENDING.pack(0, number, part)


def split_row_key(row_key: bytes) -> tuple[bytes, int, int]:
    """The object's key, the upload's number and the part's (0: the upload itself)."""
    _, number, part = _ENDING.unpack_from(row_key, len(row_key) - _ENDING.size)
    return row_key[_KEY_AT : -_ENDING.size].translate(KEY_DOWN), number, part


def parse_upload_id(upload_id: str) -> int:
    """The upload's number; 0, which none has, for what is no upload id."""
    return int(upload_id, 16) if len(upload_id) == 16 and _HEX.issuperset(upload_id) else 0


def uploads_prefix(bucket: Bucket) -> bytes:
    """In front of all uploads into a bucket."""
    return b"U" + bucket.id_bytes


def uploads_range(bucket: Bucket, prefix: bytes = b"") -> tuple[bytes, bytes]:
    """Start and stop of the rows of uploads to keys with ``prefix``, by key and age."""
    start = uploads_prefix(bucket) + prefix.translate(KEY_UP)
    return start, prefix_end(start)


def remove_upload(rows: Rows, bucket: Bucket, raw_key: bytes, number: int) -> bool:
    """Stages the removal of all rows of an upload; whether there was one."""
    base = upload_row_key(bucket, raw_key, number)[:-2]
    found = list(scan_all(rows, base, prefix_end(base)))
    for row in found:
        rows.remove(row.key)
    return bool(found) and split_row_key(found[0].key)[2] == 0
