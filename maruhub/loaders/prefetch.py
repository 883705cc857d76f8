"""A thread that runs an iterator ahead of its consumer, bounded by bytes.

The thread is the trainer's own (reads release the GIL). It holds no reference to what
consumes it, so a forgotten loader is collected and its thread ends. What it raises is
raised in the consumer, after everything it had made before; if it dies without a word,
the consumer says so within a second. It is never used across a fork: whoever owns it
compares ``pid`` and drops it.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Iterator
from typing import Final, Generic, Protocol, TypeVar

from maruhub.errors import Unavailable

LOOK_S: Final = 0.5
"""How often a waiting consumer looks whether the thread still lives."""
JOIN_S: Final = 5.0


class Sized(Protocol):
    """What is handed over knows its size."""

    @property
    def size_bytes(self) -> int:
        """Bytes that it keeps alive."""


Item = TypeVar("Item", bound=Sized)


class Channel(Generic[Item]):
    """Items between the two threads: at most ``limit_bytes`` of them, or one."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._items: deque[Item] = deque()
        self._bytes = 0
        self._changed = threading.Condition()
        self._closed = False
        self._ended = False
        self._error: BaseException | None = None
        self.producer_waited_s = 0.0
        self.consumer_waited_s = 0.0

    def put(self, item: Item) -> bool:
        """Waits for room; False says that nobody wants more."""
        with self._changed:
            start = time.perf_counter()
            while self._items and self._bytes + item.size_bytes > self._limit_bytes and not self._closed:
                self._changed.wait()
            self.producer_waited_s += time.perf_counter() - start
            if self._closed:
                return False
            self._items.append(item)
            self._bytes += item.size_bytes
            self._changed.notify_all()
            return True

    def end(self, error: BaseException | None) -> None:
        """No more items; ``error`` is what the consumer gets after the last one."""
        with self._changed:
            self._ended, self._error = True, error
            self._changed.notify_all()

    def close(self) -> None:
        """The consumer leaves: drops what is waiting and lets the producer end."""
        with self._changed:
            self._closed = True
            self._items.clear()
            self._bytes = 0
            self._changed.notify_all()

    def get(self, thread: threading.Thread) -> Item | None:
        """The next item, or None at the end; raises what ended it, once."""
        with self._changed:
            start = time.perf_counter()
            while not self._items and not self._ended and thread.is_alive():
                self._changed.wait(LOOK_S)
            self.consumer_waited_s += time.perf_counter() - start
            if self._items:
                item = self._items.popleft()
                self._bytes -= item.size_bytes
                self._changed.notify_all()
                return item
        error, self._error = self._error, None
        if error is not None:
            try:
                raise error
            finally:
                del error  # its traceback names this frame: a cycle that would hold the batches
        if not self._ended:
            raise Unavailable(
                "the loader's reading thread died without a reason.",
                hint="Load the last state into a new loader; if it happens again, use prefetch=0.",
            )
        return None


class Prefetcher(Generic[Item]):
    """Runs ``items`` in a thread of this process until closed, exhausted or forgotten."""

    def __init__(self, items: Iterator[Item], *, limit_bytes: int) -> None:
        self.pid = os.getpid()
        self.channel: Channel[Item] = Channel(limit_bytes)
        self._thread = threading.Thread(
            target=_run, args=(items, self.channel), name="maruhub-prefetch", daemon=True
        )
        # Also runs at the interpreter's exit, before daemon threads are frozen in mid-read.
        self._finalizer = weakref.finalize(self, _stop, self.channel, self._thread, self.pid)
        self._thread.start()

    def get(self) -> Item | None:
        """The next item, or None at the end; raises what the thread raised."""
        return self.channel.get(self._thread)

    def close(self) -> None:
        """Ends the thread and waits for it (up to 5 s, when a read hangs). Idempotent."""
        self._finalizer()


def _run(items: Iterator[Item], channel: Channel[Item]) -> None:
    """The thread's whole life."""
    error: BaseException | None = None
    try:
        for item in items:
            if not channel.put(item):
                break
            del item  # else one batch would stay alive here while waiting for the next
    except BaseException as caught:  # noqa: BLE001 - all of it is the consumer's to hear
        error = caught
    finally:
        channel.end(error)
        error = None  # its traceback names this frame: a cycle that would hold the batches


def _stop(channel: Channel[Item], thread: threading.Thread, pid: int) -> None:
    # In a forked child the lock may be held by a thread that does not exist there.
    if os.getpid() != pid:
        return
    channel.close()
    if thread is not threading.current_thread():
        thread.join(JOIN_S)
