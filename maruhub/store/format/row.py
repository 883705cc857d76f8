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
from collections.abc import Iterator, Sequence
from typing import Final, overload

import numpy as np
import numpy.typing as npt

from maruhub.errors import Corrupt
from maruhub.store.format.extent import EXTENT_DTYPE, Blob, Blobs, Extent

_HEAD: Final = struct.Struct("<BBBBIQq")
_EXTENT: Final = struct.Struct("<QQIIQ")
_HEADS: Final = np.dtype(
    {
        "names": ["version", "extent_count"],
        "formats": ["u1", "<u4"],
        "offsets": [0, 4],
        "itemsize": _HEAD.size,
    }
)
_WITH_EXTENT: Final = np.dtype(
    {
        "names": ["version", "extent_count", "extent"],
        "formats": ["u1", "<u4", EXTENT_DTYPE],
        "offsets": [0, 4, _HEAD.size],
    }
)
_VERSION: Final = 1
_GONE: Final = 1
_SEGMENTS: Final = 2
_REBUILD_HINT: Final = "Run `maru check --rebuild-index`."
_UNKNOWN: Final = -1
"""Extent count of a row that nobody has looked into yet."""


class Row:
    """A row, decoded when asked for: a read of many needs their extents alone.

    ``raw`` is the row's value as stored. What is no row of this version raises Corrupt when
    the first of its parts is asked for.
    """

    __slots__ = (
        "_actor_size",
        "_counter",
        "_extent_count",
        "_flags",
        "_request_size",
        "_time_us",
        "key",
        "raw",
    )
    _counter: int
    _time_us: int

    def __init__(self, key: bytes, raw: bytes) -> None:
        self.key = key
        self.raw = raw
        self._extent_count = _UNKNOWN

    def _decode(self) -> None:
        if len(self.raw) < _HEAD.size or self.raw[0] != _VERSION:
            raise Corrupt(f"row {self.key!r} is not a row of version {_VERSION}", hint=_REBUILD_HINT)
        (
            _,
            self._flags,
            self._actor_size,
            self._request_size,
            self._extent_count,
            self._counter,
            self._time_us,
        ) = _HEAD.unpack_from(self.raw)

    @property
    def counter(self) -> int:
        """Rises with every change of a row."""
        if self._extent_count < 0:
            self._decode()
        return self._counter

    @property
    def time_us(self) -> int:
        """Wall time of the change that wrote this row, microseconds since 1970."""
        if self._extent_count < 0:
            self._decode()
        return self._time_us

    def parts(self) -> tuple[int, int, bytes, bytes]:
        """Counter, time, extents' bytes and payload in one go, for whoever wants them all."""
        if self._extent_count < 0:
            self._decode()
        end = _HEAD.size + self._extent_count * _EXTENT.size
        plain = not self._flags & _SEGMENTS
        payload = self.raw[end + self._actor_size + self._request_size :] if plain else self.payload
        return self._counter, self._time_us, self.raw[_HEAD.size : end], payload

    @property
    def gone(self) -> bool:
        """Whether this is a removal (only ever seen in records)."""
        return self._has(_GONE)

    @property
    def extents(self) -> Blob:
        """The extents that live as long as this row does."""
        return tuple(Extent(s, o, n, c) for s, o, n, _, c in _EXTENT.iter_unpack(self.extents_raw))

    @property
    def extents_raw(self) -> bytes:
        """The extents as ``EXTENT_DTYPE`` bytes, 32 each."""
        if self._extent_count < 0:
            self._decode()
        return self.raw[_HEAD.size : _HEAD.size + self._extent_count * _EXTENT.size]

    @property
    def actor(self) -> str:
        """Who wrote this row."""
        end = self._tail() - self._request_size
        return self.raw[end - self._actor_size : end].decode()

    @property
    def request(self) -> bytes:
        """The id of the request that wrote this row, empty if it had none."""
        end = self._tail()
        return self.raw[end - self._request_size : end]

    @property
    def segments(self) -> tuple[int, ...]:
        """Segments that a blob named by this row itself points into (a fragment's)."""
        if not self._has(_SEGMENTS):
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

    @property
    def is_cut(self) -> bool:
        """Whether the bytes end before the payload begins; no writer makes such a row."""
        return len(self.raw) < self._tail()

    def _has(self, flag: int) -> bool:
        if self._extent_count < 0:
            self._decode()
        return bool(self._flags & flag)

    def _tail(self) -> int:
        if self._extent_count < 0:
            self._decode()
        start: int = _HEAD.size + self._extent_count * _EXTENT.size + self._actor_size + self._request_size
        return start

    def __repr__(self) -> str:
        return f"Row({self.key!r}, counter={self.counter})"


class RowBatch(Sequence[Row | None]):
    """The rows of many keys in their order, None where there is none; each is made when asked for.

    Args:
        keys: The rows' keys. Held, not copied: left as they are while the batch is in use.
        raws: Their values as stored, None for a key without a row; as many.
    """

    __slots__ = ("keys", "raws")

    def __init__(self, keys: Sequence[bytes], raws: Sequence[bytes | None]) -> None:
        self.keys = keys
        self.raws = raws

    def __len__(self) -> int:
        return len(self.raws)

    @overload
    def __getitem__(self, index: int) -> Row | None: ...
    @overload
    def __getitem__(self, index: slice) -> RowBatch: ...
    def __getitem__(self, index: int | slice) -> Row | RowBatch | None:
        if isinstance(index, slice):
            return RowBatch(self.keys[index], self.raws[index])
        raw = self.raws[index]
        return None if raw is None else Row(self.keys[index], raw)

    def __iter__(self) -> Iterator[Row | None]:
        pairs = zip(self.keys, self.raws, strict=True)
        return (None if raw is None else Row(key, raw) for key, raw in pairs)


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


_NOTHING: Final = encode_row(b"", counter=0, time_us=0)
"""A row without extents."""


def blobs_of(rows: Sequence[Row | None]) -> Blobs:
    """Blob i is the extents of row i, nothing for None; raises Corrupt for what is no whole row.

    Passes over arrays: less than half of the time that decoding each row takes, and a fifth
    where each row has one extent, as those of objects of up to 1 MiB do.
    """
    given = rows.raws if isinstance(rows, RowBatch) else [None if row is None else row.raw for row in rows]
    raws = [_NOTHING if raw is None else raw for raw in given]
    heads = _heads(raws, _WITH_EXTENT)
    if heads is not None and (heads["extent_count"] == 1).all():
        return Blobs(heads["extent"], np.arange(len(raws) + 1, dtype=np.int64))
    heads = _heads(raws, _HEADS)
    if heads is None:
        raise _not_whole(rows)
    starts = np.zeros(len(raws) + 1, np.int64)
    np.cumsum(heads["extent_count"], out=starts[1:])
    ends = (_HEAD.size + _EXTENT.size * heads["extent_count"].astype(np.int64)).tolist()
    extents = b"".join([raw[_HEAD.size : end] for raw, end in zip(raws, ends, strict=True)])
    if len(extents) < starts[-1] * _EXTENT.size:
        raise _not_whole(rows)
    return Blobs(np.frombuffer(extents, EXTENT_DTYPE), starts)


def _heads(raws: Sequence[bytes], dtype: np.dtype[np.void]) -> npt.NDArray[np.void] | None:
    """The beginnings of rows; None if one is too short for it, or no row of this version."""
    sizes = set(map(len, raws))
    if min(sizes, default=dtype.itemsize) < dtype.itemsize:
        return None
    if len(sizes) == 1:  # As rows of objects that one person put are: nothing to cut.
        heads = np.ndarray(len(raws), dtype, b"".join(raws), strides=tuple(sizes))
    else:
        heads = np.frombuffer(b"".join([raw[: dtype.itemsize] for raw in raws]), dtype)
    return heads if (heads["version"] == _VERSION).all() else None


def _not_whole(rows: Sequence[Row | None]) -> Corrupt:
    for row in rows:
        if row is not None and row.is_cut:
            return Corrupt(f"row {row.key!r} ends within its extents", hint=_REBUILD_HINT)
    raise AssertionError("a row in the batch is wrong, yet none of them alone")
