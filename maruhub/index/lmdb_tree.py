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
    GROUP_BYTES,
    GROUPS,
    GROUPS_END,
    HEAD_BYTES,
    KEYS,
    NO_GROUP,
    group_start,
    group_stop,
    head_of,
    is_group,
    lower_bound,
    next_group,
    upper_bound,
)
from maruhub.index.protocol import KEY_BYTES_MAX

_text_of = KEYS.__add__
_SHORT_MAX = DIRECT_BYTES_MAX - len(KEYS)


class Step(NamedTuple):
    """One head on the way to a long key's value."""

    head: bytes
    group: bytes


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


def checked(group: bytes) -> bytes:
    """A head's value, if it can be a group."""
    if not is_group(group):
        raise Corrupt("The index holds a damaged long key.", hint=REBUILD_HINT)
    return group


class LmdbTree:
    """The tree as one transaction on the environment's main database sees it; it gives bytes."""

    def __init__(self, txn: lmdb.Transaction[bytes]) -> None:
        self._txn = txn
        self._last_group: bytes | None = None

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Values in the order of ``keys``."""
        if longest(keys) <= _SHORT_MAX:
            # Measured fastest for 1, 256 and 10,000 keys (docs/internals/index.md).
            return list(map(self._txn.get, map(_text_of, keys)))
        return [self._get(key) for key in keys]

    def _get(self, key: bytes) -> bytes | None:
        physical = self._find(key, [])
        return None if physical is None else self._txn.get(physical)

    def _find(self, key: bytes, steps: list[Step], *, make: bool = False) -> bytes | None:
        """The physical key of a key's value; None where a head is missing, unless ``make`` adds it.

        Args:
            key: The whole key.
            steps: The heads on the way are appended here.
            make: Add heads that are missing.
        """
        text = _text_of(key)
        while len(text) > DIRECT_BYTES_MAX:
            head = head_of(text)
            group = self._txn.get(head)
            if group is None:
                if not make:
                    return None
                group = self._new_group()
                self._txn.put(head, group)
            steps.append(Step(head, checked(group)))
            text = group + text[DIRECT_BYTES_MAX:]
        return text

    def _new_group(self) -> bytes:
        """A group after all that are in use; the number of one that is gone may come back."""
        if self._last_group is None:
            with self._txn.cursor() as cursor:
                there = seek_last(cursor, GROUPS_END) and cursor.key().startswith(GROUPS)
                self._last_group = cursor.key()[:GROUP_BYTES] if there else NO_GROUP
        self._last_group = next_group(self._last_group)
        return self._last_group

    def put_many(self, items: Iterable[tuple[bytes, bytes]]) -> None:
        """Set keys to values; all keys are checked before the first is set."""
        listed = items if isinstance(items, list) else list(items)
        if longest([key for key, _ in listed]) <= _SHORT_MAX:
            with self._txn.cursor() as cursor:
                cursor.putmulti([(KEYS + key, value) for key, value in listed])
            return
        for key, value in listed:
            physical = self._find(key, [], make=True)
            assert physical is not None
            self._txn.put(physical, value)

    def remove_many(self, keys: Iterable[bytes]) -> None:
        """Remove keys, and the heads that lead to nothing then."""
        listed = keys if isinstance(keys, list) else list(keys)
        longest(listed)
        for key in listed:
            if len(key) <= _SHORT_MAX:
                self._txn.delete(_text_of(key))
            else:
                self._remove_long(key)

    def _remove_long(self, key: bytes) -> None:
        steps: list[Step] = []
        physical = self._find(key, steps)
        if physical is None or not self._txn.delete(physical):
            return
        with self._txn.cursor() as cursor:
            for step in reversed(steps):
                if cursor.set_range(step.group) and cursor.key().startswith(step.group):
                    return
                self._txn.delete(step.head)

    def scan(self, start: bytes, stop: bytes, limit: int, *, reverse: bool) -> list[tuple[bytes, bytes]]:
        """Items of a range, at most ``limit``, downwards if ``reverse``."""
        if limit < 0:
            raise InvalidInput(f"A scan's limit is {limit}; it must not be negative.")
        found: list[tuple[bytes, bytes]] = []
        if start < stop and limit:
            scan = LmdbScan(self._txn, found, limit=limit, reverse=reverse)
            scan.collect(b"", len(KEYS), _text_of(start), _text_of(stop))
        return found


def seek_last(cursor: lmdb.Cursor[bytes], high: bytes) -> bool:
    """Go to the last physical key below ``high`` (an ``upper_bound``), if there is one."""
    if not cursor.set_range(high[:HEAD_BYTES]):
        return cursor.last()
    return cursor.key() < high or cursor.prev()


class LmdbScan:
    """One scan, going down into the groups of long keys in their order."""

    def __init__(
        self,
        txn: lmdb.Transaction[bytes],
        found: list[tuple[bytes, bytes]],
        *,
        limit: int,
        reverse: bool,
    ) -> None:
        self._txn = txn
        self._found = found
        self._limit = limit
        self._reverse = reverse

    def collect(self, prefix: bytes, cut: int, start: bytes, stop: bytes) -> None:
        """Append what lies in ``start <= text < stop``, which is within one group or none.

        Args:
            prefix: What of the whole key comes before these texts' own part.
            cut: Bytes in front of that part: the group's, or ``KEYS``.
            start: First text.
            stop: End of the texts.
        """
        found, limit = self._found, self._limit
        low, high = lower_bound(start), upper_bound(stop)
        with self._txn.cursor() as cursor:
            if not (seek_last(cursor, high) if self._reverse else cursor.set_range(low)):
                return
            for physical, value in cursor.iterprev() if self._reverse else cursor.iternext():
                if physical < low if self._reverse else physical >= high:
                    return
                if len(physical) == HEAD_BYTES:
                    group = checked(value)
                    first, end = group_start(physical, group, start), group_stop(physical, group, stop)
                    self.collect(prefix + physical[cut:DIRECT_BYTES_MAX], GROUP_BYTES, first, end)
                else:
                    found.append((prefix + physical[cut:], value))
                if len(found) == limit:
                    return
