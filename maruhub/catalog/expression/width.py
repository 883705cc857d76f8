"""The widest value of a column, in bytes of its text: what functions and casts make more of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import pyarrow as pa

NUMBER: Final = 80
"""No number, date, interval or truth value is longer when it is written out."""


def widest(column: pa.ChunkedArray) -> int:
    """Bytes that the longest value takes as text; never less, for nested values a little more."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind, has = column.type, pa.types
    if has.is_string(kind) or has.is_large_string(kind) or has.is_string_view(kind):
        return _most(pc.binary_length(column))
    if has.is_fixed_size_binary(kind):
        return 4 * int(kind.byte_width)
    if has.is_binary(kind) or has.is_large_binary(kind) or has.is_binary_view(kind):
        return 4 * _most(pc.binary_length(column))
    if has.is_dictionary(kind):
        return max((widest(pa.chunked_array([chunk.dictionary])) for chunk in column.chunks), default=0)
    if has.is_list(kind) or has.is_large_list(kind) or has.is_fixed_size_list(kind):
        return 2 + _most(pc.list_value_length(column)) * (2 * widest(pc.list_flatten(column)) + 4)
    if has.is_struct(kind):
        fields = (
            (2 * len(kind.field(i).name.encode()) + 8, pc.struct_field(column, [i]))
            for i in range(kind.num_fields)
        )
        return 2 + sum(named + 2 * widest(field) for named, field in fields)
    if kind.num_fields or isinstance(kind, pa.BaseExtensionType):
        return 8 * int(column.nbytes)  # one value can't be more than all of them
    return NUMBER


def _most(lengths: Any) -> int:
    import pyarrow.compute as pc

    return pc.max(lengths).as_py() or 0
