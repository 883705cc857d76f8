"""The first 4 KiB of a segment's file. Pure: bytes in, values out."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from maruhub.errors import Corrupt
from maruhub.store.format.identity import open_block, seal_block
from maruhub.store.format.segment_class import SegmentClass

_MAGIC: Final = b"MARUSEG1"
_BODY: Final = struct.Struct("<16sQBBBBIqQ16s")
_KIND_LOG: Final = 0
_CLASSES: Final = frozenset(SegmentClass)


def log_name(segment: int) -> str:
    """File name of a segment's full copies."""
    return f"{segment:016x}.log"


def log_segment(name: str) -> int | None:
    """The segment of a log's file name; None for any other name."""
    stem, _, suffix = name.partition(".")
    if suffix != "log" or len(stem) != 16 or not set(stem) <= set("0123456789abcdef"):
        return None
    return int(stem, 16)


@dataclass(frozen=True, slots=True)
class SegmentHeader:
    """What a log says of itself. ``marker`` (16 random bytes) opens each of its batches.

    The marker is never given out, so no object can hold a batch that this log believes.
    """

    pool_id: bytes
    segment: int
    segment_class: SegmentClass
    generation: int
    created_us: int
    segment_bytes: int
    marker: bytes
    blades: tuple[bytes, ...]


def encode_header(header: SegmentHeader) -> bytes:
    """The 4 KiB at the start of each copy of a log."""
    body = _BODY.pack(
        header.pool_id,
        header.segment,
        header.segment_class,
        0,
        _KIND_LOG,
        len(header.blades),
        header.generation,
        header.created_us,
        header.segment_bytes,
        header.marker,
    )
    return seal_block(_MAGIC, body + b"".join(header.blades))


def decode_header(block: bytes, *, where: str) -> SegmentHeader:
    """Inverse of :func:`encode_header`; raises Corrupt."""
    body = open_block(_MAGIC, block, where=where)
    pool_id, segment, cls, cipher, kind, copies, generation, created_us, size, marker = _BODY.unpack_from(
        body
    )
    if cipher or kind != _KIND_LOG or cls not in _CLASSES:
        raise Corrupt(f"{where}: class {cls}, cipher {cipher}, kind {kind} are unknown to this release")
    ids = body[_BODY.size : _BODY.size + 16 * copies]
    if len(ids) < 16 * copies:
        raise Corrupt(f"{where}: {copies} copies are more than a header holds")
    blades = tuple(ids[at : at + 16] for at in range(0, len(ids), 16))
    return SegmentHeader(pool_id, segment, SegmentClass(cls), generation, created_us, size, marker, blades)
