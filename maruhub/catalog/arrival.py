"""What a bucket holds that a version does not know yet, as columns.

One pass over the listing, a page at a time; only what is new or changed is kept, as Arrow
arrays and never as Python objects. Each page is one moment, so the whole names each key's
state at some moment between the commit's start and its end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from maruhub.catalog.manifests.column_group import RowArray
from maruhub.catalog.manifests.sample_index import SampleIndex
from maruhub.catalog.name import free_column
from maruhub.catalog.split import text_hashes
from maruhub.errors import InvalidData
from maruhub.store.format.extent import EXTENT_DTYPE

if TYPE_CHECKING:
    import pyarrow as pa

    from maruhub.catalog.manifests.manifest import Manifest
    from maruhub.namespace.object import ObjectInfo

ATTRIBUTES_MAX: Final = 1024
"""Different metadata keys that a dataset's objects may have."""

Progress = Callable[[int], None]
"""Told how many objects were seen so far."""


@dataclass(frozen=True, slots=True)
class Arrivals:
    """What a commit adds and takes away.

    ``base`` and ``attributes`` (None: no metadata at all) are tables of the new rows in
    order of arrival; ``earlier`` is ``int64[n]``, the row each one replaces (-1: none);
    ``gone`` the rows of the version before that are no longer there.
    """

    base: pa.Table
    attributes: pa.Table | None
    earlier: RowArray
    gone: RowArray
    seen: int

    def __bool__(self) -> bool:
        return bool(self.base.num_rows or len(self.gone))


def base_schema() -> pa.Schema:
    """Columns of the base group; ``docs/format-manifests.md`` explains each."""
    import pyarrow as pa

    extent = pa.struct(
        [
            ("segment", pa.uint64()),
            ("offset", pa.uint64()),
            ("length", pa.uint32()),
            ("flags", pa.uint32()),
            ("checksum", pa.uint64()),
        ]
    )
    return pa.schema(
        [
            ("id", pa.string()),
            ("version_id", pa.uint64()),
            ("size", pa.int64()),
            ("sha256", pa.binary(32)),
            ("root_hash", pa.uint64()),
            ("blob", pa.list_(extent)),
            ("content_type", pa.string()),
            ("created", pa.timestamp("us", "UTC")),
            ("mtime", pa.timestamp("us", "UTC")),
        ]
    )


class ArrivalScan:
    """Compares listings with the version before.

    Args:
        split_key: The pool's key of the keyed hash.
        before: The version before, None for a dataset's first.
        repack: Take every row as new: the rows of ``before`` are laid out afresh.
    """

    def __init__(self, split_key: int, before: Manifest | None, *, repack: bool = False) -> None:
        self._split_key = split_key
        self._index = None if before is None else SampleIndex(before)
        self._before = before
        self._repack = repack
        self._kept = np.zeros(0 if before is None else before.root.positions, dtype=np.bool_)
        self._tables: list[pa.Table] = []
        self._attributes: list[pa.Table] = []
        self._earlier: list[RowArray] = []

    def run(self, pages: Iterable[list[ObjectInfo]], progress: Progress | None = None) -> Arrivals:
        """All of it; ``pages`` in key order."""
        seen = 0
        for page in pages:
            self._page(page)
            seen += len(page)
            if progress is not None:
                progress(seen)
        return self._finish(seen)

    def _page(self, page: list[ObjectInfo]) -> None:
        ids = [f"{info.bucket}/{info.key}" for info in page]
        hashes = text_hashes(ids, self._split_key)
        earlier = (
            np.full(len(page), -1, dtype=np.int64) if self._index is None else self._index.find(ids, hashes)
        )
        fresh = self._fresh(page, earlier)
        if not len(fresh):
            return
        chosen = [page[i] for i in fresh.tolist()]
        self._tables.append(_base_table(chosen, [ids[i] for i in fresh.tolist()], hashes[fresh]))
        self._attributes.append(_attribute_table(chosen))
        self._earlier.append(earlier[fresh])

    def _fresh(self, page: list[ObjectInfo], earlier: RowArray) -> RowArray:
        """Which of a page are new or changed; notes the others as kept."""
        before = self._before
        if before is None or self._repack:
            return np.arange(len(page))
        known = np.flatnonzero(earlier >= 0)
        rows = earlier[known]
        versions = np.fromiter((page[i].version_number for i in known.tolist()), dtype=np.uint64)
        same = before.numbers("version_id", rows) == versions
        if before.removed is not None:
            same &= ~before.removed[rows]
        self._kept[rows[same]] = True
        fresh = np.ones(len(page), dtype=np.bool_)
        fresh[known[same]] = False
        return np.flatnonzero(fresh)

    def _finish(self, seen: int) -> Arrivals:
        import pyarrow as pa

        base = pa.concat_tables([base_schema().empty_table(), *self._tables])
        attributes = (
            pa.concat_tables(self._attributes, promote_options="default") if self._attributes else None
        )
        earlier = np.concatenate([np.empty(0, dtype=np.int64), *self._earlier])
        self._tables.clear()
        self._attributes.clear()
        order = np.argsort(base.column("version_id").to_numpy(), kind="stable")
        if np.any(order[1:] < order[:-1]):
            base, earlier = _reorder(base, order), earlier[order]
            attributes = None if attributes is None else _reorder(attributes, order)
        attributes = None if attributes is None or not attributes.num_columns else attributes
        return Arrivals(base, attributes, earlier, self._gone(), seen)

    def _gone(self) -> RowArray:
        if self._before is None or self._repack:
            return np.empty(0, dtype=np.int64)
        lost = ~self._kept
        if self._before.removed is not None:
            lost &= ~self._before.removed
        return np.flatnonzero(lost)


def _base_table(infos: list[ObjectInfo], ids: list[str], hashes: npt.NDArray[np.uint64]) -> pa.Table:
    import pyarrow as pa

    schema = base_schema()
    mtimes = [info.mtime_ns for info in infos]
    columns: dict[str, Any] = {
        "id": ids,
        "version_id": np.fromiter((info.version_number for info in infos), dtype=np.uint64),
        "size": np.fromiter((info.size for info in infos), dtype=np.int64),
        "sha256": [info.sha256 for info in infos],
        "root_hash": hashes,
        "blob": _blob_column([info.extents_raw for info in infos], schema.field("blob").type),
        "content_type": [info.content_type for info in infos],
        "created": np.fromiter((info.created_us for info in infos), dtype=np.int64),
        "mtime": [None if mtime is None else mtime // 1000 for mtime in mtimes],
    }
    arrays = []
    for field in schema:
        values = columns[field.name]
        arrays.append(values if isinstance(values, pa.Array) else pa.array(values, field.type))
    return pa.Table.from_arrays(arrays, schema=schema)


def _blob_column(raws: list[bytes], kind: pa.DataType) -> pa.Array:
    """``list<struct>`` from encoded extents, 32 bytes each."""
    import pyarrow as pa

    extents = np.frombuffer(b"".join(raws), dtype=EXTENT_DTYPE)
    offsets = np.zeros(len(raws) + 1, dtype=np.int32)
    np.cumsum([len(raw) // EXTENT_DTYPE.itemsize for raw in raws], out=offsets[1:])
    fields = [pa.array(np.ascontiguousarray(extents[name])) for name in EXTENT_DTYPE.names or ()]
    values = pa.StructArray.from_arrays(fields, fields=list(kind.value_type))
    return pa.ListArray.from_arrays(pa.array(offsets), values, type=kind)


def _attribute_table(infos: list[ObjectInfo]) -> pa.Table:
    """User metadata as text columns by key, in order of the keys; no columns if there is none."""
    import pyarrow as pa

    metas = [info.metadata for info in infos]
    keys = sorted({key for meta in metas for key in meta})
    if len(keys) > ATTRIBUTES_MAX:
        raise _too_many(len(keys))
    if not keys:
        return pa.table({"": pa.nulls(len(infos))}).select([])
    return pa.table({key: pa.array([meta.get(key) for meta in metas], pa.string()) for key in keys})


def _too_many(count: int) -> InvalidData:
    return InvalidData(
        f"the objects have {count} different metadata keys.",
        hint=f"A dataset takes {ATTRIBUTES_MAX}: keep values that differ by object out of the keys.",
    )


def _reorder(table: pa.Table, order: RowArray) -> pa.Table:
    """Rows in another order, a column at a time to hold few copies."""
    import pyarrow as pa

    picks = pa.array(order)
    columns = [table.column(i).combine_chunks().take(picks) for i in range(table.num_columns)]
    if not columns:
        return table
    return pa.Table.from_arrays(columns, schema=table.schema)


def attribute_names(keys: Iterable[str], known: dict[str, str], taken: Iterable[str]) -> dict[str, str]:
    """A column name for each metadata key: those ``known`` stay, new ones avoid ``taken``."""
    names = dict(known)
    used = [*taken, *names.values()]
    for key in sorted(keys):
        if key not in names:
            names[key] = free_column(key, used)
            used.append(names[key])
    if len(names) > ATTRIBUTES_MAX:
        raise _too_many(len(names))
    return names


def listings(scan: Callable[[str, str], Iterator[list[ObjectInfo]]], sources: Iterable[Any]) -> Iterator[Any]:
    """Pages of all sources, one source after another."""
    for source in sources:
        yield from scan(source.bucket, source.prefix)
