"""Any fsspec source: ``s3://…``, ``http://…``, ``memory://…``, chained ones too.

Listed a folder at a time; small objects are fetched many at once where the file system
can, large ones opened and read in pieces. Names that lead out are refused as in archives,
since a listing is only what some server says.
"""

from __future__ import annotations

import datetime
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import IO, Any, Final

from maruhub.errors import InvalidInput, MaruError, NotFound
from maruhub.ingest.entry import UNKNOWN_SIZE, Content, Entry, Refusal, Stream, check_key, inner_name, time_ns
from maruhub.ingest.options import IngestOptions
from maruhub.ingest.pattern import Filter, depth, split_glob
from maruhub.ingest.reason import EntryRefused, Reason
from maruhub.ingest.unpacking import Bounds

_TIMES: Final = ("mtime", "LastModified", "last_modified", "modified", "updated", "created")


def open_file_system(url: str) -> tuple[Any, str]:
    """The fsspec file system of a URL and the path in it. Raises InvalidInput."""
    import fsspec

    try:
        fs, path = fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as error:
        hint = "Install the fsspec package it names (such as s3fs, gcsfs, adlfs)."
        raise InvalidInput(f"{url!r} can't be opened: {error}.", hint=hint) from error
    return fs, str(path)


class RemoteSource:
    """Objects below ``url``, names relative to it, or one object.

    Args:
        name: What the user called it, magic included.
        fs: An fsspec file system.
        path: The path in it.
        options: Patterns and bounds.
    """

    listing_is_light = True
    members_of_samples = False

    def __init__(self, name: str, fs: Any, path: str, options: IngestOptions) -> None:
        self.name = name
        self._fs = fs
        self._large = options.large_bytes
        self._filter = Filter(options.include, options.exclude)
        self._bounds = Bounds(options)
        self._lock: AbstractContextManager[Any] = nullcontext() if fs.async_impl else threading.Lock()
        magic = split_glob(path) if not self._exists(path) else None
        self._base, self._pattern = magic or (path, "")
        self._glob = Filter(("/" + self._pattern,)) if self._pattern else Filter()
        self._depth = depth(self._pattern) if self._pattern else None
        if not self._exists(self._base):
            raise NotFound(f"There is nothing at {name!r}.")

    def _exists(self, path: str) -> bool:
        try:
            return bool(self._fs.exists(path))
        except Exception as error:
            raise _unreachable(self.name, error) from error

    def entries(self) -> Iterator[Entry | Refusal]:
        """A folder at a time, each sorted by name.

        Raises NotFound at the end if a glob has matched nothing.
        """
        empty = self._pattern != ""
        for found in self._walk():
            empty = False
            yield found
        if empty:
            raise NotFound(f"Nothing in {self._base!r} matches {self._pattern!r}.", hint="Check the pattern.")

    def _walk(self) -> Iterator[Entry | Refusal]:
        try:
            info = self._fs.info(self._base)
        except Exception as error:
            raise _unreachable(self.name, error) from error
        if info.get("type") == "file":
            yield self._look(info, self._base.rstrip("/").rpartition("/")[2])
            return
        folders = [self._base]
        seen = {self._base.rstrip("/")}
        while folders:
            folder = folders.pop()
            try:
                listed = sorted(self._fs.ls(folder, detail=True), key=_by_name)
            except Exception as error:  # noqa: BLE001
                yield Refusal.of(folder, _unreadable(error))
                continue
            for info in listed:
                path = str(info["name"]).rstrip("/")
                name = self._relative(path)
                # Some list the folder itself, or a marker object of its name.
                if path == folder.rstrip("/") or name is None:
                    continue
                if info.get("type") == "directory":
                    if path not in seen and self._enters(name):
                        seen.add(path)
                        folders.append(path)
                elif self._filter.takes(name) and self._glob.takes(name):
                    yield self._look(info, name)

    def _relative(self, path: str) -> str | None:
        base = self._base.rstrip("/")
        if not base:
            return path.lstrip("/") or None
        return path[len(base) + 1 :] or None if path.startswith(base + "/") else None

    def _enters(self, name: str) -> bool:
        return self._filter.enters(name) and (self._depth is None or name.count("/") < self._depth)

    def _look(self, info: Mapping[str, Any], name: str) -> Entry | Refusal:
        try:
            name = inner_name(name)
            check_key(name)
            size = info.get("size")
            size = UNKNOWN_SIZE if size is None else int(size)
            if (packed := info.get("compress_size")) is not None:
                self._bounds.check(unpacked=size, packed=int(packed))
            if info.get("type") not in ("file", None):
                raise EntryRefused(Reason.SPECIAL, f"it is of the kind {info.get('type')!r}, not a file")
        except EntryRefused as refused:
            return Refusal.of(name, refused)
        return Entry(name, size, _mtime_ns(info), str(info["name"]))

    def read_many(self, entries: Sequence[Entry]) -> list[Content | Refusal]:
        """All at once; what came with another length than listed is fetched once more."""
        first = self._fetch(entries)
        again = [e for e, got in zip(entries, first, strict=True) if _other_size(e, got)]
        second = dict(zip((e.where for e in again), self._fetch(again), strict=True)) if again else {}
        return [self._checked(e, second.get(e.where, got)) for e, got in zip(entries, first, strict=True)]

    def _fetch(self, entries: Sequence[Entry]) -> list[bytes | Exception]:
        paths = [entry.where for entry in entries]
        try:
            with self._lock:
                got = self._fs.cat(paths, on_error="return")
        except Exception as error:  # noqa: BLE001
            return [error] * len(paths)
        return [got.get(path, FileNotFoundError(path)) for path in paths]

    def _checked(self, entry: Entry, got: bytes | Exception) -> Content | Refusal:
        if isinstance(got, Exception):
            return Refusal.of(entry.name, _unreadable(got))
        if _other_size(entry, got):
            changed = EntryRefused(
                Reason.CHANGED, f"it gave {len(got)} bytes and was listed with {entry.size}"
            )
            return Refusal.of(entry.name, changed)
        return Content(bytes(got), entry.mtime_ns)

    def open(self, entry: Entry) -> Stream:
        """One object, in pieces."""
        try:
            with self._lock:
                return _RemoteStream(self._fs.open(entry.where, "rb"), entry, self._lock)
        except Exception as error:
            raise _unreadable(error) from error

    def close(self) -> None:
        """Nothing: fsspec keeps its file systems for others."""


class _RemoteStream:
    def __init__(self, file: IO[bytes], entry: Entry, lock: AbstractContextManager[Any]) -> None:
        self._file = file
        self._size = entry.size
        self._done = 0
        self._lock = lock
        self.mtime_ns = entry.mtime_ns

    def read(self, size: int = -1, /) -> bytes:
        try:
            with self._lock:
                data = bytes(self._file.read(size))
        except Exception as error:
            raise _unreadable(error) from error
        self._done += len(data)
        ended = not data and size != 0
        if self._size != UNKNOWN_SIZE and (self._done > self._size or (ended and self._done < self._size)):
            raise EntryRefused(
                Reason.CHANGED, f"it gave another number of bytes than the {self._size} listed"
            )
        return data

    def close(self) -> None:
        with self._lock:
            self._file.close()


def _by_name(info: Mapping[str, Any]) -> str:
    return str(info["name"])


def _other_size(entry: Entry, got: bytes | Exception) -> bool:
    return not isinstance(got, Exception) and entry.size not in (UNKNOWN_SIZE, len(got))


def _unreadable(error: Exception) -> EntryRefused:
    if isinstance(error, FileNotFoundError):
        return EntryRefused(Reason.VANISHED, "it is gone since it was listed")
    return EntryRefused(Reason.UNREADABLE, f"it can't be read: {str(error) or type(error).__name__}")


def _unreachable(name: str, error: Exception) -> MaruError:
    # Drivers raise what their own libraries do; none of them is a bug of ours.
    hint = "Check the address and that you may read it."
    return InvalidInput(f"{name!r} can't be listed: {str(error) or type(error).__name__}.", hint=hint)


def _mtime_ns(info: Mapping[str, Any]) -> int | None:
    for name in _TIMES:
        value = info.get(name)
        if isinstance(value, datetime.datetime):
            aware = value if value.tzinfo else value.replace(tzinfo=datetime.UTC)
            return time_ns(aware.timestamp())
        if isinstance(value, int | float):
            return time_ns(value)
    return None
