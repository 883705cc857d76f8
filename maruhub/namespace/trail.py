"""The trail of a put under way: rows that name what it has written so far.

Bytes that no row names can't be sealed, and stay in full copies: of an object of many
gigabytes three times its size, until it ends. So a put records every few megabytes what it
has appended. The change that ends it takes these rows away and names the whole; whoever is
killed in mid-put leaves them, and reclaim removes a trail that has not grown for a day.
"""

from __future__ import annotations

import struct
from typing import Final

from maruhub.errors import Conflict, UnsupportedFormat
from maruhub.store.format.extent import Blob
from maruhub.store.format.row import Row
from maruhub.store.protocol import Rows, Store

PREFIX: Final = b"P"
STEP_BYTES: Final = 32 << 20
"""So much is written between two rows."""
KEPT_US: Final = 86_400_000_000
"""A trail that has not grown for so long is a dead process's."""

_PAYLOAD: Final = struct.Struct("<B7xq")
_VERSION: Final = 1
_KEY: Final = struct.Struct(">cQI")


class Trail:
    """The trail of one put; used by one thread at a time. No rows, no trail: small puts leave none."""

    def __init__(self, store: Store, actor: str) -> None:
        self._store = store
        self._actor = actor
        self._number = 0
        self._keys: list[bytes] = []

    def add(self, blob: Blob) -> None:
        """Names some more of what was written; durable when it returns."""

        def change(rows: Rows) -> tuple[int, bytes]:
            number = self._number or rows.counter
            key = _KEY.pack(PREFIX, number, len(self._keys))
            rows.put(key, _PAYLOAD.pack(_VERSION, rows.pool_time_us), extents=blob)
            return number, key

        self._number, key = self._store.commit(change, actor=self._actor)
        self._keys.append(key)

    def end(self, rows: Rows) -> None:
        """Inside the change that names the whole: takes the trail away.

        Raises Conflict if reclaim has removed of it: bytes of it may be gone.
        """
        if any(row is None for row in rows.get_many(self._keys)):
            raise Conflict(
                "this put stood still for a day, and was given up meanwhile.", hint="Put it again."
            )
        for key in self._keys:
            rows.remove(key)

    def drop(self) -> None:
        """Takes the trail of a put that is given up away; its bytes are let go of at once."""
        keys, self._keys = self._keys, []

        def change(rows: Rows) -> None:
            for row in rows.get_many(keys):
                if row is not None:
                    rows.remove(row.key)

        if keys:
            self._store.commit(change, actor=self._actor)


def trail_number(row: Row) -> int:
    """Which trail a row belongs to."""
    return int(_KEY.unpack(row.key)[1])


def grown_us(row: Row) -> int:
    """The pool time at which a row of a trail was written; raises UnsupportedFormat."""
    if len(row.payload) < _PAYLOAD.size or row.payload[0] != _VERSION:
        raise UnsupportedFormat(
            f"row {row.key!r} of a put under way has an unknown version.", hint="Upgrade MaruHub."
        )
    return int(_PAYLOAD.unpack_from(row.payload)[1])
