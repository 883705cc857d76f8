"""The store's trusted model: the same contract over a dict, for tests only.

Slow, simple, in one process; whatever the real store does differently is a bug there.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterable, Sequence

import xxhash

from maruhub.errors import Corrupt, InvalidInput, MaruError
from maruhub.index.protocol import KEY_BYTES_MAX
from maruhub.store.format.extent import EXTENT_BYTES_MAX, Blob, Blobs, Extent, ExtentArray
from maruhub.store.format.row import Row, RowBatch, encode_row
from maruhub.store.format.segment_class import SegmentClass
from maruhub.store.protocol import Buffer, Change, Proposal, T


class MemoryRows:
    """One change's view: the committed dict under its own staged writes."""

    def __init__(self, rows: dict[bytes, bytes], *, counter: int, actor: str, request: bytes) -> None:
        self._rows = rows
        self.staged: dict[bytes, bytes | None] = {}
        self.counter = counter
        self.time_us = time.time_ns() // 1000
        self.pool_time_us = time.monotonic_ns() // 1000
        self._actor = actor
        self._request = request

    def get_many(self, keys: Sequence[bytes]) -> list[Row | None]:
        raws = [self.staged[k] if k in self.staged else self._rows.get(k) for k in keys]
        return [None if raw is None else Row(key, raw) for key, raw in zip(keys, raws, strict=True)]

    def scan(self, start: bytes, stop: bytes, limit: int, *, reverse: bool = False) -> list[Row]:
        return scan_dict(self._rows, start, stop, limit, reverse=reverse)

    def put(
        self,
        key: bytes,
        payload: bytes,
        *,
        extents: Sequence[Extent] = (),
        segments: Sequence[int] = (),
        snapshot: int = 0,
    ) -> None:
        if not 1 <= len(key) <= KEY_BYTES_MAX:
            raise InvalidInput(f"a row key of {len(key)} bytes; it has 1 to {KEY_BYTES_MAX}")
        self.staged[key] = encode_row(
            payload,
            counter=self.counter,
            time_us=self.time_us,
            actor=self._actor,
            request=self._request,
            extents=extents,
            segments=segments,
        )

    def remove(self, key: bytes) -> None:
        self.staged[key] = None


def scan_dict(rows: dict[bytes, bytes], start: bytes, stop: bytes, limit: int, *, reverse: bool) -> list[Row]:
    """A range of a dict of raw rows in byte order."""
    keys = sorted((k for k in rows if start <= k < stop), reverse=reverse)
    return [Row(k, rows[k]) for k in keys[:limit]]


class MemoryStore:
    """``Store`` without a disk. Corrupt a blob with ``rot``."""

    bulk_bytes = 0

    def __init__(self) -> None:
        self._rows: dict[bytes, bytes] = {}
        self._bytes: dict[Extent, bytes] = {}
        self._segment = secrets.randbits(64)
        self._end = 4096
        self._counter = 0
        self._lock = threading.RLock()
        self.pool_id = secrets.token_bytes(16)
        self.split_key = secrets.randbits(64)
        self.bytes_appended = 0

    def append(self, blobs: Sequence[Buffer], segment_class: SegmentClass = SegmentClass.RAW) -> list[Blob]:
        with self._lock:
            return [self._append_one(memoryview(blob).cast("B")) for blob in blobs]

    def _append_one(self, data: memoryview) -> Blob:
        pieces = [data[at : at + EXTENT_BYTES_MAX] for at in range(0, len(data), EXTENT_BYTES_MAX)]
        extents = []
        for piece in pieces:
            if len(data) >= 4096:
                self._end += -self._end % 4096
            extent = Extent(self._segment, self._end, len(piece), xxhash.xxh3_64_intdigest(piece))
            self._bytes[extent] = bytes(piece)
            self._end += len(piece)
            self.bytes_appended += len(piece)
            extents.append(extent)
        return tuple(extents)

    def disclaim(self, extents: Iterable[Extent]) -> None:
        with self._lock:
            for extent in extents:
                del self._bytes[extent]

    def commit(self, change: Change[T], *, actor: str = "", request: bytes = b"") -> T:
        with self._lock:
            self._counter += 1
            rows = MemoryRows(self._rows, counter=self._counter, actor=actor, request=request)
            result = change(rows)
            for key, raw in rows.staged.items():
                if raw is None:
                    self._rows.pop(key, None)
                else:
                    self._rows[key] = raw
            return result

    def commit_each(self, proposals: Sequence[Proposal[T]]) -> list[T | Exception]:
        with self._lock:
            return [self._outcome(*proposal) for proposal in proposals]

    def _outcome(self, change: Change[T], actor: str, request: bytes) -> T | Exception:
        try:
            return self.commit(change, actor=actor, request=request)
        except Exception as error:  # noqa: BLE001 - it is its caller's
            return error

    def get_many(self, keys: Sequence[bytes]) -> RowBatch:
        with self._lock:
            return RowBatch(keys, [self._rows.get(key) for key in keys])

    def scan(self, start: bytes, stop: bytes, limit: int, *, reverse: bool = False) -> list[Row]:
        with self._lock:
            return scan_dict(self._rows, start, stop, limit, reverse=reverse)

    def read_many(self, blobs: Blobs, *, verify: bool = True) -> list[memoryview | MaruError]:
        return [self._read_one(blobs.blob(i), verify=verify) for i in range(len(blobs))]

    def _read_one(self, blob: Blob, *, verify: bool) -> memoryview | MaruError:
        parts = [self._bytes.get(extent, b"") for extent in blob]
        for extent, part in zip(blob, parts, strict=True):
            if verify and xxhash.xxh3_64_intdigest(part) != extent.checksum:
                return Corrupt(f"segment {extent.segment:016x} at {extent.offset}: no intact copy")
        return memoryview(b"".join(parts))

    def rot(self, blob: Blob) -> None:
        """Flips a bit of a blob, for tests of what readers do about it."""
        data = bytearray(self._bytes[blob[0]])
        data[0] ^= 1
        self._bytes[blob[0]] = bytes(data)

    def announce(self, extents: ExtentArray) -> None:
        pass

    def pool_time_us(self) -> int:
        return time.monotonic_ns() // 1000

    def close(self) -> None:
        pass
