"""What was found lately, kept within bounds."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Kept(Generic[K, V]):
    """Values by what they are found by again. Safe from many threads.

    Beyond a bound those go that were not asked for the longest; the newest stays, whatever it holds.

    Args:
        most: So many at most.
        most_bytes: So much memory at most, as ``bytes_of`` tells of each.
        bytes_of: What a key and its value hold now; it may become less while they are kept.
    """

    def __init__(
        self, most: int, *, most_bytes: int = 0, bytes_of: Callable[[K, V], int] = lambda _key, _value: 0
    ) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._bytes_of = bytes_of
        self._values: OrderedDict[K, V] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._values)

    def find(self, key: K, make: Callable[[], V], *, turn: AbstractContextManager[None]) -> V:
        """The value of ``key``: as it was kept, or made by ``make`` in its ``turn``.

        Raises:
            Exception: What ``turn`` and ``make`` raise; then nothing is kept.
        """
        known = self._known(key)
        if known is not None:
            return known
        with turn:
            known = self._known(key)  # whoever had the turn before may have made the same
            if known is None:
                known = make()
                self._keep(key, known)
        return known

    def _known(self, key: K) -> V | None:
        with self._lock:
            known = self._values.get(key)
            if known is not None:
                self._values.move_to_end(key)
            return known

    def _keep(self, key: K, value: V) -> None:
        with self._lock:
            self._values[key] = value
            while len(self._values) > 1 and self._holds_too_much():
                self._values.popitem(last=False)

    def _holds_too_much(self) -> bool:
        held_bytes = sum(self._bytes_of(key, value) for key, value in self._values.items())
        return len(self._values) > self._most or held_bytes > self._most_bytes
