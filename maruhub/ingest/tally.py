"""The tally: counts of a running ingest, kept by all its threads."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Final

from maruhub.ingest.entry import Refusal
from maruhub.ingest.progress import Progress
from maruhub.ingest.report import Report

_INTERVAL_S: Final = 0.1


class Tally:
    """Counts, and tells ``progress`` at most ten times a second and once at the end.

    Args:
        refusals_max: Refusals kept; all are counted.
        progress: Called with the lock held, from any thread: it must return soon.
    """

    def __init__(self, refusals_max: int, progress: Callable[[Progress], None] | None) -> None:
        self._lock = threading.Lock()
        self._progress = progress
        self._told = 0.0
        self._begin = time.monotonic()
        self._started_us = time.time_ns() // 1000
        self._refusals_max = refusals_max
        self._refused: list[Refusal] = []
        self._refused_count: Counter[str] = Counter()
        self._stored = self._unchanged = self._metadata_updated = 0
        self._bytes_read = self._bytes_stored = 0
        self._items_done = self._bytes_done = 0
        self._items_total = self._bytes_total = 0
        self._total_known = False

    def listed(self, count: int, size_bytes: int, *, ended: bool) -> None:
        """The source showed so many more entries."""
        with self._lock:
            self._items_total += count
            self._bytes_total += size_bytes
            self._total_known = ended
            self._tell()

    def refuse(self, refusal: Refusal) -> None:
        """One thing is not stored."""
        with self._lock:
            self._refused_count[refusal.reason] += 1
            if len(self._refused) < self._refusals_max:
                self._refused.append(refusal)

    def done(
        self, *, stored: int = 0, unchanged: int = 0, metadata_updated: int = 0, bytes_stored: int = 0
    ) -> None:
        """So many objects are durable, or were before."""
        with self._lock:
            self._stored += stored
            self._unchanged += unchanged
            self._metadata_updated += metadata_updated
            self._bytes_stored += bytes_stored

    def read(self, size_bytes: int) -> None:
        """Bytes came from the source."""
        with self._lock:
            self._bytes_read += size_bytes

    def passed(self, count: int, size_bytes: int) -> None:
        """Entries of a chunk are dealt with, whatever became of them."""
        with self._lock:
            self._items_done += count
            self._bytes_done += size_bytes
            self._tell()

    def tell(self) -> None:
        """Tells the last state."""
        with self._lock:
            self._tell(always=True)

    def _tell(self, *, always: bool = False) -> None:
        now = time.monotonic()
        if self._progress is None or (now - self._told < _INTERVAL_S and not always):
            return
        self._told = now
        self._progress(
            Progress(
                items_done=self._items_done,
                bytes_done=self._bytes_done,
                items_total=self._items_total,
                bytes_total=self._bytes_total,
                total_known=self._total_known,
                stored=self._stored,
                unchanged=self._unchanged,
                refused=sum(self._refused_count.values()),
                seconds=now - self._begin,
            )
        )

    def report(self, source: str, bucket: str, prefix: str, *, stopped: str = "") -> Report:
        """What stands now, as a report."""
        with self._lock:
            return Report(
                source=source,
                bucket=bucket,
                prefix=prefix,
                complete=not stopped,
                stored=self._stored,
                unchanged=self._unchanged,
                metadata_updated=self._metadata_updated,
                refused_count=dict(sorted(self._refused_count.items())),
                bytes_read=self._bytes_read,
                bytes_stored=self._bytes_stored,
                seconds=time.monotonic() - self._begin,
                started_us=self._started_us,
                refused=tuple(self._refused),
                stopped=stopped,
            )
