"""The copies of one log: written together, synced together, given up one by one.

A copy that fails, or doesn't sync in time, is dropped here and never written again (a
file whose sync failed isn't trusted); who owns the log decides about a replacement.
"""

from __future__ import annotations

import contextlib
import errno
import queue
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from maruhub.errors import BladeLost, MaruError, NoSpace, ReadOnly, Unavailable
from maruhub.store.blade import OUT_OF_DESCRIPTORS, Blade, BladeFile, Buffer
from maruhub.store.hand import Hand

SYNC_SECONDS: Final = 10.0
"""A blade's time for one sync; after it the copy is given up."""


@dataclass
class Copy:
    """One copy: its blade and its open file."""

    blade: Blade
    file: BladeFile
    hand: Hand | None = field(default=None, repr=False)

    def read(self, offset: int, size: int) -> bytes:
        """Up to ``size`` bytes; raises OSError where it can't be read."""
        buffer = bytearray(size)
        count = self.file.read_into(offset, memoryview(buffer))
        return bytes(buffer[:count])

    def read_or_nothing(self, offset: int, size: int) -> bytes:
        """Up to ``size`` bytes; empty where it can't be read."""
        try:
            return self.read(offset, size)
        except OSError:
            return b""

    def close(self) -> None:
        """Lets go of the file and its lock."""
        if self.hand is not None:
            self.hand.stop()
            self.hand = None
        self.file.close()


class Copies:
    """The copies that are still good, and why the others were dropped.

    ``write`` is safe from many threads on disjoint ranges; ``sync`` is for one at a time.
    """

    def __init__(self, good: Sequence[Copy], *, sync_seconds: float = SYNC_SECONDS) -> None:
        self.good = list(good)
        self.dropped: list[tuple[Blade, OSError]] = []
        self._dropped_copies: list[Copy] = []
        self._sync_seconds = sync_seconds
        self._lock = threading.Lock()

    def write(self, offset: int, buffers: Sequence[Buffer]) -> None:
        """Writes the same bytes into every good copy; raises if none took them."""
        for copy in tuple(self.good):
            try:
                copy.file.write(offset, buffers)
            except OSError as error:
                self._drop(copy, error)
        self.require()

    def sync(self) -> None:
        """Makes every good copy durable; a copy that can't in time is dropped."""
        copies = tuple(self.good)
        if len(copies) == 1:
            self._sync_here(copies[0])
        else:
            self._sync_beside(copies)
        self.require()

    def sync_names(self) -> None:
        """Makes the names of all good copies' files durable; a copy that can't is dropped.

        Unavailable where this process has no descriptors left: that is no copy's fault.
        """
        for copy in tuple(self.good):
            try:
                copy.blade.sync_names()
            except OSError as error:
                if error.errno in OUT_OF_DESCRIPTORS:
                    raise blade_error([error], "writing a log") from error
                self._drop(copy, error)
        self.require()

    def _sync_here(self, copy: Copy) -> None:
        try:
            copy.file.sync()
        except OSError as error:
            self._drop(copy, error)

    def _sync_beside(self, copies: Sequence[Copy]) -> None:
        results: queue.SimpleQueue[tuple[Copy, OSError | None]] = queue.SimpleQueue()
        for copy in copies:
            if copy.hand is None:
                copy.hand = Hand("maruhub-sync")
            copy.hand.run(lambda copy=copy: results.put((copy, sync_error(copy.file))))  # type: ignore[misc]
        waiting = list(copies)
        while waiting:
            try:
                copy, error = results.get(timeout=self._sync_seconds)
            except queue.Empty:
                break
            waiting.remove(copy)
            if error is not None:
                self._drop(copy, error)
        for copy in waiting:
            self._drop(copy, OSError(errno.ETIMEDOUT, f"no sync within {self._sync_seconds:g} s"))

    def _drop(self, copy: Copy, error: OSError) -> None:
        with self._lock:
            if copy in self.good:
                self.good.remove(copy)
                self.dropped.append((copy.blade, error))
                self._dropped_copies.append(copy)

    def require(self) -> None:
        """Raises what the last failure means, if no good copy is left."""
        if not self.good:
            raise blade_error([error for _, error in self.dropped], "writing a log")

    def close(self) -> None:
        """Closes all copies' files, and with them their locks; those of dropped ones too."""
        for copy in (*self.good, *self._dropped_copies):
            copy.close()


def sync_error(file: BladeFile) -> OSError | None:
    """Syncs a file; returns what went wrong."""
    try:
        file.sync()
    except OSError as error:
        return error
    return None


@contextlib.contextmanager
def descriptors_for(what: str) -> Iterator[None]:
    """Raises Unavailable where this process has no descriptors left for what it does in the block."""
    try:
        yield
    except OSError as error:
        if error.errno not in OUT_OF_DESCRIPTORS:
            raise
        raise blade_error([error], what) from error


def blade_error(errors: Sequence[OSError], what: str) -> MaruError:
    """What failures of all blades that were asked mean to the caller."""
    kinds = {error.errno for error in errors}
    said = "; ".join(
        sorted({f"{e.strerror or e}" + (f" ({e.filename})" if e.filename else "") for e in errors})
    )
    if kinds & {errno.ENOSPC, errno.EDQUOT}:
        return NoSpace(
            f"{what}: no room on any blade: {said}.", hint="Free space or add a blade; reads go on."
        )
    if kinds and kinds <= {errno.EROFS, errno.EACCES, errno.EPERM}:
        return ReadOnly(f"{what}: {said}.", hint="Check the permissions of the blades' folders.")
    if kinds and kinds <= {errno.ENOENT, errno.ENOTDIR, errno.ENODEV, errno.ENXIO}:
        return BladeLost(f"{what}: no blade answers: {said}.", hint="Are the drives mounted?")
    hint = "Raise the limit (ulimit -n)." if kinds & {*OUT_OF_DESCRIPTORS} else "See `maru status`."
    return Unavailable(f"{what}: {said or 'no blade is left'}.", hint=hint)
