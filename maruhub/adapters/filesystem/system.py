"""The file system itself: fsspec's methods, in terms of the hub.

Files appear whole, at ``close``; a transaction's small files in one commit a bucket. Folders are
what keys have in common before a ``/``: they hold no bytes, and exist as long as something lies
below them. Versions of datasets can only be read.
"""

from __future__ import annotations

import datetime
import errno
import functools
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from fsspec.spec import AbstractFileSystem

from maruhub import argument, config, errors
from maruhub.adapters.filesystem.file import MaruReader, MaruTransaction, MaruWriter
from maruhub.adapters.filesystem.os_error import as_os_error, speaks_os
from maruhub.adapters.filesystem.tree import Bucket, Item, Tree
from maruhub.api import Hub, connect, find_hub
from maruhub.namespace.address import SCHEME, DatasetAddress, ObjectAddress, parse_short

_hubs: Final[dict[tuple[str, tuple[tuple[str, Any], ...]], Any]] = {}


def _open_hub(where: str, options: tuple[tuple[str, Any], ...]) -> Any:
    """One hub a process for all file systems on it: fsspec makes one in each thread. One that was closed is replaced."""
    hub = _hubs.get((where, options))
    if hub is None or getattr(hub, "closed", False):
        hub = _hubs[where, options] = connect(where, **dict(options))
    return hub


class MaruFileSystem(AbstractFileSystem):
    """A hub's buckets and versions as files. Safe from many threads, after a fork, and pickled.

    Args:
        hub: The hub's folder or address, or an open hub; else what ``MARU_HUB`` says, else the
            nearest hub from the working folder upwards.
        access_key: Who asks a hub at an address; else ``MARU_ACCESS_KEY``.
        secret_key: Its secret; else ``MARU_SECRET_KEY``.
        ca: A file of certificates to trust.
        read_only: Never write; of a hub in a folder.
        storage_options: fsspec's own.
    """

    protocol = "maru"
    # fsspec would find an instance by what it was called with: the same relative path, in another
    # working folder, is another hub. Open hubs are shared instead.
    cachable = False
    root_marker = ""
    transaction_type = MaruTransaction
    hub: Any

    def __init__(
        self,
        hub: str | os.PathLike[str] | Hub | None = None,
        *,
        access_key: str | None = None,
        secret_key: str | None = None,
        ca: str | None = None,
        read_only: bool = False,
        **storage_options: Any,
    ) -> None:
        super().__init__(**storage_options)
        given = {"access_key": access_key, "secret_key": secret_key, "ca": ca}
        options: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        if read_only:
            options["read_only"] = True
        where = hub if hub is not None else config.hub() or find_hub(Path.cwd())
        if isinstance(where, str | os.PathLike):
            named = os.fspath(where)
            named = named if "://" in named else os.path.abspath(named)
            self.hub = _open_hub(named, tuple(options.items()))
        elif hasattr(where, "buckets"):
            self.hub = where
        else:
            raise argument.wrong("hub", hub, "a hub, its folder, or its address")
        self._tree = Tree(self.hub)

    @property
    def fsid(self) -> str:
        """Which hub this is."""
        return f"maru:{getattr(self.hub, 'url', None) or self.hub.path}"

    # ------------------------------------------------------------ what there is

    @speaks_os
    def ls(self, path: str, detail: bool = True, **kwargs: Any) -> list[Any]:
        """One level: dicts of ``name``, ``size``, ``type`` and more, or names."""
        path = self._strip_protocol(path)
        found = self._tree.level(path)
        return found if detail else [entry["name"] for entry in found]

    @speaks_os
    def info(self, path: str, **kwargs: Any) -> dict[str, Any]:
        """What a path is; FileNotFoundError."""
        return self._tree.entry(self._strip_protocol(path))

    @speaks_os
    def find(
        self,
        path: str,
        maxdepth: int | None = None,
        withdirs: bool = False,
        detail: bool = False,
        **kwargs: Any,
    ) -> Any:
        """All files below a path: of a bucket or version in one walk of its keys, not folder by folder."""
        path = self._strip_protocol(path)
        address = parse_short(path) if path else None
        whole = isinstance(address, ObjectAddress) or (
            isinstance(address, DatasetAddress) and address.version
        )
        if maxdepth is not None or not whole:
            return super().find(path, maxdepth=maxdepth, withdirs=withdirs, detail=detail, **kwargs)
        found = self._tree.below(path, folders=withdirs)
        return found if detail else list(found)

    def created(self, path: str) -> datetime.datetime:
        """When this version of an object came to be, UTC."""
        created: datetime.datetime | None = self.info(path).get("created")
        if created is None:
            raise IsADirectoryError(errno.EISDIR, f"{path} is a folder, or nobody noted when it was made.")
        return created

    def modified(self, path: str) -> datetime.datetime:
        """The same: a version never changes, a change is a new version."""
        return self.created(path)

    def ukey(self, path: str) -> str:
        """The version's id: another one as soon as the key is written again."""
        info = self.info(path)
        return str(info.get("version_id") or info["name"])

    def checksum(self, path: str) -> int:
        """A number of the content: of its SHA-256."""
        return int(self.info(path)["sha256"][:16], 16)

    # ------------------------------------------------------------ reading

    @speaks_os
    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **kwargs: Any) -> bytes:
        """The bytes of a file or of a part of it; negative ends count from its end, as in a slice."""
        bucket, item = self._tree.find(self._strip_protocol(path))
        return _slice(bucket, item, start, end)

    @speaks_os
    def cat_ranges(
        self,
        paths: Sequence[str],
        starts: int | Sequence[int | None] | None,
        ends: int | Sequence[int | None] | None,
        max_gap: int | None = None,
        on_error: str = "return",
        **kwargs: Any,
    ) -> list[Any]:
        """Parts of files, in their order; each file is looked up once."""
        firsts = _each(starts, len(paths))
        lasts = _each(ends, len(paths))
        if not len(paths) == len(firsts) == len(lasts):
            raise ValueError("paths, starts and ends must be equally many")
        find = functools.cache(self._tree.find)
        found: list[Any] = []
        for path, start, end in zip(paths, firsts, lasts, strict=True):
            try:
                found.append(_slice(*find(self._strip_protocol(path)), start, end))
            except errors.MaruError as error:
                if on_error != "return":
                    raise
                found.append(as_os_error(error))
        return found

    @speaks_os
    def cat(self, path: Any, recursive: bool = False, on_error: str = "raise", **kwargs: Any) -> Any:
        """One file's bytes, or a dict of many: these are one look-up and one read a bucket."""
        paths = self.expand_path(path, recursive=recursive, **kwargs)
        if isinstance(path, str) and paths == [self._strip_protocol(path)] and not recursive:
            return self.cat_file(paths[0])
        files = [each for each in paths if not (recursive and self.isdir(each))]
        found: dict[str, Any] = {}
        for name, result in self._tree.read(files):
            if not isinstance(result, errors.MaruError):
                found[name] = bytes(result)
            elif on_error == "raise":
                raise result
            elif on_error == "return":
                found[name] = as_os_error(result)
        return {name: found[name] for name in files if name in found}

    # ------------------------------------------------------------ writing

    @speaks_os
    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **kwargs: Any) -> None:
        """Writes a file whole; with ``mode="create"`` only if there is none."""
        if self._intrans:
            super().pipe_file(path, value, mode=mode, **kwargs)
            return
        bucket, key = self._tree.place(self._strip_protocol(path))
        bucket.put(key, value, if_none_match=mode == "create")

    @speaks_os
    def pipe(self, path: str | Mapping[str, bytes], value: bytes | None = None, **kwargs: Any) -> None:
        """Writes files; those of a dict in one commit a bucket."""
        if isinstance(path, str) or self._intrans or kwargs:
            super().pipe(path, value, **kwargs)
            return
        by_bucket: dict[str, dict[str, bytes]] = defaultdict(dict)
        for name, data in path.items():
            bucket, key = self._tree.place(self._strip_protocol(name))
            by_bucket[bucket.name][key] = data
        for bucket_name, items in by_bucket.items():
            self.hub.bucket(bucket_name).put_many(items)

    @speaks_os
    def cp_file(self, path1: str, path2: str, **kwargs: Any) -> None:
        """Another key for the same bytes; between buckets no byte moves."""
        source, target = self._strip_protocol(path1), self._strip_protocol(path2)
        if self._tree.entry(source)["type"] == "directory":
            return
        bucket, key = self._tree.place(target)
        if source.startswith("dataset/"):
            bucket.put(key, self.cat_file(source))
            return
        at = parse_short(source)
        assert isinstance(at, ObjectAddress), "only versions lie elsewhere"
        self.hub.bucket(at.bucket).copy(at.key, key, bucket=bucket.name)

    @speaks_os
    def rm(self, path: Any, recursive: bool = False, maxdepth: int | None = None) -> None:
        """Deletes files, and with ``recursive`` what lies below; restorable until the delay is over."""
        by_bucket: dict[str, list[str]] = defaultdict(list)
        for each in self.expand_path(path, recursive=recursive, maxdepth=maxdepth):
            entry = self._tree.entry(each)
            if entry["type"] == "file":
                bucket, key = self._tree.place(each)
                by_bucket[bucket.name].append(key)
            elif not recursive:
                raise IsADirectoryError(
                    errno.EISDIR, f"{SCHEME}{each} is a folder; recursive=True deletes it."
                )
        for name, keys in by_bucket.items():
            self.hub.bucket(name).delete_many(keys)

    def _rm(self, path: str) -> None:
        self.rm(path)

    rm_file = _rm

    @speaks_os
    def mkdir(self, path: str, create_parents: bool = True, **kwargs: Any) -> None:
        """Makes a bucket; a folder in one needs no making."""
        self._tree.make(self._strip_protocol(path), again=False)

    @speaks_os
    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        """As :meth:`mkdir`; FileExistsError for a bucket that is there, unless ``exist_ok``."""
        self._tree.make(self._strip_protocol(path), again=exist_ok)

    @speaks_os
    def rmdir(self, path: str) -> None:
        """Deletes an empty bucket."""
        self._tree.remove(self._strip_protocol(path))

    # ------------------------------------------------------------ files

    @speaks_os
    def _open(
        self,
        path: str,
        mode: str = "rb",
        block_size: int | None = None,
        autocommit: bool = True,
        **options: Any,
    ) -> MaruReader | MaruWriter:
        options.pop("cache_options", None)
        if mode == "rb":
            return MaruReader(self, path, *self._tree.find(path), block_size)
        bucket, key = self._tree.place(path)
        return MaruWriter(self, path, bucket, key, mode=mode, autocommit=autocommit)


def _slice(bucket: Bucket, item: Item, start: int | None, end: int | None) -> bytes:
    """What ``whole[start:end]`` would be, without reading the whole."""
    first, last, _ = slice(start, end).indices(item.size)
    return b"".join(bucket.pieces(item, offset=first, length=max(last - first, 0)))


def _each(given: int | Sequence[int | None] | None, count: int) -> list[int | None]:
    """A bound for each of the paths; one alone is that of all."""
    return list(given) if isinstance(given, Sequence) else [given] * count
