"""What a version's and a view's digest are made of. Pure: columns in, SHA-256 out.

A digest names content, not place: it does not change when rows are cut into other
fragments, when segments move, or when the same version is made in another hub. So each
column is hashed as three streams (validity, lengths, data) that know no chunk borders.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pyarrow as pa

_VERSION_TAG: Final = b"maruhub version 1\0"
_VIEW_TAG: Final = b"maruhub view 1\0"
_SLICE: Final = 1 << 16


def column_digest(name: str, arrays: Iterable[pa.Array]) -> bytes:
    """Of a column: its name, its type and every value and null, in order; 32 bytes."""
    streams: dict[str, Any] = {}
    kind = ""
    for array in arrays:
        kind = kind or str(array.type)
        for at in range(0, len(array), _SLICE):
            _feed(array.slice(at, _SLICE), "", streams)
    head = json.dumps([name, kind], ensure_ascii=False).encode()
    total = hashlib.sha256(len(head).to_bytes(4, "little") + head)
    for path in sorted(streams):
        total.update(path.encode() + b"\0" + streams[path].digest())
    return total.digest()


def version_digest(positions: int, removals: bytes, columns: Iterable[bytes]) -> str:
    """Of a version, from its columns' digests and its removals (empty: none); 64 hex digits."""
    total = hashlib.sha256(_VERSION_TAG + positions.to_bytes(8, "little"))
    total.update(hashlib.sha256(removals).digest())
    for column in columns:
        total.update(column)
    return total.hexdigest()


def view_digest(version: str, positions: npt.NDArray[np.uint64]) -> str:
    """Of a view: its version's digest and its positions, in its order; 64 hex digits."""
    total = hashlib.sha256(_VIEW_TAG + bytes.fromhex(version))
    total.update(np.ascontiguousarray(positions, dtype="<u8").data)
    return total.hexdigest()


def _feed(array: pa.Array, path: str, streams: dict[str, Any]) -> None:
    """Adds an array's values to the streams of its type's parts."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = array.type
    if pa.types.is_dictionary(kind):
        _feed(array.dictionary_decode(), path, streams)
        return
    _add(streams, path + "?", np.asarray(array.is_valid()).astype(np.uint8).tobytes())
    if pa.types.is_null(kind):
        return
    if pa.types.is_struct(kind):
        for i in range(kind.num_fields):
            _feed(pc.struct_field(array, i), f"{path}.{i}", streams)
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        _add(streams, path + "#", _int64(pc.list_value_length(array)))
        _feed(pc.list_flatten(array), path + "[", streams)
    elif pa.types.is_map(kind):
        entries = array.cast(pa.list_(pa.struct([kind.key_field, kind.item_field])))
        _feed(entries, path + "{", streams)
    else:
        _feed_plain(array, path, streams)


def _feed_plain(array: pa.Array, path: str, streams: dict[str, Any]) -> None:
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = array.type
    if pa.types.is_boolean(kind):
        _add(streams, path, np.asarray(pc.fill_null(array, False)).astype(np.uint8).tobytes())
    elif pa.types.is_fixed_size_binary(kind) or not _is_text(kind):
        present = array.drop_null()
        width = kind.bit_width // 8
        data = memoryview(present.buffers()[1] or b"")
        _add(streams, path, data[present.offset * width : (present.offset + len(present)) * width])
    else:
        present = array.drop_null().cast(pa.large_binary())
        _add(streams, path + "#", _int64(pc.binary_length(present)))
        offsets = np.frombuffer(present.buffers()[1], dtype=np.int64)[present.offset :]
        data = memoryview(present.buffers()[2] or b"")
        _add(streams, path, data[int(offsets[0]) : int(offsets[len(present)])])


def _is_text(kind: pa.DataType) -> bool:
    import pyarrow as pa

    known = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    return any(test(kind) for test in known)


def _int64(lengths: pa.Array) -> bytes:
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.fill_null(lengths.cast(pa.int64()), 0).to_numpy().tobytes()  # type: ignore[no-any-return]


def _add(streams: dict[str, Any], path: str, data: bytes | memoryview) -> None:
    if path not in streams:
        streams[path] = hashlib.sha256()
    streams[path].update(data)
