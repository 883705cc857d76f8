"""An entry: one thing that a source offers, before its bytes are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol

from maruhub.ingest.reason import EntryRefused, Reason

UNKNOWN_SIZE: Final = -1
KEY_BYTES_MAX: Final = 1024
_SECONDS_MAX: Final = 9_000_000_000


class Entry(NamedTuple):
    """What a source knows of one file, member, remote object or row.

    ``name`` is relative to the source, parts joined by ``/``; ``where`` is the source's
    own handle and means nothing to others; ``metadata`` is what the source itself says
    of the sample; ``sidecars`` are the label files that belong to it.
    """

    name: str
    size: int
    mtime_ns: int | None
    where: Any = None
    metadata: Mapping[str, str] | None = None
    sidecars: tuple[Entry, ...] = ()


class Content(NamedTuple):
    """An entry's bytes, whole, and the time of the state that was read."""

    data: bytes
    mtime_ns: int | None


class Stream(Protocol):
    """A large entry, read in pieces. ``read`` raises EntryRefused when it can't go on."""

    mtime_ns: int | None

    def read(self, size: int = -1, /) -> bytes:
        """At most ``size`` bytes; empty at the end, and only when the whole was read."""

    def close(self) -> None:
        """Frees what it holds."""


@dataclass(frozen=True, slots=True)
class Refusal:
    r"""One entry that was not stored.

    Args:
        name: The entry in the source, printable: bytes that are not UTF-8 as ``\xff``.
        reason: A stable word (``reason.Reason``), for programs.
        message: What is wrong, for people.
    """

    name: str
    reason: str
    message: str

    @classmethod
    def of(cls, name: str, refused: EntryRefused) -> Refusal:
        """From the exception that a source raised."""
        return cls(printable(name), refused.reason.value, refused.message)


def printable(name: str) -> str:
    """A file system's name as text that every terminal and JSON can hold."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def check_key(key: str) -> None:
    """Raises EntryRefused for what can't be a key: 1–1,024 bytes of UTF-8."""
    if key.isascii():
        size = len(key)
    else:
        try:
            size = len(key.encode())
        except UnicodeEncodeError:
            raise EntryRefused(Reason.NOT_UTF8, "its name is not UTF-8; rename it") from None
    if not 1 <= size <= KEY_BYTES_MAX:
        raise EntryRefused(Reason.BAD_NAME, f"its key would have {size} bytes; 1 to {KEY_BYTES_MAX} fit")


def inner_name(name: str) -> str:
    """A member's name inside an archive or a remote source, without ``.`` and empty parts.

    Raises EntryRefused for a name that would lead out when written to a file system,
    read the POSIX way or the Windows way.
    """
    parts = name.split("/")
    if name.startswith(("/", "\\")) or (name[1:2] == ":" and name[2:3] in ("/", "\\")):
        raise EntryRefused(Reason.OUTSIDE, "its name is absolute")
    if ".." in name and ".." in name.replace("\\", "/").split("/"):
        raise EntryRefused(Reason.OUTSIDE, "its name leads out of the archive by '..'")
    kept = "/".join(part for part in parts if part not in ("", "."))
    if not kept:
        raise EntryRefused(Reason.BAD_NAME, "it has no name")
    return kept


def time_ns(seconds: float | None) -> int | None:
    """A source's time as nanoseconds since 1970; None for what no clock shows."""
    if seconds is None or not -_SECONDS_MAX < seconds < _SECONDS_MAX:
        return None
    return int(seconds * 1_000_000_000)
