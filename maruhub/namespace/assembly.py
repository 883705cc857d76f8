"""Making one object of the parts of an upload: their extents joined, the whole summed.

All bytes are read once, since an object is known by the SHA-256 of all of it. They stay
where they are; only behind a part that doesn't end on a border of 4 KiB they are written
anew, as every piece of an object but the last has to end on one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from typing import Final, NamedTuple

import numpy as np

from maruhub.errors import MaruError
from maruhub.namespace.digests import executor
from maruhub.namespace.object import unpack_extents
from maruhub.namespace.part import PartInfo
from maruhub.namespace.stream import Upload
from maruhub.store.format.extent import EXTENT_DTYPE, Blob, Blobs
from maruhub.store.protocol import Store

_BORDER: Final = 4096
_EXTENTS_AT_ONCE: Final = 8
_EXTENTS_AHEAD: Final = 4 * _EXTENTS_AT_ONCE


class Assembled(NamedTuple):
    """The whole: SHA-256, its extents, its bytes."""

    sha256: bytes
    blob: Blob
    size: int


def assemble(store: Store, parts: Sequence[PartInfo]) -> Assembled:
    """Joins parts in their order; holds a few MiB at a time, of which one half is read while the other is summed."""
    sum_ = _Sum()
    uneven = next((at for at, part in enumerate(parts) if part.size % _BORDER), len(parts))
    joined = parts if uneven >= len(parts) - 1 else parts[:uneven]
    for pieces in _runs(store, joined):
        sum_.add(pieces)
    blob = tuple(extent for part in joined for extent in unpack_extents(part.extents_raw))
    rest: Upload[Blob] = Upload(store, lambda _digest, _size, blob, _fields: blob)
    for pieces in _runs(store, parts[len(joined) :]):
        sum_.add(pieces)
        for piece in pieces:
            rest.write(piece)
    return Assembled(sum_.digest(), blob + rest.commit(), sum(part.size for part in parts))


class _Sum:
    """SHA-256 in a thread beside whoever reads; at most one run of pieces waits for it."""

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()
        self._under_way: Future[None] | None = None

    def add(self, pieces: Sequence[memoryview]) -> None:
        """Waits for the run before, and begins with this one."""
        self._wait()
        self._under_way = executor().submit(self._update, pieces)

    def digest(self) -> bytes:
        """Of all that was added."""
        self._wait()
        return self._sha256.digest()

    def _wait(self) -> None:
        if self._under_way is not None:
            self._under_way.result()

    def _update(self, pieces: Sequence[memoryview]) -> None:
        for piece in pieces:
            self._sha256.update(piece)


def _runs(store: Store, parts: Sequence[PartInfo]) -> Iterator[list[memoryview]]:
    """All bytes of the parts, some MiB at a time; what comes next is announced, over the ends of parts too."""
    extents = np.frombuffer(b"".join(part.extents_raw for part in parts), dtype=EXTENT_DTYPE)
    store.announce(extents[_EXTENTS_AT_ONCE:_EXTENTS_AHEAD])
    for at in range(0, len(extents), _EXTENTS_AT_ONCE):
        some = extents[at : at + _EXTENTS_AT_ONCE]
        store.announce(extents[at + _EXTENTS_AHEAD : at + _EXTENTS_AHEAD + _EXTENTS_AT_ONCE])
        blobs = Blobs(some, np.arange(len(some) + 1, dtype=np.int64))
        pieces: list[memoryview] = []
        for piece in store.read_many(blobs):
            if isinstance(piece, MaruError):
                raise piece
            pieces.append(piece)
        yield pieces
