"""Batches as Arrow tables: ``id``, ``bytes`` and the view's columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from maruhub.adapters.samples import read_samples
from maruhub.errors import InvalidInput
from maruhub.loaders import Batch

ID = pa.field("id", pa.string())
BYTES = pa.field("bytes", pa.binary())


def as_table(batch: Batch) -> pa.Table:
    """All of a batch, its bytes copied."""
    blobs = pa.array([bytes(blob) for blob in batch.blobs], BYTES.type)
    table = pa.table([pa.array(batch.ids, ID.type), blobs], schema=pa.schema([ID, BYTES]))
    for name in batch.columns.column_names:
        table = table.append_column(name, batch.columns.column(name))
    return table


def schema_of(view: Any, columns: Sequence[str] | None = None) -> pa.Schema:
    """The columns by name that a table of a view has; None: all. Raises InvalidInput."""
    labels = view.columns(np.empty(0, dtype=np.uint64)).schema
    known = {field.name: field for field in (ID, BYTES, *labels)}
    unknown = [name for name in columns or () if name not in known]
    if unknown:
        raise InvalidInput(f"there is no column {unknown[0]!r}.", hint=f"Columns: {', '.join(known)}.")
    return pa.schema([known[name] for name in (known if columns is None else columns)])


def read_table(view: Any, rows: Any, schema: pa.Schema) -> pa.Table:
    """Rows of a view as a table; bytes are read only if the schema has them."""
    columns = view.columns(rows)
    made = {name: columns.column(name) for name in columns.column_names}
    if BYTES.name in schema.names:
        made[BYTES.name] = pa.array([bytes(each.data) for each in read_samples(view, rows)], BYTES.type)
    if ID.name in schema.names:
        made[ID.name] = pa.array(view.ids(rows), ID.type)
    return pa.table([made[name] for name in schema.names], schema=schema)
