"""The sums made at put: MD5 for the ETag, SHA-256 as the identity of content.

hashlib releases the GIL above 2 KB, so a few threads hash a batch while the caller
appends the same bytes to the log. Knows bytes only.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, NamedTuple

from maruhub.store.protocol import Buffer

_THREADS: Final = min(4, os.cpu_count() or 1)
INLINE_BYTES: Final = 128 * 1024
"""Up to here a hand-over to another thread costs more than hashing."""
_pool: tuple[int, ThreadPoolExecutor] | None = None


class Digest(NamedTuple):
    """``md5`` is 16 bytes, ``sha256`` 32."""

    md5: bytes
    sha256: bytes


class Pending:
    """Digests on their way, in the order of the blobs; the blobs stay the caller's."""

    def __init__(self, done: list[Digest], parts: Sequence[Future[list[Digest]]] = ()) -> None:
        self._done = done
        self._parts = parts

    def result(self) -> list[Digest]:
        """Waits for all of them."""
        return self._done + [digest for part in self._parts for digest in part.result()]


class Hasher:
    """Both sums over a run of pieces, in parallel where a piece is worth it."""

    def __init__(self) -> None:
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._sha256 = hashlib.sha256()

    def update(self, piece: Buffer) -> tuple[Future[None], Future[None]]:
        """Starts on a piece; the next may be handed in when both futures are done."""
        threads = executor()
        return threads.submit(self._md5.update, piece), threads.submit(self._sha256.update, piece)

    def digest(self) -> Digest:
        """The sums of all pieces so far."""
        return Digest(self._md5.digest(), self._sha256.digest())


def executor() -> ThreadPoolExecutor:
    """The hashing threads of this process: threads do not survive a fork, so one set a process id."""
    global _pool
    if _pool is None or _pool[0] != os.getpid():
        _pool = (os.getpid(), ThreadPoolExecutor(_THREADS, thread_name_prefix="maru-digest"))
    return _pool[1]


def start_digests(blobs: Sequence[Buffer], known: Sequence[Digest | None] = ()) -> Pending:
    """Begins hashing; small batches are done at once, as a hand-over costs more than they do.

    ``known`` are the digests of all of the blobs, or there is nothing in it that helps.
    """
    made = [digest for digest in known if digest is not None]
    if len(made) == len(blobs):
        return Pending(made)
    total = sum(map(len, blobs))
    if total <= INLINE_BYTES or _THREADS == 1:
        return Pending(_digest_run(blobs))
    threads = executor()
    return Pending([], [threads.submit(_digest_run, run) for run in _even_runs(blobs, total)])


def _even_runs(blobs: Sequence[Buffer], total: int) -> list[Sequence[Buffer]]:
    """Neighbouring blobs together, about four runs a thread, so that the last one is short."""
    target = max(total // (4 * _THREADS), 1)
    runs: list[Sequence[Buffer]] = []
    start = held = 0
    for i, blob in enumerate(blobs):
        held += len(blob)
        if held >= target:
            runs.append(blobs[start : i + 1])
            start, held = i + 1, 0
    return [*runs, blobs[start:]] if start < len(blobs) else runs


def _digest_run(blobs: Sequence[Buffer]) -> list[Digest]:
    md5, sha256 = hashlib.md5, hashlib.sha256
    return [Digest(md5(blob, usedforsecurity=False).digest(), sha256(blob).digest()) for blob in blobs]
