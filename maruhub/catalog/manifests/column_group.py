"""A column group of an open version: mapped batches, and gathering rows from them.

Batches are opened when first touched. Gathering is vectorised a batch: the rows asked for
are sorted by the batch they lie in, each batch is indexed once, results go to their place.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from maruhub.catalog.manifests.fragment import decode_table, read_fragments
from maruhub.catalog.manifests.root import Group
from maruhub.store.protocol import Store

if TYPE_CHECKING:
    import pyarrow as pa

RowArray = npt.NDArray[np.int64]
"""``int64[m]``: rows of a version, all within its positions."""


class Part(NamedTuple):
    """What of a request one chunk answers: ``rows`` of it, for ``places`` of the result."""

    chunk: int
    rows: RowArray
    places: RowArray


def indices(rows: RowArray) -> pa.Array:
    """Rows as Arrow takes them; its memory is theirs.

    Handed to Arrow as they are, they would have it look for pandas, whose import takes seconds.
    """
    import pyarrow as pa

    whole = np.ascontiguousarray(rows, dtype=np.int64)
    return pa.Array.from_buffers(pa.int64(), len(whole), [None, pa.py_buffer(whole)])


class ColumnGroup:
    """The columns of one group over all positions of a version.

    ``chunks[i]`` is a record batch, or None where all is null; ``starts`` is
    ``int64[chunks + 1]``. Safe from many threads; after a fork the child shares the maps.
    """

    def __init__(self, store: Store, group: Group, positions: int) -> None:
        self.group = group
        self.names = tuple(column.name for column in group.columns)
        self._store = store
        self._positions = positions
        self._opened: tuple[list[pa.RecordBatch | None], RowArray] | None = None
        self._arrays: dict[tuple[int, str], Any] = {}

    @property
    def chunks(self) -> list[pa.RecordBatch | None]:
        """The batches, opened now if they were not."""
        return self._open()[0]

    @property
    def starts(self) -> RowArray:
        """The first row of each chunk, and the end of the last."""
        return self._open()[1]

    def column(self, name: str) -> pa.ChunkedArray:
        """A column over all positions; no copy (nulls where a batch lacks it are made)."""
        import pyarrow as pa

        kind = self.type_of(name)
        lengths = np.diff(self.starts).tolist()
        parts = [
            pa.nulls(length, kind) if array is None else array
            for array, length in zip(self._each(name), lengths, strict=True)
        ]
        return pa.chunked_array(parts, type=kind)

    def type_of(self, name: str) -> pa.DataType:
        """A column's type, as the first batch that holds it says."""
        found = next((array for array in self._each(name) if array is not None), None)
        assert found is not None, f"no fragment of the group holds column {name!r}"
        return found.type

    def parts(self, rows: RowArray) -> Iterator[Part]:
        """``rows`` cut by chunk."""
        starts = self.starts
        if len(starts) == 2:
            yield Part(0, rows, np.arange(len(rows)))
            return
        chunk = np.searchsorted(starts, rows, side="right") - 1
        order = np.argsort(chunk, kind="stable")
        numbers, firsts = np.unique(chunk[order], return_index=True)
        bounds = [*firsts.tolist(), len(rows)]
        for number, begin, end in zip(numbers.tolist(), bounds, bounds[1:], strict=False):
            places = order[begin:end]
            yield Part(number, rows[places] - starts[number], places)

    def array(self, chunk: int, name: str) -> pa.Array | None:
        """One column of one chunk; None where all is null."""
        key = (chunk, name)
        if key not in self._arrays:
            batch = self.chunks[chunk]
            here = batch is not None and name in batch.schema.names
            self._arrays[key] = batch.column(name) if batch is not None and here else None
        return self._arrays[key]

    def take(self, names: Sequence[str], rows: RowArray) -> dict[str, pa.Array]:
        """Columns of ``rows``, in the order of ``rows``."""
        import pyarrow as pa

        parts = list(self.parts(rows))
        if not parts:
            return {name: pa.array([], self.type_of(name)) for name in names}
        places = np.concatenate([part.places for part in parts])
        back = None if len(parts) == 1 else np.argsort(places, kind="stable")
        return {name: self._take(name, parts, back) for name in names}

    def _take(self, name: str, parts: list[Part], back: RowArray | None) -> pa.Array:
        import pyarrow as pa

        kind = self.type_of(name)
        taken = []
        for part in parts:
            array = self.array(part.chunk, name)
            taken.append(pa.nulls(len(part.rows), kind) if array is None else array.take(indices(part.rows)))
        joined = pa.concat_arrays(taken)
        return joined if back is None else joined.take(indices(back))

    def _each(self, name: str) -> Iterator[pa.Array | None]:
        return (self.array(i, name) for i in range(len(self.chunks)))

    def _open(self) -> tuple[list[pa.RecordBatch | None], RowArray]:
        # No lock: two threads at once read the same, and a fork can't leave one held.
        if self._opened is None:
            self._opened = self._read()
        return self._opened

    def _read(self) -> tuple[list[pa.RecordBatch | None], RowArray]:
        named = [piece.fragment for piece in self.group.pieces if piece.fragment is not None]
        views = iter(read_fragments(self._store, named))
        chunks: list[pa.RecordBatch | None] = []
        lengths: list[int] = []
        for piece in self.group.pieces:
            batches = [None] if piece.fragment is None else decode_table(next(views))
            chunks += batches
            lengths += [piece.rows if batch is None else batch.num_rows for batch in batches]
        rest = self._positions - sum(lengths)
        if rest:
            chunks.append(None)
            lengths.append(rest)
        return chunks, np.concatenate(([0], np.cumsum(lengths, dtype=np.int64)))
