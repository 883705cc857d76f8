"""Where a fragment's blobs point: what must live because a version names it.

The store asks this before it leaves bytes out of a segment. Whatever is odd about a row or
its file is answered with "can't tell", and then nothing is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

import numpy as np

from maruhub.catalog.row import FragmentRow
from maruhub.errors import MaruError
from maruhub.store.format.extent import EXTENT_DTYPE, Blob, Blobs, ExtentArray
from maruhub.store.format.row import Row
from maruhub.store.protocol import Store

if TYPE_CHECKING:
    import pyarrow as pa

_BLOB: Final = "blob"
_FRAGMENT: Final = b"F"


def resolver(store: Store) -> Callable[[Row], ExtentArray | None]:
    """:func:`pointed_extents` of one store, as its acts ask for it."""
    return lambda row: pointed_extents(store, row)


def pointed_extents(store: Store, row: Row) -> ExtentArray | None:
    """The extents that the blob of a row with a segment list points to.

    Returns:
        ``EXTENT_DTYPE[n]`` in the fragment's order, the caller's own; None: it can't be told.
        Never raises: an error here must not look like "nothing".
    """
    try:
        return _pointed(store, row)
    except Exception:  # noqa: BLE001 - whatever went wrong, bytes stay
        return None


def blob_extents(store: Store, blob: Blob) -> ExtentArray | None:
    """The same of a fragment that no row names yet: what its file says, or None."""
    try:
        found = _read(store, Blobs.of([blob]))
    except Exception:  # noqa: BLE001 - whatever went wrong, nobody may rely on it
        return None
    return None if found is None else found[0]


def _pointed(store: Store, row: Row) -> ExtentArray | None:
    segments = row.segments
    if not segments:
        return np.empty(0, EXTENT_DTYPE)
    if row.key[:1] != _FRAGMENT:
        return None
    found = _read(store, Blobs.of_raw([row.extents_raw]))
    if found is None or found[1] != FragmentRow.decode(row).rows:
        return None
    # A segment that is missing in the list would never have been asked about.
    known = np.isin(found[0]["segment"], np.array(segments, np.uint64))
    return found[0] if known.all() else None


def _read(store: Store, blobs: Blobs) -> tuple[ExtentArray, int] | None:
    """The extents in a fragment's file, and its number of rows."""
    view = store.read_many(blobs)[0]
    if isinstance(view, MaruError):
        return None
    parts, rows = [np.empty(0, EXTENT_DTYPE)], 0
    for column in _blob_columns(view):
        part = _extents_of(column)
        if part is None:
            return None
        parts.append(part)
        rows += len(column)
    return np.concatenate(parts), rows


def _blob_columns(view: memoryview) -> Iterator[pa.ListArray]:
    """The blob column of each record batch, checked; the other columns aren't looked at."""
    import pyarrow as pa

    buffer = pa.py_buffer(view)
    with pa.ipc.open_file(buffer) as reader:
        at = reader.schema.get_all_field_indices(_BLOB)
    options = pa.ipc.IpcReadOptions(included_fields=at[:1])
    with pa.ipc.open_file(buffer, options=options) as reader:
        for number in range(reader.num_record_batches):
            column = reader.get_batch(number).column(_BLOB)
            column.validate(full=True)
            yield column


def _extents_of(column: pa.ListArray) -> ExtentArray | None:
    """A column's extents as one array; None where one of them isn't whole."""
    structs = column.flatten()
    extents = np.empty(len(structs), EXTENT_DTYPE)
    if column.null_count or structs.null_count:
        return None
    for name in EXTENT_DTYPE.names or ():
        values = structs.field(name)
        if values.null_count:
            return None
        numbers = values.to_numpy()
        if numbers.dtype != EXTENT_DTYPE[name]:
            return None
        extents[name] = numbers
    return extents
