"""What people call the owner of a row, for messages about hurt bytes."""

from __future__ import annotations

from typing import Final

from maruhub.namespace import Namespace
from maruhub.namespace.hidden import hidden_key_of
from maruhub.store.protocol import Store

_ID_AT: Final = slice(1, 9)
_KEY_AT: Final = 9
_OTHERS: Final = {
    "D": "dataset",
    "M": "version",
    "F": "fragment",
    "T": "tag",
    "L": "labels",
    "W": "view",
    "R": "run",
}


class RowNames:
    """Names of rows of one hub; the buckets are looked up once."""

    def __init__(self, store: Store) -> None:
        self._buckets = {bucket.id_bytes: bucket.name for bucket in Namespace(store).buckets.all()}

    def __call__(self, key: bytes) -> str:
        """``maru://bucket/key`` for objects, a plain description for the rest."""
        kind = key[:1]
        if kind in (b"K", b"V"):
            bucket = self._buckets.get(key[_ID_AT], "(deleted bucket)")
            name = key[_KEY_AT:] if kind == b"K" else hidden_key_of(key)
            address = f"maru://{bucket}/{name.decode(errors='backslashreplace')}"
            return address if kind == b"K" else f"an earlier version of {address}"
        noun = _OTHERS.get(kind.decode(errors="replace"), "row")
        return f"{noun} {key[1:].decode(errors='backslashreplace')}"
