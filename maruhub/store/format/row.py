"""A row: one named value of the hub's state, as it stands in records and in the index.

The same bytes stand in both, so a rebuilt index equals the old one byte for byte. The
store reads the envelope (who, when, which extents); the payload belongs to the layer
that wrote it. No I/O here.

======  =====  ==============================================================
offset  bytes  field (little-endian)
======  =====  ==============================================================
0       1      version, 1
1       1      flags: 1 = gone (in records only), 2 = a segment list follows
2       1      actor length a
3       1      request length r
4       4      extent count e
8       8      counter
16      8      wall time, microseconds since 1970
24      32 e   extents: segment u64, offset u64, length u32, 0 u32, xxh3-64 u64
..      a      actor, UTF-8
..      r      request id, any bytes
..      4+8 s  if flag 2: count s u32, then segment ids u64
..      ..     payload
======  =====  ==============================================================
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

from maruhub.errors import Corrupt
from maruhub.store.format.extent import Blob, Extent

_HEAD: Final = struct.Struct("<BBBBIQq")
_EXTENT: Final = struct.Struct("<QQIIQ")
_VERSION: Final = 1
_GONE: Final = 1
_SEGMENTS: Final = 2


class Row:
    """A decoded row. The envelope's parts are decoded when asked for.

    ``raw`` is the row's value as stored; ``counter`` rises with every change of a row.
    """

    __slots__ = (
        "_actor_size",
        "_extent_count",
        "_flags",
        "_request_size",
        "counter",
        "key",
        "raw",
        "time_us",
    )

    def __init__(self, key: bytes, raw: bytes) -> None:
        self.key = key
        self.raw = raw
        if len(raw) < _HEAD.size or raw[0] != _VERSION:
            raise Corrupt(
                f"row {key!r} is not a row of version {_VERSION}", hint="Run `maru check --rebuild-index`."
            )
        (
            _,
            self._flags,
            self._actor_size,
            self._request_size,
            self._extent_count,
            self.counter,
            self.time_us,
        ) = _HEAD.unpack_from(raw)

    @property
    def gone(self) -> bool:
        """Whether this is a removal (only ever seen in records)."""
        return bool(self._flags & _GONE)

    @property
    def extents(self) -> Blob:
        """The extents that live as long as this row does."""
        end = _HEAD.size + self._extent_count * _EXTENT.size
        parts = _EXTENT.iter_unpack(self.raw[_HEAD.size : end])
        return tuple(Extent(s, o, n, c) for s, o, n, _, c in parts)

    @property
    def extents_raw(self) -> bytes:
        """The extents as ``EXTENT_DTYPE`` bytes, 32 each."""
        return self.raw[_HEAD.size : _HEAD.size + self._extent_count * _EXTENT.size]

    @property
    def actor(self) -> str:
        """Who wrote this row."""
        start = _HEAD.size + self._extent_count * _EXTENT.size
        return self.raw[start : start + self._actor_size].decode()

    @property
    def request(self) -> bytes:
        """The id of the request that wrote this row, empty if it had none."""
        start = _HEAD.size + self._extent_count * _EXTENT.size + self._actor_size
        return self.raw[start : start + self._request_size]

    @property
    def segments(self) -> tuple[int, ...]:
        """Segments that a blob named by this row itself points into (a fragment's)."""
        if not self._flags & _SEGMENTS:
            return ()
        start = self._tail()
        count: int = struct.unpack_from("<I", self.raw, start)[0]
        segments: tuple[int, ...] = struct.unpack_from(f"<{count}Q", self.raw, start + 4)
        return segments

    @property
    def payload(self) -> bytes:
        """The value that the layer above stored."""
        start = self._tail()
        if self._flags & _SEGMENTS:
            (count,) = struct.unpack_from("<I", self.raw, start)
            start += 4 + 8 * count
        return self.raw[start:]

    def _tail(self) -> int:
        start: int = _HEAD.size + self._extent_count * _EXTENT.size + self._actor_size + self._request_size
        return start

    def __repr__(self) -> str:
        return f"Row({self.key!r}, counter={self.counter})"


def encode_row(
    payload: bytes | None,
    *,
    counter: int,
    time_us: int,
    actor: str = "",
    request: bytes = b"",
    extents: Sequence[Extent] = (),
    segments: Sequence[int] = (),
) -> bytes:
    """The stored bytes of a row; ``payload`` None says that the row is gone."""
    who = actor.encode("utf-8", "replace")[:255].decode("utf-8", "ignore").encode()
    flags = (_GONE if payload is None else 0) | (_SEGMENTS if segments else 0)
    parts = [_HEAD.pack(_VERSION, flags, len(who), len(request), len(extents), counter, time_us)]
    parts += [_EXTENT.pack(e.segment, e.offset, e.length, 0, e.checksum) for e in extents]
    parts += [who, request]
    if segments:
        parts.append(struct.pack(f"<I{len(segments)}Q", len(segments), *segments))
    parts.append(payload or b"")
    return b"".join(parts)
