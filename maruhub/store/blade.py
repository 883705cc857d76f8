"""The narrow door to one drive. Everything the store reads or writes goes through it.

Implementations: :class:`maruhub.store.local_blade.LocalBlade` (a folder) and the
fault-injecting one of ``maruhub.testing``, which has no ``map``. Errors are ``OSError``
with its errno: what a failure means is decided above.

Durability: bytes are durable when ``sync`` of their file has returned, names when
``sync_names`` has. Nothing else promises anything.
"""

from __future__ import annotations

import errno
import mmap
from collections.abc import Sequence
from typing import Final, Protocol

Buffer = bytes | bytearray | memoryview

OUT_OF_DESCRIPTORS: Final = (errno.EMFILE, errno.ENFILE)
"""What says nothing of a blade, but of the process that asks."""


class BladeFile(Protocol):
    """One open file of a blade. Any thread may use it; it isn't moved to a forked child."""

    def write(self, offset: int, buffers: Sequence[Buffer]) -> None:
        """Writes all buffers one behind the other from ``offset``; buffers are not kept."""

    def read_into(self, offset: int, buffer: memoryview) -> int:
        """Fills ``buffer`` from ``offset``; returns the bytes read, fewer only at the end."""

    def size(self) -> int:
        """Bytes in the file now."""

    def sync(self) -> None:
        """Returns when everything written before is on stable storage (fdatasync)."""

    def lock(self) -> bool:
        """Takes the exclusive kernel lock, freed at close or death; False if held elsewhere."""

    def map(self) -> mmap.mmap | None:
        """The whole present file mapped read-only, or None where there's no mapping."""

    def close(self) -> None:
        """Closes the descriptor; mappings handed out live on."""


class Blade(Protocol):
    """One drive: a flat set of named segment files."""

    @property
    def blade_id(self) -> bytes:
        """16 bytes, as in the blade's identity block."""

    def open(self, name: str, *, create: bool = False, write: bool = False) -> BladeFile:
        """Opens a file; with ``create`` it must not exist yet."""

    def remove(self, name: str) -> None:
        """Unlinks a file; views of it live on."""

    def names(self) -> list[str]:
        """Names of all files."""

    def sync_names(self) -> None:
        """Returns when files created and removed before are so for ever (folder fsync)."""

    def names_stamp(self) -> int:
        """A number that changes whenever a file appears or disappears (folder mtime, ns)."""

    def free_bytes(self) -> int:
        """Room that is left."""
