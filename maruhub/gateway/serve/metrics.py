"""What a server counts, for Prometheus. Workers share their counts through files in one folder.

A request is tallied in plain numbers and handed over with others within half a second: counting
in shared files costs a signed read of 50 KB a sixth of its time.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST

_BUCKETS: Final = (
    0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0,
)  # fmt: skip
_HELD_S: Final = 0.5
_HELD_REQUESTS: Final = 10_000


class Metrics:
    """The counters of one worker, used from its event loop; ``text`` is the sum over all.

    Attributes:
        in_flight: Requests being answered.
        refused: Signatures and access keys that were wrong.
    """

    def __init__(self) -> None:
        own = CollectorRegistry()
        self._requests = Counter(
            "maru_http_requests",
            "Requests answered, by operation and status.",
            ("operation", "status"),
            registry=own,
        )
        self._seconds = Histogram(
            "maru_http_request_seconds",
            "Time from the head of a request to the end of its answer, by operation.",
            ("operation",),
            registry=own,
            buckets=_BUCKETS,
        )
        self._received = Counter("maru_http_received_bytes", "Bytes of bodies taken in.", registry=own)
        self._sent = Counter("maru_http_sent_bytes", "Bytes of bodies sent.", registry=own)
        self._in_flight = Gauge(
            "maru_http_requests_in_flight",
            "Requests being answered.",
            registry=own,
            multiprocess_mode="livesum",
        )
        self._refused = Counter(
            "maru_http_refused_signatures",
            "Requests whose signature or access key was wrong.",
            registry=own,
        )
        self.in_flight = 0
        self.refused = 0
        self._times: defaultdict[str, list[float]] = defaultdict(list)
        self._counts: defaultdict[tuple[str, int], int] = defaultdict(int)
        self._bytes = [0, 0]
        self._held = 0
        self._timer: asyncio.TimerHandle | None = None

    def answered(self, operation: str, status: int, seconds: float, *, received: int, sent: int) -> None:
        """Counts one request."""
        self._times[operation].append(seconds)
        self._counts[operation, status] += 1
        self._bytes[0] += received
        self._bytes[1] += sent
        self._held += 1
        if self._held >= _HELD_REQUESTS:
            self.flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_HELD_S, self.flush)

    def flush(self) -> None:
        """Hands over what is held."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for operation, times in self._times.items():
            observe = self._seconds.labels(operation).observe
            for seconds in times:
                observe(seconds)
        for (operation, status), count in self._counts.items():
            self._requests.labels(operation, str(status)).inc(count)
        self._received.inc(self._bytes[0])
        self._sent.inc(self._bytes[1])
        self._in_flight.set(self.in_flight)
        self._refused.inc(self.refused)
        self._times.clear()
        self._counts.clear()
        self._bytes, self._held, self.refused = [0, 0], 0, 0

    @staticmethod
    def text() -> tuple[str, bytes]:
        """Content type and exposition of all workers' counts."""
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return CONTENT_TYPE_LATEST, generate_latest(registry)
