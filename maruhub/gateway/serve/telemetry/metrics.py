"""What a server counts, for Prometheus. Workers share their counts through files in one folder.

They are counted many at a time: to count one in shared files takes a sixth of the time of a signed
read of 50 KB.
"""

from __future__ import annotations

import bisect
import threading
from collections import Counter as Tally
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST

from maruhub import config
from maruhub.gateway.serve.telemetry.ended import Ended
from maruhub.gateway.serve.telemetry.sharing import reading

_BUCKETS: Final = (
    0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0,
)  # fmt: skip


class _Times(Histogram):
    """A histogram that takes many observations in one step."""

    def observe_all(self, values: Sequence[float]) -> None:
        """Counts them as ``observe`` counts each."""
        self._raise_if_not_observable()  # type: ignore[no-untyped-call]
        for place, count in Tally(bisect.bisect_left(self._upper_bounds, value) for value in values).items():
            self._buckets[place].inc(count)
        self._sum.inc(sum(values))


class Metrics:
    """The counters of one worker, used by one thread at a time but for ``waits``; ``text`` is the sum over all.

    Attributes:
        in_flight: Requests that wait for something; the others are answered before anybody could ask.
    """

    def __init__(self) -> None:
        own = CollectorRegistry()
        self._requests = Counter(
            "maru_http_requests",
            "Requests answered, by operation and status.",
            ("operation", "status"),
            registry=own,
        )
        self._seconds = _Times(
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
        self._unlogged = Counter(
            "maru_http_unlogged_requests",
            "Requests whose line in the access log was lost, as it could not be written in time.",
            registry=own,
        )
        self.in_flight = 0
        self._lock = threading.Lock()

    def waits(self, change: int) -> None:
        """Counts a request that begins to wait (1), or has ended (-1); from any thread."""
        with self._lock:
            self.in_flight += change

    def count(self, ended: Sequence[Ended], *, refused: int, unlogged: int) -> None:
        """Counts requests that have ended, wrong signatures and access keys, lost lines of the log."""
        times: defaultdict[str, list[float]] = defaultdict(list)
        for one in ended:
            times[one.operation].append(one.seconds)
        for operation, seconds in times.items():
            self._seconds.labels(operation).observe_all(seconds)
        for (operation, status), count in Tally((one.operation, one.status) for one in ended).items():
            self._requests.labels(operation, str(status)).inc(count)
        self._received.inc(sum(one.received for one in ended))
        self._sent.inc(sum(one.sent for one in ended))
        self._in_flight.set(self.in_flight)
        self._refused.inc(refused)
        self._unlogged.inc(unlogged)

    @staticmethod
    def text() -> tuple[str, bytes]:
        """Content type and exposition of all workers' counts."""
        folder = config.shared_metrics()
        registry = CollectorRegistry()
        MultiProcessCollector(registry, folder)  # type: ignore[no-untyped-call]
        with reading(Path(folder)):
            return CONTENT_TYPE_LATEST, generate_latest(registry)
