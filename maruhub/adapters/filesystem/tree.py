"""What the hub looks like as folders and files: root, buckets, versions, what lies in them.

Paths have no scheme and no slash at their end. Raises the hub's own errors.
"""

from __future__ import annotations

import datetime
import errno
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, Protocol

from maruhub.errors import AlreadyExists, InvalidName, MaruError, NoSuchBucket, NotFound, Refused
from maruhub.namespace.address import SCHEME, DatasetAddress, ObjectAddress, parse_short

DATASETS: Final = "dataset"
Entry = dict[str, Any]


class Item(Protocol):
    """An object, or a sample of a version."""

    @property
    def key(self) -> str:
        """Its name in its bucket."""

    @property
    def size(self) -> int:
        """Bytes."""

    @property
    def created_us(self) -> int | None:
        """When it came to be, microseconds since 1970."""


class Bucket(Protocol):
    """What can be listed and read: a bucket here or elsewhere, or a version."""

    name: str

    def list(self, prefix: str = "") -> Iterable[Any]:
        """The objects below a prefix."""

    def folders(self, prefix: str = "") -> Iterator[Any]:
        """One level: objects, and folders as text."""

    def stat(self, key: str) -> Any:
        """One object; raises NoSuchKey."""

    def pieces(self, item: Any, *, offset: int = 0, length: int | None = None) -> Iterator[memoryview]:
        """The bytes of one of its own objects."""


class Tree:
    """The folders and files of an open hub. Holds nothing: each answer is that of now."""

    def __init__(self, hub: Any) -> None:
        self._hub = hub

    # ------------------------------------------------------------ listed

    def level(self, path: str) -> list[Entry]:
        """What lies directly in a folder; of a file, itself; raises NotFound."""
        if not path:
            names = [bucket.name for bucket in self._hub.buckets()]
            return [_folder(name) for name in [*names, *([DATASETS] if self._hub.datasets() else [])]]
        address = parse_short(path)
        if isinstance(address, DatasetAddress) and not address.version:
            return [_folder(f"{DATASETS}/{name}") for name in self._datasets(address.name)]
        bucket, key = self._open(address)
        found = [
            _folder(f"{bucket.name}/{entry}") if isinstance(entry, str) else _file(bucket, entry)
            for entry in bucket.folders(address.below)
            if isinstance(entry, str) or not entry.key.endswith("/")
        ]
        return found or ([_file(bucket, bucket.stat(key))] if key else [])

    def entry(self, path: str) -> Entry:
        """What a path is; raises NotFound. What is both a file and a folder is a file."""
        if not path:
            return _folder("")
        address = parse_short(path)
        if isinstance(address, DatasetAddress) and not address.version:
            self._datasets(address.name)
            return _folder(path)
        bucket, key = self._open(address)
        try:
            if key:
                return _file(bucket, bucket.stat(key))
        except NotFound:
            if next(iter(bucket.list(address.below)), None) is None:
                raise
        # A bucket may be empty, but has to be there.
        next(iter(bucket.folders(address.below)), None)
        return _folder(path)

    def below(self, path: str, *, folders: bool) -> dict[str, Entry]:
        """All files below a folder, by name in order, perhaps with the folders; none where nothing is."""
        try:
            address = parse_short(path)
            bucket, key = self._open(address)
            found = {
                entry["name"]: entry
                for entry in (_file(bucket, item) for item in bucket.list(address.below))
                if not entry["name"].endswith("/")
            }
            if not found and key:
                return {path: _file(bucket, bucket.stat(key))}
        except NotFound:
            return {}
        if folders:
            between = {name for file in found for name in _parents(file, path)}
            found |= {name: _folder(name) for name in between - found.keys()}
        return {name: found[name] for name in sorted(found)}

    # ------------------------------------------------------------ found

    def find(self, path: str) -> tuple[Bucket, Item]:
        """A file's object and where it lies; raises NotFound."""
        address = parse_short(path) if path else None
        if address is not None and (address.key if isinstance(address, ObjectAddress) else address.path):
            bucket, key = self._open(address)
            return bucket, bucket.stat(key)
        self.entry(path)
        raise IsADirectoryError(errno.EISDIR, f"{SCHEME}{path} is a folder.")

    def place(self, path: str) -> tuple[Any, str]:
        """The bucket and key of a file to write; raises Refused in a dataset."""
        address = parse_short(path or "/")
        if isinstance(address, DatasetAddress):
            raise Refused(
                f"{address} lies in a dataset, whose versions can only be read.",
                hint="Write to a bucket, and commit it as a new version.",
            )
        if not address.key:
            raise InvalidName(f"{address} is a bucket.", hint=f"Name a file in it: {address}NAME")
        return self._hub.bucket(address.bucket), address.key

    def read(self, paths: Sequence[str]) -> Iterator[tuple[str, bytes | memoryview | MaruError]]:
        """The bytes of files, or their errors; one look-up and one read a bucket."""
        by_bucket: dict[str, dict[str, str]] = defaultdict(dict)
        for path in paths:
            address = parse_short(path)
            if isinstance(address, ObjectAddress):
                by_bucket[address.bucket][address.key] = path
                continue
            try:
                bucket, item = self.find(path)
                yield path, b"".join(bucket.pieces(item))
            except MaruError as error:
                yield path, error
        for name, names in by_bucket.items():
            try:
                results = self._hub.bucket(name).read_many(list(names))
            except NoSuchBucket as missing:
                results = [missing] * len(names)
            yield from zip(names.values(), results, strict=True)

    # ------------------------------------------------------------ buckets

    def make(self, path: str, *, again: bool) -> None:
        """Makes a bucket; a folder below one needs none. Elsewhere the first put makes it."""
        address = parse_short(path or "/")
        if isinstance(address, DatasetAddress):
            raise Refused(f"{address}: a commit makes datasets and versions.")
        if address.key or not hasattr(self._hub, "namespace"):
            return
        try:
            self._hub.namespace.buckets.create(address.bucket)
        except AlreadyExists:
            if not again:
                raise

    def remove(self, path: str) -> None:
        """Deletes an empty bucket; a folder is gone with what was in it."""
        address = parse_short(path or "/")
        if isinstance(address, DatasetAddress) or not hasattr(self._hub, "namespace"):
            raise Refused(f"{address} can't be deleted through this door.", hint="Use the command `maru`.")
        if not address.key:
            self._hub.namespace.buckets.delete(address.bucket)

    # ------------------------------------------------------------ inside

    def _open(self, address: ObjectAddress | DatasetAddress) -> tuple[Bucket, str]:
        """Where an address lies, and the key there (empty: the whole of it)."""
        if isinstance(address, ObjectAddress):
            return self._hub.bucket(address.bucket), address.key
        from maruhub.api.frozen import frozen_bucket

        if not hasattr(self._hub, "store"):
            raise Refused(
                f"{address}: versions of a hub elsewhere are no files here.",
                hint="Read them by hub.version(…).batches(…), or over S3 in the bucket 'dataset'.",
            )
        return frozen_bucket(self._hub, address), address.path

    def _datasets(self, name: str) -> list[str]:
        from maruhub.api.frozen import version_folders

        lead = f"{name}/" if name else ""
        return [
            entry if entry.startswith(lead) else lead + entry for entry in version_folders(self._hub, name)
        ]


def _folder(path: str) -> Entry:
    return {"name": path.rstrip("/"), "size": 0, "type": "directory"}


def _file(bucket: Bucket, item: Any) -> Entry:
    created = item.created_us
    return {
        "name": f"{bucket.name}/{item.key}",
        "size": item.size,
        "type": "file",
        "created": created
        if created is None
        else datetime.datetime.fromtimestamp(created / 1e6, datetime.UTC),
        "content_type": item.content_type,
        "sha256": item.sha256.hex(),
        "version_id": item.version_id,
        "etag": getattr(item, "etag", None),
    }


def _parents(path: str, top: str) -> Iterator[str]:
    """The folders above a path, up to and with ``top``."""
    while len(path) > len(top) and "/" in path:
        path = path.rpartition("/")[0]
        yield path
