"""What people call the owner of a row, where it belongs to a dataset."""

from __future__ import annotations

from collections.abc import Callable

from maruhub.catalog.eradication import UNREADABLE, address_of, versions_of
from maruhub.catalog.manifests.root import Root
from maruhub.catalog.row import VersionRow
from maruhub.store.protocol import Store, read


class OwnerNames:
    """What people call the owner of a row: a fragment by a version that names it.

    Args:
        store: Whose rows.
        otherwise: Names all other rows.
    """

    def __init__(self, store: Store, otherwise: Callable[[bytes], str]) -> None:
        self._store = store
        self._otherwise = otherwise
        self._versions: dict[str, str] | None = None

    def __call__(self, key: bytes) -> str:
        """``cats@v3`` for what belongs to a version."""
        if key[:1] == b"M":
            return address_of(key)
        if key[:1] != b"F":
            return self._otherwise(key)
        if self._versions is None:
            self._versions = self._read()
        return self._versions.get(key[1:].hex()) or self._otherwise(key)

    def _read(self) -> dict[str, str]:
        """The last version that names each fragment; one that isn't dropped if there is any."""
        live: dict[str, str] = {}
        dropped: dict[str, str] = {}
        for row in versions_of(self._store):
            try:
                kept = dropped if VersionRow.decode(row).dropped_us else live
                root = Root.decode(read(self._store, row.extents))
            except UNREADABLE:
                continue
            kept.update(dict.fromkeys(root.fragments(), address_of(row.key)))
        return dropped | live
