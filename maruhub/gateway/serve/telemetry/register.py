"""What has been answered: noted in one step, counted and logged with others within half a second.

To count in files that workers share, and to write a line of a log, costs as much as half of a read.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Final

from maruhub.gateway.serve.telemetry.access_log import AccessLog
from maruhub.gateway.serve.telemetry.ended import Ended
from maruhub.gateway.serve.telemetry.metrics import Metrics

_HELD: Final = 256


class Register:
    """Of one worker. Safe from many threads.

    Args:
        metrics: Counts what has ended.
        access: Has a line for each, and waits for nobody: requests are noted where none may wait.
    """

    def __init__(self, metrics: Metrics, access: AccessLog) -> None:
        self._metrics = metrics
        self._access = access
        self._held: deque[Ended] = deque()
        self._lock = threading.Lock()
        self._refused = 0

    def note(self, ended: Ended) -> None:
        """Takes note of a request; memory is bounded however many there are."""
        self._held.append(ended)
        if len(self._held) >= _HELD:
            self.flush()

    def refused(self) -> None:
        """Takes note of a signature or an access key that was wrong."""
        with self._lock:
            self._refused += 1

    def flush(self) -> None:
        """Hands over what is held."""
        with self._lock:
            ended = [self._held.popleft() for _ in range(len(self._held))]
            refused, self._refused = self._refused, 0
            self._access.write(ended)
            self._metrics.count(ended, refused=refused, unlogged=self._access.take_lost())
