"""From what the user named to a source: a folder, a file, a glob, an archive, a URL."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import IO, Any, Final, cast

from maruhub.errors import InvalidInput, NotFound
from maruhub.ingest.entry import printable
from maruhub.ingest.folder import FolderSource
from maruhub.ingest.options import IngestOptions
from maruhub.ingest.pattern import split_glob
from maruhub.ingest.remote import RemoteSource, open_file_system
from maruhub.ingest.source import Source
from maruhub.ingest.tar import TarSource
from maruhub.ingest.zip import ZipSource

_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(://|::)")
_TAR: Final = re.compile(r"\.(tar(\.(gz|bz2|xz|lzma|zst))?|tgz|tbz2?|txz|tzst)$", re.IGNORECASE)
_ZIP: Final = re.compile(r"\.zip$", re.IGNORECASE)


def source_name(named: str | Path) -> str:
    """What a source is filed under: its URL, or its whole path, printable."""
    name = os.fspath(named)
    return printable(name if _URL.match(name) else os.path.abspath(name))


def open_source(named: str | Path, options: IngestOptions) -> Source:
    """The source of a name. Raises NotFound, InvalidInput, InvalidData; changes nothing.

    What is there as a file goes before what could be a glob; an archive is known by its
    ending, how it is compressed by its first bytes.
    """
    name = os.fspath(named)
    if name.startswith("file://"):
        return _open_local(name, name.removeprefix("file://"), options)
    if _URL.match(name):
        return _open_remote(name, options)
    return _open_local(name, name, options)


def _open_local(name: str, path: str, options: IngestOptions) -> Source:
    if "\0" in path or not path:
        raise InvalidInput(f"{name!r} is no path.", hint="Name a folder, a file, an archive or a URL.")
    if not os.path.lexists(path) and (magic := split_glob(path)):
        folder, pattern = magic
        if not os.path.isdir(folder):
            raise NotFound(f"There is no folder {folder!r} to look for {pattern!r} in.")
        return FolderSource(source_name(name), folder, options, glob=pattern)
    if options.unpack and os.path.isfile(path):
        if _TAR.search(path):
            return TarSource(source_name(name), lambda: _open_file(path), options)
        if _ZIP.search(path):
            return ZipSource(source_name(name), _open_file(path), options)
    return FolderSource(source_name(name), path, options)


def _open_file(path: str) -> IO[bytes]:
    try:
        return open(path, "rb")
    except OSError as error:
        raise InvalidInput(f"{path!r} can't be opened: {error.strerror}.") from error


def _open_remote(name: str, options: IngestOptions) -> Source:
    fs, path = open_file_system(name)
    is_tar = _TAR.search(path) is not None
    if options.unpack and (is_tar or _ZIP.search(path)) and _is_file(fs, path):

        def opened() -> IO[bytes]:
            return cast("IO[bytes]", fs.open(path, "rb"))

        return TarSource(name, opened, options) if is_tar else ZipSource(name, opened(), options)
    return RemoteSource(name, fs, path, options)


def _is_file(fs: Any, path: str) -> bool:
    try:
        return bool(fs.isfile(path))
    except Exception:  # noqa: BLE001 - a driver's own; the source says what is wrong
        return False
