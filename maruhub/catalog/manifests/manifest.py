"""An open manifest: a version's rows by position, over mapped fragments.

Positions count every row the version ever had in its row space, removed ones too; which
of them are live is the removals' word. Nothing here is a Python list of samples.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from maruhub import argument
from maruhub.catalog.manifests.column_group import ColumnGroup, RowArray, indices
from maruhub.catalog.manifests.fragment import read_fragments
from maruhub.catalog.manifests.live_rows import LiveRows
from maruhub.catalog.manifests.root import BASE, Root
from maruhub.errors import InvalidInput
from maruhub.store.format.extent import EXTENT_DTYPE, Blobs
from maruhub.store.protocol import Store

if TYPE_CHECKING:
    import pyarrow as pa

INTERNAL = ("root_hash", "blob")
"""Columns that a table leaves out unless they are named."""


class Manifest:
    """A version's columns. Safe from many threads and after a fork; buffers are read-only."""

    def __init__(self, store: Store, root: Root) -> None:
        self.root = root
        self._store = store
        self.groups = [ColumnGroup(store, group, root.positions) for group in root.groups]
        self._base = next(g for g in self.groups if g.group.kind == BASE)
        self._by_name = {name: group for group in self.groups for name in group.names}
        self._folded = {name.casefold(): name for name in self._by_name}
        self._flat: dict[int, Any] = {}

    @property
    def names(self) -> list[str]:
        """All columns, in order: the base's, attributes, label sets."""
        return list(self._by_name)

    @property
    def user_names(self) -> list[str]:
        """Attributes and labels only."""
        return [name for group in self.groups if group is not self._base for name in group.names]

    def resolve(self, name: str) -> str:
        """The column's own spelling (SQL ignores case); raises InvalidInput if there is none."""
        argument.text("a column", name)
        found = name if name in self._by_name else self._folded.get(name.casefold())
        if found is None:
            known = ", ".join(self.names[:30])
            raise InvalidInput(f"there is no column {name!r}.", hint=f"Columns: {known}.")
        return found

    def column(self, name: str) -> pa.ChunkedArray:
        """A column over all positions, mapped."""
        return self._by_name[name].column(name)

    def table(self, names: Sequence[str], rows: RowArray | None = None) -> pa.Table:
        """Columns of ``rows`` (None: all positions, without a copy)."""
        import pyarrow as pa

        if rows is None:
            return pa.table([self.column(name) for name in names], names=list(names))
        taken: dict[str, pa.Array] = {}
        for group in self.groups:
            taken |= group.take([name for name in names if self._by_name[name] is group], rows)
        return pa.table([taken[name] for name in names], names=list(names))

    @cached_property
    def removed(self) -> npt.NDArray[np.bool_] | None:
        """``bool[positions]``: which rows are removed; None if none is."""
        bits = self._removed_bits
        if bits is None:
            return None
        return np.unpackbits(bits, count=self.root.positions, bitorder="little").view(np.bool_)

    @cached_property
    def live_rows(self) -> LiveRows | None:
        """The live positions by their number, at next to no memory; None if all are."""
        bits = self._removed_bits
        return None if bits is None else LiveRows(bits, self.root.positions)

    @cached_property
    def _removed_bits(self) -> npt.NDArray[np.uint8] | None:
        if self.root.removals is None:
            return None
        return np.frombuffer(read_fragments(self._store, [self.root.removals])[0], dtype=np.uint8)

    @property
    def live(self) -> npt.NDArray[np.uint64] | None:
        """The live positions, ascending; None if all are."""
        return None if self.removed is None else np.flatnonzero(~self.removed).astype(np.uint64)

    def ids(self, rows: RowArray) -> list[str]:
        """Ids of ``rows``."""
        out = np.empty(len(rows), dtype=object)
        for part in self._base.parts(rows):
            array = self._base.array(part.chunk, "id")
            assert array is not None
            out[part.places] = array.take(indices(part.rows)).to_pylist()
        found: list[str] = out.tolist()
        return found

    def numbers(self, name: str, rows: RowArray) -> npt.NDArray[Any]:
        """A base column without nulls (root_hash, size, version_id) of ``rows``."""
        out: npt.NDArray[Any] = np.empty(len(rows), dtype=np.int64 if name == "size" else np.uint64)
        for part in self._base.parts(rows):
            array = self._base.array(part.chunk, name)
            assert array is not None
            out[part.places] = np.from_dlpack(array)[part.rows]
        return out

    def sha256(self, rows: RowArray) -> npt.NDArray[np.uint8]:
        """Digests of ``rows``, ``uint8[m, 32]``."""
        out = np.empty((len(rows), 32), dtype=np.uint8)
        for part in self._base.parts(rows):
            array = self._base.array(part.chunk, "sha256")
            assert array is not None
            flat = np.frombuffer(array.buffers()[1], dtype=np.uint8).reshape(-1, 32)
            out[part.places] = flat[array.offset :][part.rows]
        return out

    def blobs(self, rows: RowArray) -> Blobs:
        """Addresses of ``rows``; the arrays are the caller's."""
        parts = list(self._base.parts(rows))
        counts = np.empty(len(rows), dtype=np.int64)
        for part in parts:
            offsets = self._blob_buffers(part.chunk)[0]
            counts[part.places] = offsets[part.rows + 1] - offsets[part.rows]
        starts = np.concatenate(([0], np.cumsum(counts)))
        extents = np.empty(int(starts[-1]), dtype=EXTENT_DTYPE)
        for part in parts:
            offsets, fields = self._blob_buffers(part.chunk)
            source, target = _spread(offsets[part.rows], starts[part.places], counts[part.places])
            for name, values in fields.items():
                extents[name][target] = values[source]
        return Blobs(extents, starts)

    def _blob_buffers(self, chunk: int) -> tuple[RowArray, dict[str, npt.NDArray[Any]]]:
        if chunk not in self._flat:
            array = self._base.array(chunk, "blob")
            assert array is not None
            fields = {name: np.from_dlpack(array.values.field(name)) for name in EXTENT_DTYPE.names or ()}
            self._flat[chunk] = (np.from_dlpack(array.offsets), fields)
        found: tuple[RowArray, dict[str, npt.NDArray[Any]]] = self._flat[chunk]
        return found


def _spread(begins: RowArray, places: RowArray, counts: RowArray) -> tuple[RowArray, RowArray]:
    """Flat source and target indices of runs of ``counts`` items at ``begins`` and ``places``."""
    if len(counts) and counts.min() == counts.max() == 1:
        return begins, places
    run = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.repeat(begins, counts) + run, np.repeat(places, counts) + run


def chunks_of(arrays: Iterable[pa.ChunkedArray]) -> list[pa.Array]:
    """The chunks of several columns, one after another."""
    return [chunk for array in arrays for chunk in array.chunks]
