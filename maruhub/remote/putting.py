"""A batch of objects as a request: frames that the hub stores in one commit."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xxhash

from maruhub.errors import InvalidInput
from maruhub.wire.frame import MORE, ROW_DTYPE, Buffer
from maruhub.wire.stream import StreamWriter

if TYPE_CHECKING:
    from maruhub.namespace import PutItem

WRITE_BYTES: Final = 60 << 20
"""Bytes of objects in one request; the hub takes 64 MiB with all that is around them."""

_ROW_BYTES: Final = 1 << 20
_WINDOW_ROWS: Final = 1024


def encode_write(bucket: str, items: Sequence[PutItem], *, if_match: str | None = None) -> bytes:
    """The body of a write, under a request id of its own: it may be sent any number of times.

    Raises:
        InvalidInput: It is too large for one commit over the network.
    """
    blobs = [memoryview(item.data).cast("B") for item in items]
    size = sum(map(len, blobs))
    if size > WRITE_BYTES:
        raise InvalidInput(
            f"{size} bytes are too many for one commit over the network.",
            hint=f"Put at most {WRITE_BYTES >> 20} MiB in one call, or large objects by themselves.",
        )
    writer = StreamWriter()
    told = [_told(item) for item in items]
    if if_match is not None:
        told[0]["if_match"] = if_match
    about = {"bucket": bucket, "create_bucket": True, "request": secrets.token_hex(16), "items": told}
    return b"".join([writer.begin(about), *_windows(writer, blobs), writer.end()])


def encode_part(where: dict[str, Any], data: memoryview) -> bytes:
    """The body of a write of one part of an upload; sent again it replaces itself."""
    writer = StreamWriter()
    return b"".join([writer.begin({"part": where}), *_windows(writer, [data]), writer.end()])


def _told(item: PutItem) -> dict[str, Any]:
    named = {
        "key": item.key,
        "content_type": item.content_type,
        "metadata": None if item.metadata is None else dict(item.metadata),
        "mtime_ns": item.mtime_ns,
        "if_none_match": item.if_none_match or None,
    }
    return {name: value for name, value in named.items() if value is not None}


def _windows(writer: StreamWriter, blobs: Sequence[memoryview]) -> Iterator[bytes]:
    rows: list[tuple[int, int, memoryview]] = []
    for number, blob in enumerate(blobs):
        for at in range(0, max(len(blob), 1), _ROW_BYTES):
            more = MORE if at + _ROW_BYTES < len(blob) else 0
            rows.append((number, more, blob[at : at + _ROW_BYTES]))
    at = 0
    while at < len(rows):
        end, size = at, 0
        while end < len(rows) and end - at < _WINDOW_ROWS and size < 4 * _ROW_BYTES:
            size += len(rows[end][2])
            end += 1
        yield _window(writer, rows[at:end])
        at = end


def _window(writer: StreamWriter, rows: Sequence[tuple[int, int, memoryview]]) -> bytes:
    parts: list[Buffer] = [part for _, _, part in rows]
    table = np.zeros(len(rows), ROW_DTYPE)
    table["item"] = [number for number, _, _ in rows]
    table["flags"] = [more for _, more, _ in rows]
    table["sum"] = [xxhash.xxh3_64_intdigest(part) for part in parts]
    return writer.window(table, parts)
