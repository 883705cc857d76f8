"""Objects out into local files: one, or a folder of them.

Keys become paths by the one rule of ``namespace.paths``, so no key leads out of the target.
A file appears under its name only when it is whole.
"""

from __future__ import annotations

import itertools
import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol

from maruhub.errors import NoSuchKey
from maruhub.namespace.names import KEY_BYTES_MAX
from maruhub.namespace.paths import also_folders, key_to_path, prefix_to_folder

Advance = Callable[[int, int | None], None]
"""``advance(done, total)``; total None: not known."""

_PAGE: Final = 1000


class Item(Protocol):
    """What an export must know of an object."""

    @property
    def key(self) -> str:
        """Its name."""

    @property
    def size(self) -> int:
        """Its bytes."""

    @property
    def mtime_ns(self) -> int | None:
        """Its file's time."""


class Readable(Protocol):
    """What can be exported: a bucket, or a version of a dataset."""

    name: str

    def list(self, prefix: str = "") -> Iterable[Item]:
        """The objects below a prefix, in the order of their keys' bytes."""

    def stat(self, key: str) -> Item:
        """One object; raises NoSuchKey."""

    def pieces(self, item: Any) -> Iterator[memoryview]:
        """The bytes of one of its own items."""


@dataclass(frozen=True, slots=True)
class Moved:
    """What a copy between hub and files moved."""

    objects: int
    size_bytes: int


def write_object(bucket: Readable, item: Item, out: BinaryIO) -> None:
    """Writes an object's bytes into an open file, in pieces."""
    out.writelines(bucket.pieces(item))
    out.flush()


def export_object(bucket: Readable, key: str, target: Path, *, into: bool = False) -> Path:
    """Writes an object to file ``target``, or into folder ``target``; returns the file.

    With ``into`` the target is meant as a folder, and is made if there is none.
    """
    info = bucket.stat(key)
    if into:
        target.mkdir(parents=True, exist_ok=True)
    path = target / _path(key).rsplit("/", 1)[-1] if into or target.is_dir() else target
    _write_file(bucket, info, path)
    return path


def export_folder(bucket: Readable, prefix: str, target: Path, *, progress: Advance | None = None) -> Moved:
    """Writes every object below ``prefix`` (empty, or ending in ``/``) to ``target`` / the rest of its key.

    Raises:
        NoSuchKey: Nothing lies below ``prefix``.
    """
    objects = size_bytes = 0
    for info, path in _paths(bucket, prefix):
        whole = target / path
        whole.parent.mkdir(parents=True, exist_ok=True)
        _write_file(bucket, info, whole)
        objects, size_bytes = objects + 1, size_bytes + info.size
        if progress is not None:
            progress(objects, None)
    if not objects and prefix:
        raise NoSuchKey(
            f"Nothing lies below maru://{bucket.name}/{prefix}.", hint=f"See: maru ls maru://{bucket.name}"
        )
    return Moved(objects, size_bytes)


def _path(key: str, *, is_also_folder: bool = False) -> str:
    """A key's path; also that of a sample's id, which may be longer than any key."""
    if len(key.encode()) <= KEY_BYTES_MAX:
        return key_to_path(key, is_also_folder=is_also_folder)
    # The rule looks at each part alone, and a bucket's name is a plain part.
    bucket, _, rest = key.partition("/")
    return f"{bucket}/{key_to_path(rest, is_also_folder=is_also_folder)}"


def _paths(bucket: Readable, prefix: str) -> Iterator[tuple[Item, str]]:
    """Objects below a folder with their paths in it."""
    folder = prefix_to_folder(prefix)
    cut = len(folder) + 1 if folder else 0
    listed = iter(bucket.list(prefix))
    while page := list(itertools.islice(listed, _PAGE)):
        folders = _also_folders(bucket, [info.key for info in page])
        for info in page:
            yield info, _path(info.key, is_also_folder=info.key in folders)[cut:]


def _also_folders(bucket: Readable, keys: Sequence[str]) -> set[str]:
    """Keys of a page, in order, that are folders too; looks beyond the page only where it may matter."""
    found = also_folders(keys)
    # What lies between a key and the keys below it begins with the key.
    open_ended = [key for key in keys if keys[-1].startswith(key) and key not in found]
    return found | {key for key in open_ended if next(iter(bucket.list(key + "/")), None) is not None}


def _write_file(bucket: Readable, info: Item, path: Path) -> None:
    partial = path.parent / f".maru-{secrets.token_hex(8)}"
    try:
        with partial.open("xb") as file:
            write_object(bucket, info, file)
        if info.mtime_ns is not None:
            os.utime(partial, ns=(info.mtime_ns, info.mtime_ns))
        partial.replace(path)
    except BaseException as error:
        partial.unlink(missing_ok=True)
        if isinstance(error, OSError):
            # The system names the hidden file, or none at all: people know the one they asked for.
            raise type(error)(error.errno, error.strerror, str(path)) from error
        raise
