"""Whole keys over LMDB's physical ones: look up, scan, put, remove inside one transaction.

This file knows ``long_key``'s law and nothing of files, processes or how a transaction began;
``lmdb.Error`` passes through to the caller, who translates it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import lmdb

from maruhub.errors import Corrupt, InvalidInput
from maruhub.index.lmdb_error import REBUILD_HINT
from maruhub.index.long_key import (
    DIRECT_BYTES_MAX,
    HEAD_BYTES,
    ID_BYTES,
    group_start,
    group_stop,
    head_of,
    lower_bound,
    next_id,
    upper_bound,
)
from maruhub.index.protocol import KEY_BYTES_MAX

FIRST_ID = (1).to_bytes(ID_BYTES, "big")


class Spaces(NamedTuple):
    """The two spaces of physical keys."""

    keys: lmdb._Database
    rest: lmdb._Database


class Step(NamedTuple):
    """One head on the way to a long key's value."""

    space: lmdb._Database
    head: bytes
    group: bytes


class Place(NamedTuple):
    """Where a key's value stands, and the heads that lead there."""

    space: lmdb._Database
    physical: bytes
    steps: list[Step]


def longest(keys: Sequence[bytes]) -> int:
    """Check keys; return the longest one's length (0 of none).

    Raises:
        InvalidInput: A key is empty or longer than ``KEY_BYTES_MAX``.
    """
    if not keys:
        return 0
    most = max(map(len, keys))
    if most > KEY_BYTES_MAX:
        raise InvalidInput(f"An index key has {most} bytes; {KEY_BYTES_MAX} are the most.")
    if not all(keys):
        raise InvalidInput("An index key is empty; it needs at least one byte.")
    return most


class LmdbTree:
    """The tree as one transaction sees it.

    Args:
        txn: A transaction whose default database is ``spaces.keys``, giving bytes.
        spaces: The two databases.
    """

    def __init__(self, txn: lmdb.Transaction[bytes], spaces: Spaces) -> None:
        self._txn = txn
        self._spaces = spaces
        self._last_id: bytes | None = None

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Values in the order of ``keys``."""
        if longest(keys) <= DIRECT_BYTES_MAX:
            # Measured fastest for 1, 256 and 10,000 keys (docs/internals/index.md).
            return list(map(self._txn.get, keys))
        return [self._get(key) for key in keys]

    def _get(self, key: bytes) -> bytes | None:
        if len(key) <= DIRECT_BYTES_MAX:
            return self._txn.get(key)
        place = self._find(key)
        return None if place is None else self._txn.get(place.physical, db=place.space)

    def _find(self, key: bytes, *, make: bool = False) -> Place | None:
        """Follow the heads of a key; None where one is missing, unless ``make`` adds it."""
        space, text, steps = self._spaces.keys, key, []
        while len(text) > DIRECT_BYTES_MAX:
            head = head_of(text)
            group = self._txn.get(head, db=space)
            if group is None:
                if not make:
                    return None
                group = self._new_id()
                self._txn.put(head, group, db=space)
            steps.append(Step(space, head, checked(group)))
            space, text = self._spaces.rest, group + text[DIRECT_BYTES_MAX:]
        return Place(space, text, steps)

    def _new_id(self) -> bytes:
        """An id above all that are in use; ids of groups that are gone may come back."""
        if self._last_id is None:
            with self._txn.cursor(db=self._spaces.rest) as cursor:
                self._last_id = cursor.key()[:ID_BYTES] if cursor.last() else bytes(ID_BYTES)
        self._last_id = next_id(self._last_id)
        return self._last_id

    def put_many(self, items: Iterable[tuple[bytes, bytes]]) -> None:
        """Set keys to values; all keys are checked before the first is set."""
        listed = items if isinstance(items, list) else list(items)
        if longest([key for key, _ in listed]) <= DIRECT_BYTES_MAX:
            with self._txn.cursor() as cursor:
                cursor.putmulti(listed)
            return
        for key, value in listed:
            place = self._find(key, make=True)
            assert place is not None
            self._txn.put(place.physical, value, db=place.space)

    def remove_many(self, keys: Iterable[bytes]) -> None:
        """Remove keys, and the heads that lead to nothing then."""
        listed = keys if isinstance(keys, list) else list(keys)
        longest(listed)
        for key in listed:
            if len(key) <= DIRECT_BYTES_MAX:
                self._txn.delete(key)
            else:
                self._remove_long(key)

    def _remove_long(self, key: bytes) -> None:
        place = self._find(key)
        if place is None or not self._txn.delete(place.physical, db=place.space):
            return
        with self._txn.cursor(db=self._spaces.rest) as cursor:
            for step in reversed(place.steps):
                if cursor.set_range(step.group) and cursor.key().startswith(step.group):
                    return
                self._txn.delete(step.head, db=step.space)

    def scan(self, start: bytes, stop: bytes, limit: int, *, reverse: bool) -> list[tuple[bytes, bytes]]:
        """Items of a range, at most ``limit``, downwards if ``reverse``."""
        if limit < 0:
            raise InvalidInput(f"A scan's limit is {limit}; it must not be negative.")
        found: list[tuple[bytes, bytes]] = []
        if start < stop and limit:
            scan = LmdbScan(self._txn, self._spaces.rest, found, limit=limit, reverse=reverse)
            scan.collect(self._spaces.keys, b"", start, stop)
        return found

    def clear(self) -> None:
        """Remove everything."""
        for space in self._spaces:
            self._txn.drop(space, delete=False)
        self._last_id = None


def checked(group: bytes) -> bytes:
    """A head's value, if it is an id."""
    if len(group) != ID_BYTES:
        raise Corrupt("The index holds a damaged long key.", hint=REBUILD_HINT)
    return group


class LmdbScan:
    """One scan, going down into the groups of long keys in their order."""

    def __init__(
        self,
        txn: lmdb.Transaction[bytes],
        rest: lmdb._Database,
        found: list[tuple[bytes, bytes]],
        *,
        limit: int,
        reverse: bool,
    ) -> None:
        self._txn = txn
        self._rest = rest
        self._found = found
        self._limit = limit
        self._reverse = reverse

    def collect(self, space: lmdb._Database, prefix: bytes, start: bytes, stop: bytes) -> None:
        """Append what lies in ``start <= text < stop`` of one space.

        Args:
            space: ``keys``, or ``rest`` within one group.
            prefix: What of the whole key comes before a text of this group.
            start: First text, in ``rest`` with the group's id in front.
            stop: End of the texts, likewise.
        """
        found, limit = self._found, self._limit
        cut = 0 if space is not self._rest else ID_BYTES
        low, high = lower_bound(start), upper_bound(stop)
        with self._txn.cursor(db=space) as cursor:
            if not self._seek(cursor, low, high):
                return
            for physical, value in cursor.iterprev() if self._reverse else cursor.iternext():
                if physical < low if self._reverse else physical >= high:
                    return
                if len(physical) == HEAD_BYTES:
                    group = checked(value)
                    first, end = group_start(physical, group, start), group_stop(physical, group, stop)
                    self.collect(self._rest, prefix + physical[cut:DIRECT_BYTES_MAX], first, end)
                else:
                    found.append((prefix + physical[cut:] if cut else physical, value))
                if len(found) == limit:
                    return

    def _seek(self, cursor: lmdb.Cursor[bytes], low: bytes, high: bytes) -> bool:
        """Go to the first entry of the range in the scan's direction, if there is one."""
        if not self._reverse:
            return cursor.set_range(low) if low else cursor.first()
        if not cursor.set_range(high[:HEAD_BYTES]):
            return cursor.last()
        return cursor.key() < high or cursor.prev()
