"""Fragments: a row range of a column group as one immutable Arrow IPC file.

Why fragments: a version of a hundred million samples must be opened, not loaded, and the
next version must cost only what is new. So rows are cut into ranges and columns into
groups, each range of each group is a file that never changes, named by its content, and
versions share them. ``docs/format-manifests.md`` has the columns.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from maruhub.catalog.row import FragmentRow, fragment_key
from maruhub.errors import Corrupt, MaruError
from maruhub.store.format.extent import Blob, Blobs
from maruhub.store.format.segment_class import SegmentClass
from maruhub.store.protocol import Rows, Store

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_ROWS: Final = 1 << 16
"""Rows of one record batch, at most."""

FRAGMENT_ROWS: Final = 1 << 17
"""Rows of one fragment, at most: some 25 MB of ids and addresses, one view each."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """A fragment that was written, or found to be there already (``blob`` None)."""

    id: str
    kind: str
    rows: int
    size_bytes: int
    segments: tuple[int, ...]
    blob: Blob | None

    def stage(self, rows: Rows, snapshot: int) -> None:
        """Puts its row, unless another commit brought the same fragment meanwhile.

        What it points to was alive when the counter was ``snapshot``; Conflict otherwise.
        """
        key = fragment_key(self.id)
        if self.blob is not None and rows.get_many([key])[0] is None:
            payload = FragmentRow(self.kind, self.rows, self.size_bytes).encode()
            rows.put(key, payload, extents=self.blob, segments=self.segments, snapshot=snapshot)


def write_fragment(
    store: Store, kind: str, rows: int, data: pa.Buffer | bytes, *, segments: Sequence[int] = ()
) -> Fragment:
    """Appends ``data`` as a fragment unless one of this content is there; its row is staged later."""
    view = memoryview(data)
    name = hashlib.sha256(view).hexdigest()[:32]
    known = store.get_many([fragment_key(name)])[0]
    blob = None if known is not None else store.append([view], SegmentClass.META)[0]
    return Fragment(name, kind, rows, len(view), tuple(segments), blob)


def write_table(store: Store, kind: str, table: pa.Table, *, segments: Sequence[int] = ()) -> Fragment:
    """A table of at most ``FRAGMENT_ROWS`` rows as a fragment."""
    return write_fragment(store, kind, table.num_rows, encode_table(table), segments=segments)


def encode_table(table: pa.Table) -> pa.Buffer:
    """An uncompressed Arrow IPC file, ``BATCH_ROWS`` rows a batch."""
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table.combine_chunks(), max_chunksize=BATCH_ROWS)
    return sink.getvalue()


def decode_table(view: memoryview) -> list[pa.RecordBatch]:
    """The record batches of a fragment, over ``view``: no copy, alive as long as they are."""
    import pyarrow as pa

    try:
        with pa.ipc.open_file(pa.py_buffer(view)) as reader:
            batches = [reader.get_batch(i) for i in range(reader.num_record_batches)]
            # A fragment without rows still says which columns there are.
            return batches or [pa.RecordBatch.from_pylist([], schema=reader.schema)]
    except pa.ArrowException as error:
        raise Corrupt(f"a fragment is not an Arrow file: {error}", hint="Run `maru check`.") from error


def read_fragments(store: Store, names: Iterable[str]) -> list[memoryview]:
    """The bytes of fragments, checked, as mapped views; raises the first one's error."""
    wanted = list(names)
    raws: list[bytes] = []
    for name, row in zip(wanted, store.get_many([fragment_key(name) for name in wanted]), strict=True):
        if row is None:
            raise Corrupt(
                f"fragment {name} of a version has no row.", hint="Run `maru check --rebuild-index`."
            )
        raws.append(row.extents_raw)
    views: list[memoryview] = []
    for view in store.read_many(Blobs.of_raw(raws)):
        if isinstance(view, MaruError):
            raise view
        views.append(view)
    return views
