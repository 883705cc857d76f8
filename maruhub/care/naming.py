"""What people call the owner of a row, for messages about hurt bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from maruhub.namespace import Namespace
from maruhub.namespace.hidden import hidden_key_of
from maruhub.namespace.part import split_row_key
from maruhub.store.protocol import Store

_ID_AT: Final = slice(1, 9)
_KEY_AT: Final = 9
_OBJECTS: Final[dict[bytes, tuple[str, Callable[[bytes], bytes]]]] = {
    b"K": ("", lambda key: key[_KEY_AT:]),
    b"V": ("an earlier version of ", hidden_key_of),
    b"U": ("an unfinished upload to ", lambda key: split_row_key(key)[0]),
}
_OTHERS: Final = {
    "D": "dataset",
    "M": "version",
    "F": "fragment",
    "T": "tag",
    "L": "labels",
    "W": "view",
    "R": "run",
    "I": "ingest",
}


class RowNames:
    """Names of rows of one hub; the buckets are looked up once."""

    def __init__(self, store: Store) -> None:
        self._buckets = {bucket.id_bytes: bucket.name for bucket in Namespace(store).buckets.all()}

    def __call__(self, key: bytes) -> str:
        """``maru://bucket/key`` for objects, a plain description for the rest."""
        kind = key[:1]
        if kind in _OBJECTS:
            bucket = self._buckets.get(key[_ID_AT], "(deleted bucket)")
            said, key_of = _OBJECTS[kind]
            return f"{said}maru://{bucket}/{key_of(key).decode(errors='backslashreplace')}"
        noun = _OTHERS.get(kind.decode(errors="replace"), "row")
        if kind == b"P":
            return "a put under way"
        return f"{noun} {key[1:].decode(errors='backslashreplace')}"
