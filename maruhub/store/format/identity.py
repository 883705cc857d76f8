"""A blade's identity block: which pool it belongs to. Pure: bytes in, values out."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import Final

from maruhub.errors import Corrupt, UnsupportedFormat

FORMAT_VERSION: Final = 1
"""Of the whole pool; a higher one on a drive is refused."""

BLOCK_BYTES: Final = 4096
"""Size of identity blocks and segment headers."""

_MAGIC: Final = b"MARUBLD1"
_BODY: Final = struct.Struct("<16s16sQQqI")
_PREFIX: Final = struct.Struct("<8sII")


@dataclass(frozen=True, slots=True)
class BladeIdentity:
    """What every blade of a pool carries. Ids are 16 random bytes, times microseconds."""

    pool_id: bytes
    blade_id: bytes
    split_key: int
    segment_bytes: int
    created_us: int
    number: int


def seal_block(magic: bytes, body: bytes) -> bytes:
    """A 4 KiB block: magic, format version, CRC-32 of the rest, body, zeros."""
    padded = body.ljust(BLOCK_BYTES - _PREFIX.size, b"\0")
    return _PREFIX.pack(magic, FORMAT_VERSION, zlib.crc32(padded)) + padded


def open_block(magic: bytes, block: bytes, *, where: str) -> bytes:
    """The body of a block made by :func:`seal_block`; ``where`` is for messages; raises Corrupt."""
    if len(block) < BLOCK_BYTES or block[:8] != magic:
        raise Corrupt(f"{where}: no {magic.decode()} block", hint="Is this a folder of a MaruHub pool?")
    _, version, crc = _PREFIX.unpack_from(block)
    require_version(version, where=where)
    body = block[_PREFIX.size : BLOCK_BYTES]
    if zlib.crc32(body) != crc:
        raise Corrupt(f"{where}: wrong CRC-32 of the block")
    return body


def require_version(version: int, *, where: str) -> None:
    """Raises Corrupt if a file of a segment has another version than the pool: an upgrade would begin there."""
    if not 1 <= version <= FORMAT_VERSION:
        raise Corrupt(f"{where}: format version {version}, but the pool's is {FORMAT_VERSION}: damaged")


def encode_identity(identity: BladeIdentity) -> bytes:
    """The 4 KiB of ``BLADE/blade``."""
    return seal_block(
        _MAGIC,
        _BODY.pack(
            identity.pool_id,
            identity.blade_id,
            identity.split_key,
            identity.segment_bytes,
            identity.created_us,
            identity.number,
        ),
    )


def decode_identity(block: bytes, *, where: str) -> BladeIdentity:
    """Inverse of :func:`encode_identity`; raises Corrupt or UnsupportedFormat."""
    version = _PREFIX.unpack_from(block)[1] if len(block) >= BLOCK_BYTES else 0
    if version > FORMAT_VERSION and block[:8] == _MAGIC:
        raise UnsupportedFormat(
            f"{where}: format version {version}, this release reads up to {FORMAT_VERSION}.",
            hint="Upgrade maruhub.",
        )
    return BladeIdentity(*_BODY.unpack_from(open_block(_MAGIC, block, where=where)))
