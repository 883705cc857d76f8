"""What has been answered: noted in one step, counted and logged with others within half a second.

To count in files that workers share, and to write a line of a log, costs as much as half of a read.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    # Not before a worker has said where counts are shared, and it takes FLUSH_S from here first.
    from maruhub.gateway.serve.access_log import AccessLog
    from maruhub.gateway.serve.metrics import Metrics

FLUSH_S: Final = 0.5
"""How often a worker hands over what is held."""
_HELD: Final = 256


class Ended(NamedTuple):
    """One request that has been answered, or whose client has gone.

    Attributes:
        at_s: When it ended, seconds since 1970.
        seconds: From its head to the end of its answer.
        id: As its client was told.
        client: Address and port of the peer.
        key: The access key that signed; empty without one.
        operation: Its name.
        method: Of HTTP.
        path: Without the query, which may hold a signature.
        status: Of the answer; 0 where none was sent.
        received: Bytes of its body.
        sent: Bytes of the answer's body.
    """

    at_s: float
    seconds: float
    id: str
    client: str
    key: str
    operation: str
    method: str
    path: str
    status: int
    received: int
    sent: int


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
