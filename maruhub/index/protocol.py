"""What an index promises, whichever engine keeps it.

Laws for every implementation (``maruhub.testing.index_suite`` checks them):

- **Order** is byte order of whole keys, for keys of 1 to ``KEY_BYTES_MAX`` bytes of any
  values. An empty key, or a longer one, is ``InvalidInput``.
- **One writer**: over all threads and processes at most one write transaction exists; the
  next ``write()`` waits. The death of a process in the middle of one undoes it and lets the
  next writer in.
- **Readers** never wait for a writer and see only committed states, each call one moment.
- **Buffers**: what comes back is ``bytes`` that the caller owns; nothing points into the
  engine's memory.
- **Batches first**: one call for many keys costs an engine over a network one round trip.
  Callers that loop over single keys are the ones that are slow.
- **Durability**: after a power cut the index is at some committed state, maybe not the last.

Errors: ``InvalidInput`` (a key that breaks the rule), ``ReadOnly`` (opened so, or the file
system is), ``NoSpace``, ``Corrupt`` (rebuild it), ``Unavailable`` (anything else of the
engine's). After an error inside ``write()`` the transaction is aborted as a whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

KEY_BYTES_MAX = 4096
"""Every engine takes keys of up to this many bytes, and none longer."""

AFTER_ALL = b"\xff" * (KEY_BYTES_MAX + 1)
"""A ``stop`` beyond every key."""


class IndexTxn(Protocol):
    """A write transaction, used only by the thread that began it, and only inside its ``with``.

    Reads see the state at its beginning and its own writes. Nobody else sees those before
    the ``with`` block has been left without an exception.
    """

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the values of ``keys`` in their order; None where a key is not held."""
        ...

    def scan(
        self, start: bytes, stop: bytes, limit: int, *, reverse: bool = False
    ) -> list[tuple[bytes, bytes]]:
        """Return as ``Index.scan`` does, own writes included."""
        ...

    def put_many(self, items: Iterable[tuple[bytes, bytes]]) -> None:
        """Set each key to its value; of a key given twice the last value stays.

        Raises:
            InvalidInput: A key is empty or too long.
            NoSpace: The engine's disk is full; leave the ``with`` block by this exception.
        """
        ...

    def remove_many(self, keys: Iterable[bytes]) -> None:
        """Remove each key; one that is not held is passed over."""
        ...


class Index(Protocol):
    """An ordered map from bytes to bytes, safe from any number of threads and processes.

    An index is not picklable. After ``fork`` the child goes on with the same object (the
    engine is opened again behind it); after ``spawn`` it makes its own.
    """

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the values of ``keys`` in their order, all of one moment; None where not held.

        Repeated keys are allowed. The read transaction lasts no longer than the call.

        Raises:
            InvalidInput: A key is empty or too long.
        """
        ...

    def scan(
        self, start: bytes, stop: bytes, limit: int, *, reverse: bool = False
    ) -> list[tuple[bytes, bytes]]:
        """Return the first ``limit`` items with ``start <= key < stop``, all of one moment.

        Args:
            start: Lowest key, included. May be empty: from the first key on. Any length.
            stop: First key no longer included (``AFTER_ALL``: to the last key). Any length.
            limit: Most items to return; 0 returns none, a negative one is ``InvalidInput``.
            reverse: From the highest key downwards (the last ``limit`` items, last first).

        To go on, pass the last key and a zero byte as ``start``, or in reverse that key as ``stop``.
        """
        ...

    def write(self) -> AbstractContextManager[IndexTxn]:
        """Wait to be the only writer and begin; commit on a clean exit, abort on an exception.

        Not re-entrant: the thread that holds one may not ask for another.

        Raises:
            ReadOnly: This index cannot be written.
            NoSpace: The commit found the engine's disk full; nothing of it was done.
        """
        ...

    def clear(self) -> None:
        """Remove everything in one transaction (before a rebuild)."""
        ...

    def identity(self) -> str:
        """Name the stored file: another answer means another file was put in its place.

        It stays the same over close and open and over all processes of one machine.
        """
        ...

    def close(self) -> None:
        """Let go of the engine. Closing twice is fine; using it after is ``Unavailable``."""
        ...
