"""Making one object of the parts of an upload: their extents joined, the whole summed.

All bytes are read once, since an object is known by the SHA-256 of all of it. They stay
where they are; only behind a part that doesn't end on a border of 4 KiB they are written
anew, as every piece of an object but the last has to end on one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np

from maruhub.errors import MaruError
from maruhub.namespace.object import unpack_extents
from maruhub.namespace.part import PartInfo
from maruhub.namespace.stream import Upload
from maruhub.store.format.extent import EXTENT_DTYPE, Blob, Blobs
from maruhub.store.protocol import Store

_BORDER: Final = 4096
_EXTENTS_AT_ONCE: Final = 8


class Assembled(NamedTuple):
    """The whole: SHA-256, its extents, its bytes."""

    sha256: bytes
    blob: Blob
    size: int


def assemble(store: Store, parts: Sequence[PartInfo]) -> Assembled:
    """Joins parts in their order; holds at most a few MiB at a time."""
    whole = hashlib.sha256()
    uneven = next((at for at, part in enumerate(parts) if part.size % _BORDER), len(parts))
    joined = parts if uneven >= len(parts) - 1 else parts[:uneven]
    for part in joined:
        for piece in _pieces(store, part):
            whole.update(piece)
    blob = tuple(extent for part in joined for extent in unpack_extents(part.extents_raw))
    rest: Upload[Blob] = Upload(store, lambda _digest, _size, blob, _fields: blob)
    for part in parts[len(joined) :]:
        for piece in _pieces(store, part):
            whole.update(piece)
            rest.write(piece)
    return Assembled(whole.digest(), blob + rest.commit(), sum(part.size for part in parts))


def _pieces(store: Store, part: PartInfo) -> Iterator[memoryview]:
    extents = np.frombuffer(part.extents_raw, dtype=EXTENT_DTYPE)
    for at in range(0, len(extents), _EXTENTS_AT_ONCE):
        some = extents[at : at + _EXTENTS_AT_ONCE]
        store.announce(extents[at + _EXTENTS_AT_ONCE : at + 2 * _EXTENTS_AT_ONCE])
        blobs = Blobs(some, np.arange(len(some) + 1, dtype=np.int64))
        for piece in store.read_many(blobs):
            if isinstance(piece, MaruError):
                raise piece
            yield piece
