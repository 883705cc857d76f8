"""Where objects go in a log: the rule of alignment. Pure.

Objects of 4 KiB or more start on 4 KiB, so that the kernel can map them into a file of
their own; smaller ones are packed tight.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from maruhub.store.format.extent import BLOCK_BYTES, EXTENT_BYTES_MAX

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
