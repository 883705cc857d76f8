"""The index's trusted model: the same contract over a dict, for tests only, in one process."""

from __future__ import annotations

import contextlib
import threading
import uuid
from collections.abc import Iterable, Iterator, Sequence

from maruhub.errors import InvalidInput, Unavailable
from maruhub.index.protocol import KEY_BYTES_MAX


def check_keys(keys: Iterable[bytes]) -> None:
    """Raise ``InvalidInput`` if a key breaks the rule."""
    for key in keys:
        if not 1 <= len(key) <= KEY_BYTES_MAX:
            raise InvalidInput(f"An index key has {len(key)} bytes, not 1 to {KEY_BYTES_MAX}.")


class MemoryTxn:
    """A transaction on a copy of the dict."""

    def __init__(self, items: dict[bytes, bytes]) -> None:
        self.items = dict(items)

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """See ``IndexTxn.get_many``."""
        check_keys(keys)
        return [self.items.get(key) for key in keys]

    def scan(
        self, start: bytes, stop: bytes, limit: int, *, reverse: bool = False
    ) -> list[tuple[bytes, bytes]]:
        """See ``IndexTxn.scan``."""
        if limit < 0:
            raise InvalidInput(f"A scan's limit is {limit}.")
        keys = sorted((key for key in self.items if start <= key < stop), reverse=reverse)
        return [(key, self.items[key]) for key in keys[:limit]]

    def put_many(self, items: Iterable[tuple[bytes, bytes]]) -> None:
        """See ``IndexTxn.put_many``."""
        listed = list(items)
        check_keys(key for key, _ in listed)
        self.items.update(listed)

    def remove_many(self, keys: Iterable[bytes]) -> None:
        """See ``IndexTxn.remove_many``."""
        listed = list(keys)
        check_keys(listed)
        for key in listed:
            self.items.pop(key, None)


class MemoryIndex:
    """``Index`` over a dict that is replaced whole at each commit."""

    def __init__(self) -> None:
        self._items: dict[bytes, bytes] | None = {}
        self._lock = threading.Lock()
        self._identity = uuid.uuid4().hex

    def _state(self) -> MemoryTxn:
        if self._items is None:
            raise Unavailable("This memory index is closed.")
        return MemoryTxn(self._items)

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """See ``Index.get_many``."""
        return self._state().get_many(keys)

    def scan(
        self, start: bytes, stop: bytes, limit: int, *, reverse: bool = False
    ) -> list[tuple[bytes, bytes]]:
        """See ``Index.scan``."""
        return self._state().scan(start, stop, limit, reverse=reverse)

    @contextlib.contextmanager
    def write(self) -> Iterator[MemoryTxn]:
        """See ``Index.write``."""
        with self._lock:
            txn = self._state()
            yield txn
            self._items = txn.items

    def clear(self) -> None:
        """See ``Index.clear``."""
        with self.write() as txn:
            txn.items = {}

    def identity(self) -> str:
        """See ``Index.identity``."""
        return self._identity

    def close(self) -> None:
        """See ``Index.close``."""
        self._items = None
