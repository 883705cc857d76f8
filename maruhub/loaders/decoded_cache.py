"""What was decoded, kept for the next epochs, up to a number of bytes.

What is in stays in: in an epoch each sample comes once, so whatever is thrown out to make room
is as likely to be next as what replaces it, and "least recently used" would throw out just what
comes soonest. A full cache serves its share of every epoch.
"""

from __future__ import annotations

import os
import sys
import threading
from typing import Any

import numpy as np
import numpy.typing as npt


class DecodedCache:
    """Decoded samples by row. Safe from many threads, and in a forked child.

    Args:
        limit_bytes: What the values may take together; 0 keeps nothing.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._values: dict[int, Any] = {}
        self._bytes = 0
        self._lock, self._lock_pid = threading.Lock(), os.getpid()

    @property
    def size_bytes(self) -> int:
        """What is held."""
        return self._bytes

    def __len__(self) -> int:
        return len(self._values)

    def known(self, rows: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_] | None:
        """Which rows are held, for good; None if none is."""
        if not self._values:
            return None
        mask = np.fromiter((row in self._values for row in rows.tolist()), dtype=np.bool_, count=len(rows))
        return mask if mask.any() else None

    def get(self, row: int) -> Any | None:
        """The value of a row that is held; shared by all who ask, so arrays are read-only."""
        return self._values.get(row)

    def put(self, row: int, value: Any) -> None:
        """Keeps a value if there is room for it."""
        size, pid = size_of(value), os.getpid()
        if self._lock_pid != pid:  # the lock's holder may be a thread that was not forked
            self._lock, self._lock_pid = threading.Lock(), pid
        with self._lock:
            if row in self._values or self._bytes + size > self._limit_bytes:
                return
            freeze(value)
            self._values[row] = value
            self._bytes += size


def freeze(value: Any) -> None:
    """Makes arrays read-only: what one epoch writes into them would be the next one's sample."""
    if isinstance(value, np.ndarray):
        value.flags.writeable = False
    elif isinstance(value, tuple | list):
        for each in value:
            freeze(each)


def size_of(value: Any) -> int:
    """Bytes that a decoded value takes, near enough."""
    if isinstance(value, tuple | list):
        return sum(map(size_of, value))
    return int(value.nbytes) if hasattr(value, "nbytes") else sys.getsizeof(value)
