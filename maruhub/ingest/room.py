"""Room on the blades: how much of a batch the hub can still take, asked before it is written.

Why before: a log is never cut back, so bytes of a batch that ends in NoSpace stay behind as
dead ones. Several batches at once, none of which fits, would fill a drive and land nothing.
"""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from maruhub.errors import NoSpace
from maruhub.store.blade import Blade
from maruhub.store.format.extent import BLOCK_BYTES
from maruhub.store.protocol import Store
from maruhub.store.store import PoolStore

_RESERVE_BYTES: Final = 1 << 20
"""Kept free of each copy's room: for records and the index, so that deleting still works."""

_ROW_BYTES: Final = 1 << 10
"""What an object costs beside its bytes: its record, its row in the index."""

_UNLIMITED: Final = 1 << 62


class Room:
    """Shares the room on a pool's blades among the threads of one ingest.

    While there is plenty nobody waits. Near the end batches go one after the other, each
    cut to what fits then. A store without blades has room for everything.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._pending_bytes = 0
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, sizes: Sequence[int]) -> Iterator[int]:
        """Room for the first objects of ``sizes`` (bytes) while the body stores them.

        Yields how many of them fit, at least one. Waits for others that are storing.

        Raises:
            NoSpace: Not even the first one fits.
        """
        count, need = self._take(sizes)
        try:
            yield count
        finally:
            with self._changed:
                self._pending_bytes -= need
                self._changed.notify_all()

    def _take(self, sizes: Sequence[int]) -> tuple[int, int]:
        costs = [_cost(size) for size in sizes]
        with self._changed:
            while True:
                # What the others have written already counts twice; that only makes us wait.
                sure, most = (room - self._pending_bytes for room in self._free())
                count, need = _fitting(costs, sure)
                if not count:
                    count, need = _fitting(costs[:1], most)
                if count == len(costs) or not self._pending_bytes:
                    break
                self._changed.wait()
            if not count:
                raise NoSpace(
                    f"No room on the blades for the next object, of {max(sizes[0], 0):,} bytes.",
                    hint="Free space or add a blade; reads go on.",
                )
            self._pending_bytes += need
            return count, need

    def _free(self) -> tuple[int, int]:
        """Bytes of objects that fit on as many blades as there are copies, and on the roomiest one.

        Full blades count for neither: the store goes on without them while another has room.
        """
        if not isinstance(self._store, PoolStore):
            return _UNLIMITED, _UNLIMITED
        blades = list(self._store.blades)
        copies = self._store.blades.wanted_copies
        drives = Counter(map(_drive, blades))
        shares = (_free_bytes(blade) // min(drives[_drive(blade)], copies) for blade in blades)
        rooms = (share - _RESERVE_BYTES for share in shares)
        usable = sorted((room for room in rooms if room > 0), reverse=True)[:copies]
        return (usable[-1], usable[0]) if usable else (0, 0)


def _fitting(costs: Sequence[int], room_bytes: int) -> tuple[int, int]:
    """How many of the first costs fit into the room, and their sum."""
    need = count = 0
    for cost in costs:
        if need + cost > room_bytes:
            break
        need += cost
        count += 1
    return count, need


def _cost(size_bytes: int) -> int:
    return max(size_bytes, 0) + BLOCK_BYTES + _ROW_BYTES


def _drive(blade: Blade) -> object:
    """What tells drives apart: folders on one share its room."""
    root = getattr(blade, "root", None)
    try:
        return blade.blade_id if root is None else os.stat(root).st_dev
    except OSError:
        return blade.blade_id


def _free_bytes(blade: Blade) -> int:
    try:
        return blade.free_bytes()
    except OSError:
        return 0
