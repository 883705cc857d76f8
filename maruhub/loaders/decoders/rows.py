"""Tables in Parquet or Arrow's own formats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from maruhub import argument
from maruhub.errors import InvalidData

if TYPE_CHECKING:
    import pyarrow as pa

_PARQUET: Final = b"PAR1"
_ARROW_FILE: Final = b"ARROW1"


@dataclass(frozen=True, slots=True)
class Rows:
    """A ``pyarrow.Table`` of a Parquet file, an Arrow file or an Arrow stream.

    Args:
        columns: Only these; None: all.
        max_bytes: What a Parquet file may say that it unpacks to. (Arrow's own formats may be
            compressed too, a buffer at a time; their claims are not bounded by this.)
    """

    columns: tuple[str, ...] | None = None
    max_bytes: int = 1 << 30

    def __post_init__(self) -> None:
        if self.columns is not None:
            object.__setattr__(self, "columns", tuple(argument.texts("columns", self.columns)))
        argument.whole("max_bytes", self.max_bytes, low=1)

    def __call__(self, blob: memoryview) -> pa.Table:
        """The table; InvalidData."""
        import pyarrow as pa

        try:
            if bytes(blob[:4]) == _PARQUET:
                return self._parquet(blob)
            source = pa.BufferReader(pa.py_buffer(blob))
            opened = pa.ipc.open_file if bytes(blob[:6]) == _ARROW_FILE else pa.ipc.open_stream
            with opened(source) as reader:
                table = reader.read_all()
            table.validate()  # what a header claims must lie within the bytes
            return table if self.columns is None else table.select(list(self.columns))
        except (pa.ArrowException, OSError, KeyError, ValueError) as error:
            raise InvalidData(f"it is no table: {error}") from error

    def _parquet(self, blob: memoryview) -> pa.Table:
        import pyarrow as pa
        import pyarrow.parquet as pq

        file = pq.ParquetFile(pa.BufferReader(pa.py_buffer(blob)))
        groups = range(file.metadata.num_row_groups)
        claimed = sum(file.metadata.row_group(i).total_byte_size for i in groups)
        if not 0 <= claimed <= self.max_bytes:
            raise InvalidData(
                f"the table says that it unpacks to {claimed} bytes.", hint="Raise max_bytes of Rows."
            )
        return file.read(None if self.columns is None else list(self.columns), use_threads=False)
