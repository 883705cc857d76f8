"""A version of a dataset, read as a bucket is: ``maru://dataset/NAME/VERSION/…``.

The key is the sample's id, ``bucket/key``. The bytes are those that the version names,
whatever became of the key since; nothing here writes. Ids are looked through where they
lie, a column at a time: only the samples of a page become Python objects.
"""

from __future__ import annotations

import builtins
import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from maruhub import argument
from maruhub.errors import InvalidInput, NoSuchDataset, NoSuchKey
from maruhub.namespace.address import DatasetAddress
from maruhub.namespace.reads import read_range

if TYPE_CHECKING:
    import pyarrow as pa

    from maruhub.api.hub import Hub
    from maruhub.catalog import Version
    from maruhub.store.protocol import Store

BUCKET: Final = "dataset"
"""The reserved name under which a door shows versions beside the buckets."""

_PAGE: Final = 1000
_COLUMNS: Final = ("id", "version_id", "size", "sha256", "content_type", "created", "mtime")

_Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class FrozenObject:
    """A sample of a version as an object. ``key`` is its id; ``row`` its position in the version."""

    key: str
    row: int
    size: int
    sha256: bytes
    version_id: str
    content_type: str | None
    created_us: int | None
    mtime_ns: int | None


class FrozenBucket:
    """The samples of one version. Safe from many threads; sees the same for ever.

    Args:
        store: Where the bytes are.
        version: The version.
        called: What it was asked for by: ``v3``, ``latest``, a tag.
    """

    def __init__(self, store: Store, version: Version, called: str) -> None:
        self.version = version
        self.at = f"{version.dataset_name}/{called}/"
        self.name = f"{BUCKET}/{version.dataset_name}/{called}"
        self._store = store
        self._manifest = version.manifest

    def __repr__(self) -> str:
        return f"<version {self.name!r}>"

    def list(self, prefix: str = "") -> Iterator[FrozenObject]:
        """The samples whose id starts with ``prefix``, by id, read as you iterate."""
        rows, ids = self._matching(prefix)
        return self._objects(rows, ids)

    def folders(self, prefix: str = "") -> Iterator[FrozenObject | str]:
        """One level below ``prefix``: samples, and as text each folder (ending in ``/``)."""
        import pyarrow.compute as pc

        rows, ids = self._matching(prefix)
        rests = pc.utf8_slice_codeunits(ids, len(prefix))
        parts = pc.split_pattern(rests, "/", max_splits=1)
        deeper = pc.greater(pc.list_value_length(parts), 1)
        names = pc.unique(pc.list_element(parts, 0).filter(deeper)).to_pylist()
        here = pc.invert(deeper)
        objects = self._objects(rows[_bools(here)], ids.filter(here))
        return heapq.merge(sorted((f"{prefix}{name}/" for name in names), key=_order), objects, key=_order)

    def stat(self, key: str) -> FrozenObject:
        """What the version holds under an id; raises NoSuchKey."""
        import pyarrow.compute as pc

        rows = np.flatnonzero(self._live(pc.equal(self._manifest.column("id"), key)))
        if not len(rows):
            raise NoSuchKey(
                f"maru://{self.name}/{key} does not exist.",
                hint=f"A sample's address ends in its id, BUCKET/KEY. See: maru ls maru://{self.name}",
            )
        return self._page(rows[-1:])[0]

    def labels(self, item: FrozenObject) -> dict[str, Any]:
        """The attributes and labels that the version gives a sample."""
        names = self._manifest.user_names
        return dict(self._manifest.table(names, np.array([item.row])).to_pylist()[0]) if names else {}

    def pieces(
        self, item: str | FrozenObject, *, offset: int = 0, length: int | None = None, verify: bool = True
    ) -> Iterator[memoryview]:
        """A sample's bytes, or a range of them, in pieces of at most 1 MiB; raises Corrupt."""
        offset, length = argument.byte_range(offset, length)
        found = self.stat(item) if isinstance(item, str) else item
        extents = self._manifest.blobs(np.array([found.row])).extents
        return read_range(self._store, extents, offset=offset, length=length, verify=verify)

    def _matching(self, prefix: str) -> tuple[_Rows, pa.ChunkedArray]:
        """Live rows whose id starts with ``prefix``, and these ids, in the version's order."""
        import pyarrow as pa
        import pyarrow.compute as pc

        ids = self._manifest.column("id")
        wanted = self._live(pc.starts_with(ids, prefix))
        return np.flatnonzero(wanted).astype(np.int64), ids.filter(pa.array(wanted))

    def _live(self, mask: pa.ChunkedArray) -> npt.NDArray[np.bool_]:
        removed = self._manifest.removed
        return _bools(mask) if removed is None else _bools(mask) & ~removed

    def _objects(self, rows: _Rows, ids: pa.ChunkedArray) -> Iterator[FrozenObject]:
        """Samples in the order of their ids, made a page at a time."""
        import pyarrow.compute as pc

        ordered = rows[pc.sort_indices(ids).to_numpy()]
        for at in range(0, len(ordered), _PAGE):
            yield from self._page(ordered[at : at + _PAGE])

    def _page(self, rows: _Rows) -> builtins.list[FrozenObject]:
        import pyarrow as pa

        table = self._manifest.table(_COLUMNS, rows)
        columns = {name: table.column(name) for name in _COLUMNS}
        for name in ("created", "mtime"):
            columns[name] = columns[name].cast(pa.int64())
        values = zip(rows.tolist(), *(columns[name].to_pylist() for name in _COLUMNS), strict=True)
        return [
            FrozenObject(
                key=key,
                row=row,
                size=size,
                sha256=sha256,
                version_id=f"{version_id:016x}",
                content_type=content_type,
                created_us=created,
                mtime_ns=None if mtime is None else mtime * 1000,
            )
            for row, key, version_id, size, sha256, content_type, created, mtime in values
        ]


def frozen_bucket(hub: Hub, where: DatasetAddress) -> FrozenBucket:
    """The version that an address names; raises NoSuchDataset, NoSuchVersion, InvalidInput."""
    if not where.version:
        raise InvalidInput(
            f"{where} names no version.", hint=f"Write maru://{BUCKET}/{where.name or 'NAME'}/latest/…"
        )
    return FrozenBucket(hub.store, hub.dataset(where.name)[where.version], where.version)


def version_folders(hub: Hub, name: str = "") -> list[str]:
    """What lies above the samples, as folders: datasets, or of one its versions.

    Tags and ``latest`` address a version too, but are not listed: each sample is met once.
    """
    if not name:
        return [f"{dataset.name}/" for dataset in hub.datasets() if dataset.versions()]
    dataset = hub.dataset(name)
    if not dataset.exists:
        raise NoSuchDataset(f"there is no dataset {name!r}.", hint="`maru versions` lists them.")
    return [f"{name}/{info.name}/" for info in dataset.versions()]


def _bools(mask: pa.ChunkedArray) -> npt.NDArray[np.bool_]:
    found: npt.NDArray[np.bool_] = mask.to_numpy().astype(np.bool_)
    return found


def _order(entry: FrozenObject | str) -> bytes:
    return (entry if isinstance(entry, str) else entry.key).encode()
