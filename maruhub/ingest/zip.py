"""A zip, local or remote: its directory first, then members at random, side by side."""

from __future__ import annotations

import calendar
import stat
import struct
import zipfile
from collections.abc import Iterator, Sequence
from typing import IO, Final

from maruhub.errors import InvalidData
from maruhub.ingest.entry import Content, Entry, Refusal, Stream, check_key, inner_name, time_ns
from maruhub.ingest.options import IngestOptions
from maruhub.ingest.pattern import Filter
from maruhub.ingest.reason import EntryRefused, Reason
from maruhub.ingest.unpacking import DAMAGE, Bounds

_ENCRYPTED: Final = 1
_TAIL_BYTES: Final = (1 << 16) + 22 + 20 + 56
_END: Final = b"PK\x05\x06"
_END64: Final = b"PK\x06\x06"
_MEMBER_BYTES_MIN: Final = 46
_RAISE: Final = "Raise members_max if you trust it."
_PIECE_BYTES: Final = 1 << 20
_UNBOUNDED_PIECE_BYTES: Final = 4096
"""zipfile unpacks so many packed bytes of BZIP2 and LZMA in one go, however many come out."""
_DAMAGED: Final = (*DAMAGE, zipfile.BadZipFile, struct.error, RuntimeError)


class ZipSource:
    """Members of a zip.

    Args:
        name: What the user called it.
        raw: The file, seekable; closed with this.
        options: Patterns and bounds.
    """

    listing_is_light = True
    members_of_samples = True

    def __init__(self, name: str, raw: IO[bytes], options: IngestOptions) -> None:
        self.name = name
        self._options = options
        self._filter = Filter(options.include, options.exclude)
        self._raw = raw
        try:
            self._size = raw.seek(0, 2)
            _check_directory(raw, self._size, options.members_max)
            self._zip = zipfile.ZipFile(raw)
            self._check_count()
        except (*_DAMAGED, NotImplementedError) as error:
            raw.close()
            hint = "A zip's directory is at its end: if the file was cut short, fetch it again."
            raise InvalidData(f"{name!r} is not a readable zip: {error}.", hint=hint) from error
        except InvalidData:
            raw.close()
            raise

    def _check_count(self) -> None:
        count, most = len(self._zip.infolist()), self._options.members_max
        if count > most:
            raise InvalidData(f"{self.name!r} has {count} members, over {most}.", hint=_RAISE)

    def entries(self) -> Iterator[Entry | Refusal]:
        """Members sorted by name, so that parts of a sample are neighbours."""
        bounds = Bounds(self._options)
        unpacked = 0
        previous = None
        for info in sorted(self._zip.infolist(), key=_by_name):
            if info.is_dir():
                continue
            try:
                name = inner_name(info.filename)
                if not self._filter.takes(name):
                    continue
                check_key(name)
                _check_kind(info)
                if name == previous:
                    raise EntryRefused(Reason.DUPLICATE, "another member has this name; the first was taken")
                bounds.check(unpacked=info.file_size, packed=info.compress_size)
                bounds.check(unpacked=unpacked + info.file_size, packed=self._size)
            except EntryRefused as refused:
                yield Refusal.of(info.filename, refused)
                continue
            previous = name
            unpacked += info.file_size
            yield Entry(name, info.file_size, _mtime_ns(info), info)

    def read_many(self, entries: Sequence[Entry]) -> list[Content | Refusal]:
        """Each member unpacked whole; its CRC-32 is checked."""
        return [self._read(entry) for entry in entries]

    def _read(self, entry: Entry) -> Content | Refusal:
        try:
            stream = self.open(entry)
            try:
                return Content(stream.read(), entry.mtime_ns)
            finally:
                stream.close()
        except EntryRefused as refused:
            return Refusal.of(entry.name, refused)

    def open(self, entry: Entry) -> Stream:
        """A member, unpacked in pieces."""
        try:
            return _MemberStream(self._zip.open(entry.where), entry)
        except NotImplementedError as error:
            raise EntryRefused(
                Reason.UNSUPPORTED, f"it is packed in a way that isn't read: {error}"
            ) from error
        except _DAMAGED as error:
            raise _damaged(error) from error

    def close(self) -> None:
        """Closes the archive."""
        self._zip.close()
        self._raw.close()


class _MemberStream:
    """A member in pieces; the last one is only handed out when size and CRC-32 are right."""

    def __init__(self, stream: IO[bytes], entry: Entry) -> None:
        self._stream = stream
        self._left = entry.size
        bounded = entry.where.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
        self._piece = _PIECE_BYTES if bounded else _UNBOUNDED_PIECE_BYTES
        self.mtime_ns = entry.mtime_ns

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes."""
        want = self._left if size < 0 else min(size, self._left)
        parts = []
        try:
            while want:
                parts.append(self._stream.read(min(want, self._piece)))
                want -= len(parts[-1])
                self._left -= len(parts[-1])
                if not parts[-1]:
                    raise EntryRefused(Reason.DAMAGED, "it holds fewer bytes than it says")
            # The CRC is compared when the end is seen, which takes one more read.
            if not self._left and self._stream.read(1):
                raise EntryRefused(Reason.DAMAGED, "it holds more bytes than it says")
        except _DAMAGED as error:
            raise _damaged(error) from error
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def close(self) -> None:
        """Closes the member."""
        self._stream.close()


def _by_name(info: zipfile.ZipInfo) -> str:
    return info.filename


def _damaged(error: Exception) -> EntryRefused:
    return EntryRefused(Reason.DAMAGED, f"the archive is damaged there: {str(error) or type(error).__name__}")


def _check_kind(info: zipfile.ZipInfo) -> None:
    mode = info.external_attr >> 16
    kind = stat.S_IFMT(mode)
    if info.flag_bits & _ENCRYPTED:
        raise EntryRefused(Reason.ENCRYPTED, "it is encrypted; unpack it with its password first")
    if stat.S_ISLNK(mode):
        raise EntryRefused(Reason.LINK, "it is a link; links in archives aren't followed")
    if kind and not stat.S_ISREG(mode):
        raise EntryRefused(Reason.SPECIAL, "it is a device, a pipe or a socket, not a file")


def _mtime_ns(info: zipfile.ZipInfo) -> int | None:
    # The format has local time without a zone: only equality with itself matters here.
    try:
        return time_ns(calendar.timegm((*info.date_time, 0, 0, 0)))
    except (ValueError, OverflowError):
        return None


def _check_directory(raw: IO[bytes], size: int, members_max: int) -> None:
    """Bounds the directory before ``zipfile`` makes an object of each member in it."""
    raw.seek(max(0, size - _TAIL_BYTES))
    tail = raw.read(_TAIL_BYTES)
    at = tail.rfind(_END)
    if at < 0 or len(tail) < at + 22:
        raise zipfile.BadZipFile("it has no directory at its end")
    (directory_bytes,) = struct.unpack_from("<I", tail, at + 12)
    at64 = tail.rfind(_END64, 0, at)
    if directory_bytes == 0xFFFFFFFF and 0 <= at64 <= len(tail) - 56:
        (directory_bytes,) = struct.unpack_from("<Q", tail, at64 + 40)
    if min(directory_bytes, size) > members_max * 4 * _MEMBER_BYTES_MIN:
        raise InvalidData(
            f"The zip's directory is {directory_bytes} bytes long: more than {members_max} members.",
            hint=_RAISE,
        )
    raw.seek(0)
