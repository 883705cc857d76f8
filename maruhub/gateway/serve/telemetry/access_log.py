"""The access log: a line of JSON a request, without queries, which may hold signatures.

A thread of its own writes it: whoever reads it may stall, and no request may wait for that. What is
held for it is bounded; lines beyond that are lost and counted.
"""

from __future__ import annotations

import functools
import os
import select
import stat
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from json.encoder import encode_basestring_ascii as quoted
from queue import SimpleQueue
from typing import Final

from maruhub.gateway.serve.telemetry.ended import Ended

_HELD_BYTES: Final = 8 << 20
_LINE_BYTES: Final = 256
"""What a line holds besides what its client chose, about."""
_PATH_CHARS: Final = 512
_METHOD_CHARS: Final = 16
_PATIENCE_S: Final = 2.0


class AccessLog:
    """Appends whole lines; several workers may share one file or pipe. Used by one thread at a time.

    A pipe takes at most ``PIPE_BUF`` bytes as a whole, so a longer line goes there with its path cut.

    Args:
        target: A file, ``-`` for standard output, empty for none.
    """

    def __init__(self, target: str) -> None:
        self._file: int | None = None
        self._held: SimpleQueue[Sequence[Ended] | None] = SimpleQueue()
        self._held_bytes = 0
        self._lost = 0
        self._lock = threading.Lock()
        if target == "-":
            self._file = os.dup(sys.stdout.fileno())
        elif target:
            self._file = os.open(target, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        if self._file is not None:
            self._writer = threading.Thread(
                target=self._write_all, args=(self._file,), name="maru-access-log", daemon=True
            )
            self._writer.start()

    def write(self, ended: Sequence[Ended]) -> None:
        """Takes a line for each, and waits for nothing: a log that can't be written loses lines."""
        if self._file is None or not ended:
            return
        size_bytes = _held_bytes(ended)
        with self._lock:
            if self._held_bytes + size_bytes > _HELD_BYTES:
                self._lost += len(ended)
                return
            self._held_bytes += size_bytes
        self._held.put(ended)

    def take_lost(self) -> int:
        """How many lines were lost since the last call."""
        with self._lock:
            lost, self._lost = self._lost, 0
        return lost

    def close(self) -> None:
        """Writes what is held and lets go of the file; gives a reader that stalls up after two seconds."""
        if self._file is None:
            return
        self._held.put(None)
        self._writer.join(_PATIENCE_S)
        # The number may not become another file's under a thread that is still at it.
        if not self._writer.is_alive():
            os.close(self._file)
        self._file = None

    def _write_all(self, file: int) -> None:
        """In the thread: everything, until it is told that nothing more comes."""
        limit = None if stat.S_ISREG(os.fstat(file).st_mode) else select.PIPE_BUF
        while (ended := self._held.get()) is not None:
            lost = 0
            for lines, piece in _pieces(ended, limit):
                lost += 0 if _written(file, piece) else lines
            with self._lock:
                self._lost += lost
                self._held_bytes -= _held_bytes(ended)


def _held_bytes(ended: Sequence[Ended]) -> int:
    return sum(_LINE_BYTES + len(one.path) + len(one.method) for one in ended)


def _pieces(ended: Sequence[Ended], limit: int | None) -> Iterator[tuple[int, bytes]]:
    """Whole lines, at most ``limit`` bytes at a time, and how many they are."""
    if limit is None:
        yield len(ended), "".join(map(_line, ended)).encode()
        return
    lines, piece = 0, b""
    for one in ended:
        line = _line(one).encode()
        if len(line) > limit:
            cut = one._replace(method=one.method[:_METHOD_CHARS], path=one.path[:_PATH_CHARS])
            line = _line(cut).encode()
        if lines and len(piece) + len(line) > limit:
            yield lines, piece
            lines, piece = 0, b""
        lines, piece = lines + 1, piece + line
    yield lines, piece


def _written(file: int, data: bytes) -> bool:
    rest = memoryview(data)
    try:
        while rest:
            rest = rest[os.write(file, rest) :]
    except OSError:
        return False
    return True


def _line(one: Ended) -> str:
    second, rest = divmod(one.at_s, 1)
    # Text from outside is quoted; the rest is of our own making.
    return (
        f'{{"time": "{_stamp(int(second))}.{int(rest * 1000):03d}Z", "id": "{one.id}", '
        f'"client": {quoted(one.client)}, "key": {quoted(one.key)}, "operation": {quoted(one.operation)}, '
        f'"method": {quoted(one.method)}, "path": {quoted(one.path)}, "status": {one.status}, '
        f'"received": {one.received}, "sent": {one.sent}, "ms": {round(one.seconds * 1000, 3)}}}\n'
    )


@functools.lru_cache(maxsize=4)
def _stamp(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
