"""A stretch: one run of batches from a place on, read ahead by a thread or not."""

from __future__ import annotations

import os
from collections.abc import Iterator

from maruhub.loaders.assembly import Ready
from maruhub.loaders.prefetch import Prefetcher
from maruhub.loaders.stats import Meter


class Stretch:
    """Batches up to the end of some epochs. Of one process: after a fork it is left behind.

    Args:
        items: What is read, lazily.
        last_epoch: The epoch before which it ends; None: it never does.
        prefetch: Bytes that may wait ready; 0: no thread.
    """

    def __init__(self, items: Iterator[Ready], last_epoch: int | None, *, prefetch: int) -> None:
        self.last_epoch = last_epoch
        self._pid = os.getpid()
        self._inline = items if not prefetch else None
        self._thread = Prefetcher(items, limit_bytes=prefetch) if prefetch else None
        self._taken = (0.0, 0.0)

    @property
    def is_foreign(self) -> bool:
        """Whether it is a parent process's, whose thread doesn't exist here."""
        return self._pid != os.getpid()

    def next(self) -> Ready | None:
        """The next batch, or None at the end; raises what reading it raised."""
        if self._inline is not None:
            return next(self._inline, None)
        assert self._thread is not None
        return self._thread.get()

    def tell_waits(self, meter: Meter) -> None:
        """Adds what trainer and reader have waited since the last call."""
        if self._thread is None:
            return
        channel = self._thread.channel
        now = (channel.consumer_waited_s, channel.producer_waited_s)
        meter.trainer_waited += now[0] - self._taken[0]
        meter.reader_waited += now[1] - self._taken[1]
        self._taken = now

    def close(self) -> None:
        """Ends the thread. Idempotent."""
        if self._thread is not None and not self.is_foreign:
            self._thread.close()
