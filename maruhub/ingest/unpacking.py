"""The bounded way into an archive: nothing is decompressed beyond what a real one needs."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable
from typing import IO, Any, Final, cast

from maruhub.ingest.options import IngestOptions
from maruhub.ingest.reason import EntryRefused, Reason

_SLACK_BYTES: Final = 1 << 20
"""Unpacking so little is harmless at any ratio."""

_PIECE_BYTES: Final = 32 << 10

DAMAGE: Final = (EOFError, zlib.error, lzma.LZMAError, ValueError, OverflowError, OSError)
"""What decompressors raise on bytes that are not what they should be."""


class Bounds:
    """How much an archive may still unpack to; shared by all its members."""

    def __init__(self, options: IngestOptions) -> None:
        self._ratio = options.ratio_max
        self._bytes = options.archive_bytes_max

    def check(self, *, unpacked: int, packed: int) -> None:
        """Raises EntryRefused when ``unpacked`` bytes from ``packed`` are too many."""
        if unpacked > self._bytes:
            raise EntryRefused(Reason.TOO_LARGE, f"the archive unpacks to more than {self._bytes} bytes")
        if unpacked > _SLACK_BYTES and unpacked > self._ratio * max(packed, 1):
            raise EntryRefused(
                Reason.BOMB, f"it unpacks to more than {self._ratio} times its size, as an archive bomb does"
            )


class Counting:
    """A packed stream that counts what was taken from it."""

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw = raw
        self.count = 0
        self.closed = False

    def read(self, size: int = -1, /) -> bytes:
        """As the stream's own."""
        data = self._raw.read(size)
        self.count += len(data)
        return data

    def readable(self) -> bool:
        """Always."""
        return True

    def close(self) -> None:
        """Leaves the stream itself open: it belongs to whoever made it."""
        self.closed = True


class Unpacked:
    """A decompressed stream that ends with EntryRefused where it stops being plausible.

    It counts what is skipped too: a bomb that nobody wants to read still costs time.
    """

    def __init__(self, raw: IO[bytes], bounds: Bounds) -> None:
        self._packed = Counting(raw)
        self._stream = _decompressor(self._packed, raw)
        self._read: Callable[[int], bytes] = getattr(self._stream, "read1", self._stream.read)
        self._bounds = bounds
        self._unpacked = 0

    def read(self, size: int = -1, /) -> bytes:
        """At most ``size`` bytes, often fewer: what comes before damage is handed out first."""
        data = self._read(min(size, _PIECE_BYTES))
        self._unpacked += len(data)
        self._bounds.check(unpacked=self._unpacked, packed=self._packed.count)
        return data

    def close(self) -> None:
        """Closes the decompressor."""
        self._stream.close()


def is_packed(head: bytes) -> bool:
    """Whether a file that begins so is compressed in a way this file knows."""
    return head.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd", b"\x5d\x00\x00"))


def _decompressor(packed: Counting, raw: IO[bytes]) -> IO[bytes]:
    head = raw.read(6)
    raw.seek(0)
    source = cast("IO[bytes]", packed)
    if head.startswith(b"\x1f\x8b"):
        return cast("IO[bytes]", gzip.GzipFile(fileobj=source, mode="rb"))
    if head.startswith(b"BZh"):
        return cast("IO[bytes]", bz2.BZ2File(source))
    if head.startswith((b"\xfd7zXZ\x00", b"\x5d\x00\x00")):
        return cast("IO[bytes]", lzma.LZMAFile(source))
    if head.startswith(b"\x28\xb5\x2f\xfd"):
        import pyarrow as pa

        stream: Any = pa.CompressedInputStream(pa.PythonFile(source, mode="r"), "zstd")
        return cast("IO[bytes]", stream)
    return source
