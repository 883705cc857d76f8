"""Metrics over steps: buffered, written in chunks, bounded.

A training logs a thousand times a second if it likes; a row a step would make the index
the largest thing in the hub. So points are gathered and written some hundred at a time,
and a run that logs on and on is thinned, not refused: after each ``POINTS_MAX`` points only
every second, fourth, eighth … is kept.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterable, Mapping
from typing import Any, Final

from maruhub.lab.ledger import Ledger, Point
from maruhub.lab.row import encode_number, number_of

CHUNK_POINTS: Final = 256
FLUSH_S: Final = 5.0
POINTS_MAX: Final = 50_000

Series = dict[str, list[tuple[int, float]]]
"""Each metric's (step, value), by step."""


class MetricLog:
    """One writer's metrics of a run. Safe from many threads.

    What is not flushed yet is lost with the process: at most ``CHUNK_POINTS`` points, or
    those of the last seconds.
    """

    def __init__(self, ledger: Ledger, run: str) -> None:
        self._ledger = ledger
        self._run = run
        self._writer = secrets.token_hex(8)
        self._lock = threading.Lock()
        self._points: list[Point] = []
        self._seen = 0
        self._chunks = 0
        self._flushed = time.monotonic()

    def log(self, step: int, metrics: Mapping[str, Any]) -> None:
        """Adds one point."""
        values = {name: encode_number(number_of(name, value)) for name, value in metrics.items()}
        with self._lock:
            every = 1 << (self._seen // POINTS_MAX)
            if self._seen % every == 0:
                self._points.append((int(step), values))
            self._seen += 1
            if len(self._points) >= CHUNK_POINTS or time.monotonic() - self._flushed > FLUSH_S:
                self._flush()

    def flush(self) -> None:
        """Writes what is gathered."""
        with self._lock:
            self._flush()

    def _flush(self) -> None:
        self._flushed = time.monotonic()
        if not self._points:
            return
        self._ledger.add_points(self._run, self._writer, self._chunks, self._points)
        self._points = []
        self._chunks += 1


def series_of(points: Iterable[Point]) -> Series:
    """Each metric's values, sorted by step."""
    series: Series = {}
    for step, values in points:
        for name, value in values.items():
            series.setdefault(name, []).append((step, float(value)))
    for found in series.values():
        found.sort(key=lambda point: point[0])
    return series
