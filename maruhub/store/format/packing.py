"""Where objects go in a log: the rule of alignment. Pure.

Objects of 4 KiB or more start on 4 KiB, so that the kernel can map them into a file of
their own; smaller ones are packed tight.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import xxhash

from maruhub.store.format.extent import BLOCK_BYTES, EXTENT_BYTES_MAX, Blob, Extent

ZEROS: Final = memoryview(bytes(BLOCK_BYTES))


class Piece(NamedTuple):
    """One extent to be written: bytes of blob ``blob`` and whether they start on 4 KiB."""

    blob: int
    data: memoryview
    aligned: bool

    def offset(self, end: int) -> int:
        """Where it goes in a log that ends at ``end``."""
        return end + (-end % BLOCK_BYTES if self.aligned else 0)


def cut(blobs: list[memoryview]) -> Iterator[Piece]:
    """Blobs as extents of at most 1 MiB, in order."""
    for number, data in enumerate(blobs):
        aligned = len(data) >= BLOCK_BYTES
        for at in range(0, len(data), EXTENT_BYTES_MAX):
            yield Piece(number, data[at : at + EXTENT_BYTES_MAX], aligned)


class Load:
    """Blobs on their way into segments. ``pieces``: what has no address yet, in order."""

    def __init__(self, blobs: Sequence[memoryview]) -> None:
        self.pieces = list(cut(list(blobs)))
        self._extents: list[list[Extent]] = [[] for _ in blobs]

    def place(self, extents: Sequence[Extent]) -> None:
        """The first ``len(extents)`` pieces were written there."""
        for piece, extent in zip(self.pieces, extents, strict=False):
            self._extents[piece.blob].append(extent)
        del self.pieces[: len(extents)]

    def placed(self) -> list[Extent]:
        """What has an address by now, whichever blob's it is."""
        return [extent for parts in self._extents for extent in parts]

    def blobs(self) -> list[Blob]:
        """What the blobs' addresses are, once all pieces have theirs."""
        assert not self.pieces
        return [tuple(parts) for parts in self._extents]


def extents_at(segment: int, pieces: Sequence[Piece], offsets: Sequence[int]) -> list[Extent]:
    """The extents of the first ``len(offsets)`` pieces."""
    return [
        Extent(segment, offset, len(piece.data), xxhash.xxh3_64_intdigest(piece.data))
        for piece, offset in zip(pieces, offsets, strict=False)
    ]
