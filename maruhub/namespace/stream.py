"""An upload: an object handed over piece by piece, in bounded memory.

Nothing is visible before :meth:`Upload.commit`; an upload that is given up leaves no name
behind, and its bytes are reclaimed as any that no row names.
"""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from collections.abc import Callable, Mapping
from typing import Any, Final, Generic, Protocol, TypeVar

from maruhub.errors import Corrupt, InvalidInput, MaruError, ReadOnly, Unavailable
from maruhub.namespace.digests import Digest, Hasher
from maruhub.namespace.trail import STEP_BYTES, Trail
from maruhub.store.format.extent import Blob, Extent
from maruhub.store.protocol import Buffer, Store

PIECE_BYTES: Final = 1 << 20
"""Held at a time by each upload, of which a server takes in many; one extent, so a multiple of 4 KiB."""
_GATHERING_MAX: Final = 2
"""Uploads of a process that hold as much as is worth a bulk write; the others write piece by piece."""
_gathering = threading.BoundedSemaphore(_GATHERING_MAX)


def _gather_anew() -> None:
    """In a forked child: a thread of the parent may have held a place, or the lock of all."""
    global _gathering
    _gathering = threading.BoundedSemaphore(_GATHERING_MAX)


os.register_at_fork(after_in_child=_gather_anew)

NOT_A_REFUSAL: Final = (Unavailable, ReadOnly, Corrupt)
"""Of a commit: errors after which its rows may turn up all the same, with a log that comes back."""

T = TypeVar("T")

Finish = Callable[[Digest, int, Blob, Mapping[str, Any]], T]


class Readable(Protocol):
    """Anything with ``read(n)``: at most n bytes, none at the end."""

    def read(self, size: int, /) -> bytes:
        """The next bytes."""


class Upload(Generic[T]):
    """Collects bytes of any length; used by one thread at a time.

    Args:
        store: Where pieces are appended.
        finish: Puts the whole on record: (digest, size_bytes, blob, fields).
        trail: Names what was written so far, where that is much; ``finish`` ends it.
        expected_bytes: How much will come, as far as that is known.
    """

    def __init__(
        self, store: Store, finish: Finish[T], trail: Trail | None = None, *, expected_bytes: int = 0
    ) -> None:
        self._store = store
        self._finish = finish
        self._trail = trail
        self._unnamed: list[Extent] = []
        self._held = bytearray()
        self._gathered: list[bytearray] = []
        self._expected_bytes = expected_bytes
        self._end_gathering: Callable[[], object] | None = None
        self._extents: list[Extent] = []
        self._hasher = Hasher()
        self._closed = False
        self.size_bytes = 0

    def write(self, data: Buffer) -> None:
        """Takes the next bytes; they are the caller's again when it returns."""
        if self._closed:
            raise InvalidInput("this upload has ended.", hint="Begin another one.")
        view = memoryview(as_bytes(data))
        self.size_bytes += len(view)
        while view:
            room = PIECE_BYTES - len(self._held)
            self._held += view[:room]
            view = view[room:]
            if len(self._held) == PIECE_BYTES:
                self._flush()

    def commit(self, fields: Mapping[str, Any] | None = None) -> T:
        """Puts it on record; durable when this returns.

        Args:
            fields: Further named fields, known only now: sums of what was written.
        """
        if self._closed:
            raise InvalidInput("this upload has ended.", hint="Begin another one.")
        try:
            if self._held:
                self._flush()
            if self._gathered:
                self._append()
        finally:
            self._stop_gathering()
        self._closed = True
        try:
            return self._finish(self._hasher.digest(), self.size_bytes, tuple(self._extents), fields or {})
        except MaruError as error:
            self._forget(was_refused=not isinstance(error, NOT_A_REFUSAL))
            raise

    def abort(self) -> None:
        """Gives it up; no name was taken. Once it has ended, this does nothing.

        It raises no MaruError: what can't be let go of now is reclaimed as a dead process's is.
        """
        if not self._closed:
            self._closed = True
            self._held.clear()
            self._gathered.clear()
            self._stop_gathering()
            self._forget(was_refused=True)

    def _forget(self, *, was_refused: bool) -> None:
        # Whoever gives up has mostly an error to tell of, which one of these must not hide.
        if was_refused and self._unnamed:
            with contextlib.suppress(MaruError):
                self._store.disclaim(self._unnamed)
        if self._trail is not None:
            with contextlib.suppress(MaruError):
                self._trail.drop()

    def _flush(self) -> None:
        piece, self._held = self._held, bytearray()
        sums = self._hasher.update(piece)
        self._gathered.append(piece)
        try:
            if not self._gathers():
                self._append()
        finally:
            for future in sums:
                future.result()

    def _gathers(self) -> bool:
        """Whether to wait for more, so that it goes straight into strips: once it is known to be large."""
        bulk_bytes = self._store.bulk_bytes
        if (
            not 0 < bulk_bytes <= max(self.size_bytes, self._expected_bytes)
            or len(self._gathered) * PIECE_BYTES >= bulk_bytes
        ):
            return False
        if self._end_gathering is None and _gathering.acquire(blocking=False):
            # Also where it is dropped without an end.
            self._end_gathering = weakref.finalize(self, _gathering.release)
        return self._end_gathering is not None

    def _stop_gathering(self) -> None:
        end, self._end_gathering = self._end_gathering, None
        if end is not None:
            end()

    def _append(self) -> None:
        """Writes what was gathered; names it where that is much."""
        for blob in self._store.append(self._gathered):
            self._extents += blob
            self._unnamed += blob
        self._gathered = []
        if self._trail is not None and sum(extent.length for extent in self._unnamed) >= STEP_BYTES:
            self._name(self._trail)

    def _name(self, trail: Trail) -> None:
        """Names what was written; none of it is disclaimed unless the row was refused for certain."""
        named, self._unnamed = self._unnamed, []
        try:
            trail.add(tuple(named))
        except MaruError as error:
            if not isinstance(error, NOT_A_REFUSAL):
                self._unnamed = named
            raise


def pour(stream: Readable, upload: Upload[T]) -> T:
    """Reads ``stream`` to its end into ``upload`` and commits it."""
    try:
        while piece := stream.read(1 << 20):
            upload.write(piece)
        return upload.commit()
    except BaseException:
        upload.abort()
        raise


def as_bytes(data: Buffer) -> Buffer:
    """``data`` so that its length is its size in bytes, not copied; InvalidInput if it is no buffer."""
    if isinstance(data, bytes):
        return data
    try:
        view = memoryview(data)
        return view.cast("B") if view.nbytes else b""
    except TypeError:
        raise InvalidInput(
            f"a {type(data).__name__} cannot be stored.", hint="Give bytes or a contiguous buffer of them."
        ) from None
