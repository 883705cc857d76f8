"""Memory that answers come into, used again once nobody holds any of it.

A frame is some MiB. Memory for each anew costs the kernel as much as half of what receiving does: it
has to be cleared, mapped, and given back.
"""

from __future__ import annotations

import weakref
from collections import deque
from typing import Final

import numpy as np
import numpy.typing as npt

_STEP_BYTES: Final = 1 << 20
"""Frames differ by an object or two; what is kept has room for the next one."""
_IDLE_BYTES: Final = 32 << 20
_LARGEST_BYTES: Final = 16 << 20
"""Larger frames are rare; their memory is given back."""

_Storage = npt.NDArray[np.uint8]


class Room:
    """Gives out memory. Safe from many threads.

    Attributes:
        idle_bytes: Kept for the next frames, at most 32 MiB; approximate under threads.
    """

    def __init__(self) -> None:
        self._idle: deque[_Storage] = deque()
        self.idle_bytes = 0

    def take(self, size_bytes: int) -> memoryview:
        """Writable memory, ``uint8[size_bytes]``, with anything in it.

        It is used again when this view, and every view and array made from it, is gone.
        """
        storage = self._storage(size_bytes)
        taken = storage[:size_bytes]
        weakref.finalize(taken, self._give_back, storage).atexit = False
        return taken.data

    def clear(self) -> None:
        """Gives back what is idle."""
        self._idle.clear()
        self.idle_bytes = 0

    def _storage(self, size_bytes: int) -> _Storage:
        for _ in range(len(self._idle)):
            try:
                storage = self._idle.pop()
            except IndexError:  # another thread was quicker
                break
            if len(storage) >= size_bytes:
                self.idle_bytes -= len(storage)
                return storage
            self._idle.appendleft(storage)
        return np.empty(-(-size_bytes // _STEP_BYTES) * _STEP_BYTES, np.uint8)

    def _give_back(self, storage: _Storage) -> None:
        if len(storage) <= _LARGEST_BYTES and self.idle_bytes + len(storage) <= _IDLE_BYTES:
            self.idle_bytes += len(storage)
            self._idle.append(storage)
