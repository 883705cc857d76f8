"""A tar, plain or compressed: by what it holds, not by its name.

A plain local tar is read at random: its headers are walked, and members that the hub has
are never read. A compressed or remote one is a stream: members are read as they come by,
small ones into memory, large ones into an unnamed temporary file, because a sample's
labels may follow its bytes.
"""

from __future__ import annotations

import os
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any, Final, cast

from maruhub.errors import InvalidData
from maruhub.ingest.entry import Content, Entry, Refusal, Stream, check_key, inner_name, time_ns
from maruhub.ingest.options import IngestOptions
from maruhub.ingest.pattern import Filter
from maruhub.ingest.piece import FilePiece
from maruhub.ingest.reason import EntryRefused, Reason
from maruhub.ingest.unpacking import DAMAGE, Bounds, Unpacked, is_packed

_HEADER_BYTES_MAX: Final = 32 << 10
"""Of an extended header, which tarfile reads whole and searches by regular expressions."""

_READ_BYTES: Final = 1 << 20
_EXTENDED: Final = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)
_DAMAGED: Final = (*DAMAGE, tarfile.TarError)


class TarSource:
    """Members of a tar.

    Args:
        name: What the user called it.
        open_raw: Opens the file for reading, seekable.
        options: Patterns and bounds.
    """

    members_of_samples = True

    def __init__(self, name: str, open_raw: Callable[[], IO[bytes]], options: IngestOptions) -> None:
        self.name = name
        self._options = options
        self._filter = Filter(options.include, options.exclude)
        self._raw = open_raw()
        self._size = self._raw.seek(0, os.SEEK_END)
        self._raw.seek(0)
        head = self._raw.read(512)
        self._raw.seek(0)
        self._plain = not is_packed(head) and _descriptor(self._raw) is not None
        self.listing_is_light = self._plain
        if not head:
            self._raw.close()
            raise InvalidData(f"{name!r} is empty, not a tar.")

    def entries(self) -> Iterator[Entry | Refusal]:
        """Members in the archive's order; one last refusal if its end is missing."""
        last: list[str] = []
        try:
            for member, found in self._walk():
                last = [member]
                yield from found
        except EntryRefused as refused:
            yield Refusal.of(self._place(last), refused)
        except _DAMAGED as error:
            if not last:
                raise InvalidData(f"{self.name!r} is not a readable tar: {error}.") from error
            message = f"the archive is cut short or damaged there ({error}); what came before was taken"
            yield Refusal.of(self._place(last), EntryRefused(Reason.TRUNCATED, message))

    def _place(self, last: Sequence[str]) -> str:
        return f"{self.name} after {last[0]!r}" if last else self.name

    def _walk(self) -> Iterator[tuple[str, Iterator[Entry | Refusal]]]:
        """Each member's name, and what it yields; the latter is used up before the next."""
        header = _header_type()
        seen: set[str] = set()
        count, offset = 0, -1
        with self._open(header) as archive:
            while (member := archive.next()) is not None:
                # tarfile keeps every member for ever otherwise.
                archive.members = []  # type: ignore[attr-defined]
                # A lying size may lead it backwards, round and round.
                if member.offset <= offset:
                    raise EntryRefused(
                        Reason.DAMAGED, "a header there leads back; what came before was taken"
                    )
                offset = member.offset
                count += 1
                if count > self._options.members_max:
                    message = f"the archive has more than {count - 1} members; those before were taken"
                    raise EntryRefused(Reason.TOO_MANY, message)
                yield member.name, self._member(archive, member, seen)
        if not header.ended:
            raise EntryRefused(Reason.TRUNCATED, "the archive has no end mark: cut short or damaged there")

    def _open(self, header: type[tarfile.TarInfo]) -> tarfile.TarFile:
        shared: dict[str, Any] = {"tarinfo": header, "encoding": "utf-8", "errors": "surrogateescape"}
        if self._plain:
            return tarfile.open(fileobj=self._raw, mode="r:", **shared)
        unpacked = cast("IO[bytes]", Unpacked(self._raw, Bounds(self._options)))
        return tarfile.open(fileobj=unpacked, mode="r|", bufsize=_READ_BYTES, **shared)

    def _member(
        self, archive: tarfile.TarFile, member: tarfile.TarInfo, seen: set[str]
    ) -> Iterator[Entry | Refusal]:
        if member.isdir():
            return
        try:
            name = inner_name(member.name)
            if not self._filter.takes(name):
                return
            check_key(name)
            _check_kind(member)
            if name in seen:
                raise EntryRefused(Reason.DUPLICATE, "an earlier member has this name; the first was taken")
            seen.add(name)
            yield self._entry(archive, member, name)
        except EntryRefused as refused:
            if refused.reason in (Reason.BOMB, Reason.TOO_LARGE, Reason.TRUNCATED):
                raise
            yield Refusal.of(member.name, refused)

    def _entry(self, archive: tarfile.TarFile, member: tarfile.TarInfo, name: str) -> Entry:
        mtime_ns = time_ns(member.mtime)
        if self._plain:
            if member.offset_data + member.size > self._size:
                raise _cut_in(name)
            return Entry(name, member.size, mtime_ns, member.offset_data)
        stream = archive.extractfile(member)
        assert stream is not None, "a regular member has bytes"
        if member.size > self._options.large_bytes:
            return Entry(name, member.size, mtime_ns, _Spool(stream, name, member.size))
        data = stream.read(member.size)
        if len(data) != member.size:
            raise _cut_in(name)
        return Entry(name, member.size, mtime_ns, data)

    def read_many(self, entries: Sequence[Entry]) -> list[Content | Refusal]:
        """From memory, from the temporary file, or from the tar at the member's place."""
        return [self._read(entry) for entry in entries]

    def _read(self, entry: Entry) -> Content | Refusal:
        if isinstance(entry.where, bytes):
            return Content(entry.where, entry.mtime_ns)
        try:
            piece = self._piece(entry)
            return Content(piece.read(entry.size), entry.mtime_ns)
        except EntryRefused as refused:
            return Refusal.of(entry.name, refused)

    def _piece(self, entry: Entry) -> FilePiece:
        if isinstance(entry.where, int):
            return FilePiece(self._raw.fileno(), entry.where, entry.size, mtime_ns=entry.mtime_ns)
        return FilePiece(entry.where.fd, 0, entry.size, mtime_ns=entry.mtime_ns, owner=entry.where)

    def open(self, entry: Entry) -> Stream:
        """A large member, in pieces."""
        return self._piece(entry)

    def close(self) -> None:
        """Closes the archive."""
        self._raw.close()


def _check_kind(member: tarfile.TarInfo) -> None:
    if member.issym() or member.islnk():
        raise EntryRefused(
            Reason.LINK, f"it is a link to {member.linkname!r}; links in archives aren't followed"
        )
    if member.issparse():
        raise EntryRefused(Reason.UNSUPPORTED, "it is stored sparse; pack it without --sparse")
    if not member.isreg():
        raise EntryRefused(Reason.SPECIAL, "it is a device, a pipe or of an unknown kind, not a file")


def _cut_in(name: str) -> EntryRefused:
    return EntryRefused(Reason.TRUNCATED, f"the archive ends inside {name!r}; what came before was taken")


class _Spool:
    """An unnamed temporary file, gone when nobody refers to it."""

    def __init__(self, stream: IO[bytes], name: str, size: int) -> None:
        with tempfile.TemporaryFile() as file:
            left = size
            while left:
                data = stream.read(min(left, _READ_BYTES))
                if not data:
                    raise _cut_in(name)
                file.write(data)
                left -= len(data)
            file.flush()
            self.fd = os.dup(file.fileno())

    def __del__(self) -> None:
        if hasattr(self, "fd"):
            os.close(self.fd)


def _descriptor(raw: IO[bytes]) -> int | None:
    try:
        return raw.fileno()
    except (OSError, AttributeError):
        return None


class _Header(tarfile.TarInfo):
    ended = False


def _header_type() -> type[_Header]:
    """A TarInfo that refuses hostile headers and notes whether the end mark was seen."""

    class Header(_Header):
        @classmethod
        def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Header:
            """As tarfile's own; raises EntryRefused for sizes that only a trap has."""
            if len(buf) == tarfile.BLOCKSIZE and not any(buf):
                cls.ended = True
            made = super().frombuf(buf, encoding, errors)
            if made.size < 0 or (made.type in _EXTENDED and made.size > _HEADER_BYTES_MAX):
                raise EntryRefused(Reason.DAMAGED, "a header there is absurd; what came before was taken")
            return made

    return Header
