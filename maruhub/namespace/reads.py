"""Reading objects by name: what they are, and their bytes, in batches.

The hot path of every door. A batch is one look-up and one read, however many keys.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np

from maruhub.errors import InvalidName, MaruError, NoSuchKey
from maruhub.namespace.bucket import Bucket, bucket_key, decode_bucket, no_such_bucket
from maruhub.namespace.names import KEY_BYTES_MAX, check_bucket_name, encode_key
from maruhub.namespace.object import ObjectInfo, object_prefix
from maruhub.store.format.extent import EXTENT_DTYPE, Blobs, ExtentArray
from maruhub.store.format.row import RowBatch, blobs_of
from maruhub.store.protocol import Store

_CHUNK_EXTENTS: Final = 8
_KNOWN_MAX: Final = 256
"""Buckets that are remembered, each with settings of up to some 100 KB; a server has a thousand of these lists."""


class _Known(NamedTuple):
    """A bucket as it was last seen; while its row is the same, so is it."""

    row_key: bytes
    raw: bytes
    bucket: Bucket
    prefix: bytes


class ObjectReads:
    """Reads. Safe from many threads and processes; always sees what is committed now."""

    def __init__(self, store: Store, actor: str = "") -> None:
        self._store = store
        self._actor = actor
        self._known: dict[str, _Known] = {}

    def head(self, bucket: str, key: str) -> ObjectInfo:
        """What a key holds; raises NoSuchKey, NoSuchBucket, InvalidName."""
        info = self.find(bucket, key)[1]
        if info is None:
            raise no_such_key(bucket, key)
        return info

    def find(self, bucket: str, key: str) -> tuple[Bucket, ObjectInfo | None]:
        """A bucket and what a key of it holds, None for nothing: one moment, one look-up.

        Raises:
            NoSuchBucket: There is none of that name.
            InvalidName: The key can be none.
        """
        found, rows = self._look_up(bucket, [encode_key(key)])
        row = rows[1]
        return found, None if row is None else ObjectInfo.of_row(bucket, row, key)

    def head_many(self, bucket: str, keys: Sequence[str]) -> list[ObjectInfo | None]:
        """What each key holds, None for nothing; one consistent moment."""
        raws, faults = encode_keys(keys)
        if faults:
            raise next(iter(faults.values()))
        of_row = ObjectInfo.of_row
        rows = zip(keys, self._rows(bucket, raws), strict=True)
        return [None if row is None else of_row(bucket, row, key) for key, row in rows]

    def read_many(
        self, bucket: str, keys: Sequence[str], *, verify: bool = True
    ) -> list[memoryview | MaruError]:
        """The bytes of each key, or the error of that one key (NoSuchKey, InvalidName, Corrupt).

        Read-only views that live as long as they are referenced. With ``verify`` every
        byte is summed in this call.
        """
        blobs, faults = self.locate_many(bucket, keys)
        results = self._store.read_many(blobs, verify=verify)
        for i, fault in faults.items():
            results[i] = fault
        return results

    def locate_many(self, bucket: str, keys: Sequence[str]) -> tuple[Blobs, dict[int, MaruError]]:
        """Where the bytes of each key are; the errors of those that have none, by position.

        For whoever reads them later: the blob of a key with an error is empty.
        """
        raws, invalid = encode_keys(keys)
        rows = self._rows(bucket, raws)
        faults: dict[int, MaruError] = {}
        if invalid or None in rows.raws:
            # Where a key is no key, a row may be that of the stand-in.
            kept = [None if i in invalid else raw for i, raw in enumerate(rows.raws)]
            rows = RowBatch(rows.keys, kept)
            faults = {
                i: invalid.get(i) or no_such_key(bucket, keys[i]) for i, raw in enumerate(kept) if raw is None
            }
        return blobs_of(rows), faults

    def read(self, bucket: str, key: str, *, verify: bool = True) -> memoryview:
        """The bytes of one key; raises what :meth:`read_many` would return."""
        result = self.read_many(bucket, [key], verify=verify)[0]
        if isinstance(result, MaruError):
            raise result
        return result

    def read_infos(self, infos: Sequence[ObjectInfo], *, verify: bool = True) -> list[memoryview | MaruError]:
        """The bytes of exactly these versions, current or not, without looking up names."""
        return self._store.read_many(Blobs.of_raw([info.extents_raw for info in infos]), verify=verify)

    def chunks(
        self, info: ObjectInfo, *, offset: int = 0, length: int | None = None, verify: bool = True
    ) -> Iterator[memoryview]:
        """The bytes of one version or of a range of it, for objects larger than memory.

        Views of at most 1 MiB; at most 8 MiB are read at a time, and of extents that the range
        does not touch nothing.
        """
        extents = np.frombuffer(info.extents_raw, dtype=EXTENT_DTYPE)
        return read_range(self._store, extents, offset=offset, length=length, verify=verify)

    def _rows(self, bucket: str, raw_keys: Sequence[bytes]) -> RowBatch:
        """Rows of keys, in one moment with the bucket's own: its id may have changed since."""
        return self._look_up(bucket, raw_keys)[1][1:]

    def _look_up(self, bucket: str, raw_keys: Sequence[bytes]) -> tuple[Bucket, RowBatch]:
        """A bucket; its row, and behind it those of the keys."""
        while True:
            known = self._known.get(bucket)
            if known is None:
                check_bucket_name(bucket)
                known = self._know(bucket, self._store.get_many([bucket_key(bucket)]))
            found = self._store.get_many([known.row_key, *map(known.prefix.__add__, raw_keys)])
            now = known if found.raws[0] == known.raw else self._know(bucket, found)
            if now.prefix == known.prefix:
                return now.bucket, found

    def _know(self, name: str, rows: RowBatch) -> _Known:
        """Takes note of a bucket whose row is the first of these."""
        row = rows[0]
        if row is None:
            self._known.pop(name, None)
            raise no_such_bucket(name)
        bucket = decode_bucket(row)
        if len(self._known) >= _KNOWN_MAX and name not in self._known:
            self._known.clear()
        known = self._known[name] = _Known(row.key, row.raw, bucket, object_prefix(bucket))
        return known


def read_range(
    store: Store, extents: ExtentArray, *, offset: int = 0, length: int | None = None, verify: bool = True
) -> Iterator[memoryview]:
    """A range of the bytes that lie in ``extents`` one after the other; at the end it ends.

    Views of at most 1 MiB; at most 8 MiB are read at a time, and of extents that the range
    does not touch nothing. Raises Corrupt.
    """
    ends = np.cumsum(extents["length"], dtype=np.int64)
    end = int(ends[-1]) if length is None and len(ends) else offset + (length or 0)
    first, last = np.searchsorted(ends, (offset, end - 1), side="right").tolist()
    for at in range(first, min(last + 1, len(extents)), _CHUNK_EXTENTS):
        part = extents[at : min(at + _CHUNK_EXTENTS, last + 1)]
        blobs = Blobs(part, np.arange(len(part) + 1, dtype=np.int64))
        for number, result in enumerate(store.read_many(blobs, verify=verify), at):
            if isinstance(result, MaruError):
                raise result
            start = int(ends[number]) - len(result)
            cut = result[max(offset - start, 0) : max(end - start, 0)]
            if len(cut):
                yield cut


def no_such_key(bucket: str, key: str) -> NoSuchKey:
    """The error for a key that holds nothing."""
    hint = "`maru history` says whether it was deleted, `maru undelete` brings it back."
    return NoSuchKey(f"maru://{bucket}/{key} does not exist.", hint=hint)


def encode_keys(keys: Sequence[str]) -> tuple[list[bytes], dict[int, InvalidName]]:
    """UTF-8 of keys, and the faults by position (whose bytes are those of some other key)."""
    try:
        raws = [key.encode() for key in keys]
        if all(raws) and max(map(len, raws), default=0) <= KEY_BYTES_MAX:
            return raws, {}
    except UnicodeEncodeError:
        pass
    return _encode_doubtful(keys)


def _encode_doubtful(keys: Sequence[str]) -> tuple[list[bytes], dict[int, InvalidName]]:
    raws: list[bytes] = []
    faults: dict[int, InvalidName] = {}
    for i, key in enumerate(keys):
        try:
            raws.append(encode_key(key))
        except InvalidName as fault:
            faults[i] = fault
            raws.append(b"?")
    return raws, faults
