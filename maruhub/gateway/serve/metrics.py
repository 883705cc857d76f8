"""What a server counts, for Prometheus. Workers share their counts through files in one folder."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST

_BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)


class Metrics:
    """The counters of one worker; ``text`` is the sum over all."""

    def __init__(self) -> None:
        own = CollectorRegistry()
        self.requests = Counter(
            "maru_http_requests",
            "Requests answered, by operation and status.",
            ("operation", "status"),
            registry=own,
        )
        self.seconds = Histogram(
            "maru_http_request_seconds",
            "Time from the head of a request to the end of its answer, by operation.",
            ("operation",),
            registry=own,
            buckets=_BUCKETS,
        )
        self.received = Counter("maru_http_received_bytes", "Bytes of bodies taken in.", registry=own)
        self.sent = Counter("maru_http_sent_bytes", "Bytes of bodies sent.", registry=own)
        self.in_flight = Gauge(
            "maru_http_requests_in_flight",
            "Requests being answered.",
            registry=own,
            multiprocess_mode="livesum",
        )
        self.refused = Counter(
            "maru_http_refused_signatures", "Requests whose signature or access key was wrong.", registry=own
        )
        self._seconds_of: dict[str, Histogram] = {}
        self._requests_of: dict[tuple[str, int], Counter] = {}

    def answered(self, operation: str, status: int, seconds: float) -> None:
        """Counts one request."""
        times = self._seconds_of.get(operation)
        if times is None:
            times = self._seconds_of[operation] = self.seconds.labels(operation)
        times.observe(seconds)
        count = self._requests_of.get((operation, status))
        if count is None:
            count = self._requests_of[operation, status] = self.requests.labels(operation, str(status))
        count.inc()

    @staticmethod
    def text() -> tuple[str, bytes]:
        """Content type and exposition of all workers' counts."""
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return CONTENT_TYPE_LATEST, generate_latest(registry)
