"""The feed: cuts a source's entries into chunks for the landers.

Any thread takes the next chunk; the source is listed by one at a time. A chunk is what
one commit holds. The feed looks ahead a bounded way, so that totals are known early.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from typing import Final

from maruhub.ingest.entry import Entry, Refusal
from maruhub.ingest.options import IngestOptions
from maruhub.ingest.sidecar import paired
from maruhub.ingest.source import Source
from maruhub.ingest.tally import Tally

_AHEAD_ENTRIES: Final = 100_000
_AHEAD_CHUNKS: Final = 4
_CHUNKS_SMALL: Final = 2
"""So many for each worker have at most ``_SMALL_ITEMS`` and ``_SMALL_BYTES``."""
_SMALL_ITEMS: Final = 256
_SMALL_BYTES: Final = 16 << 20


class Feed:
    """Chunks of a source's entries, in its order.

    Args:
        source: Listed once, from start to end.
        options: Bounds of a chunk, and whether sidecars are paired.
        tally: Is told totals and what the source refuses.
    """

    def __init__(self, source: Source, options: IngestOptions, tally: Tally) -> None:
        self._options = options
        self._tally = tally
        self._lock = threading.Lock()
        entries = source.entries()
        if options.labels == "sidecar":
            entries = paired(entries, as_samples=source.members_of_samples)
        self._entries: Iterator[Entry | Refusal] = entries
        self._ahead: deque[Entry] = deque()
        self._ended = False
        self._taken = 0
        self._ahead_max = _AHEAD_ENTRIES if source.listing_is_light else 0

    def take(self) -> list[Entry]:
        """The next chunk; empty at the end."""
        with self._lock:
            chunk: list[Entry] = []
            size = 0
            items_max, bytes_max = self._bounds()
            while len(chunk) < items_max and (entry := self._next()) is not None:
                weight = self._weight(entry)
                if chunk and size + weight > bytes_max:
                    self._ahead.appendleft(entry)
                    break
                chunk.append(entry)
                size += weight
            self._look_ahead()
            self._taken += 1
            return chunk

    def _bounds(self) -> tuple[int, int]:
        """Objects and bytes of the next chunk: small at first, so that a small source keeps all workers busy."""
        items_max, bytes_max = self._options.batch_items, self._options.batch_bytes
        if self._taken >= _CHUNKS_SMALL * self._options.worker_count:
            return items_max, bytes_max
        return min(_SMALL_ITEMS, items_max), min(_SMALL_BYTES, bytes_max)

    def _weight(self, entry: Entry) -> int:
        """Bytes it may take in memory; one too large to be held fills a chunk alone."""
        large = entry.size < 0 or entry.size > self._options.large_bytes
        own = self._options.batch_bytes if large else entry.size
        return own + sum(each.size for each in entry.sidecars)

    def _next(self) -> Entry | None:
        if not self._ahead:
            self._fill(1)
        return self._ahead.popleft() if self._ahead else None

    def _look_ahead(self) -> None:
        """A few chunks more, so that listing is spread over the work and still runs ahead of it."""
        if not self._ended and len(self._ahead) < self._ahead_max:
            self._fill(_AHEAD_CHUNKS * self._options.batch_items)

    def _fill(self, wanted: int) -> None:
        count = size = 0
        for entry in self._entries:
            if isinstance(entry, Refusal):
                self._tally.refuse(entry)
                continue
            self._ahead.append(entry)
            count += 1
            size += max(entry.size, 0)
            if count == wanted:
                self._tally.listed(count, size, ended=False)
                return
        self._ended = True
        self._tally.listed(count, size, ended=True)
