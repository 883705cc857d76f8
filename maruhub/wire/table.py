"""Tables on the wire: Arrow IPC streams, uncompressed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from maruhub.errors import InvalidData

if TYPE_CHECKING:
    import pyarrow as pa


def encode_table(table: pa.Table) -> bytes:
    """A table as an Arrow IPC stream."""
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def decode_table(data: bytes) -> pa.Table:
    """The table of an Arrow IPC stream, over ``data``; raises InvalidData."""
    import pyarrow as pa

    try:
        table = pa.ipc.open_stream(data).read_all()
        table.validate()
    except (pa.ArrowException, OSError) as error:
        raise InvalidData(f"this is no Arrow IPC stream: {str(error)[:200]}") from error
    return table
