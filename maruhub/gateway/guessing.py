"""Limits on guessing secrets: who failed too often waits.

Pure, with a clock handed in. Counted in this process alone: with n workers a guesser has n times
as many tries, which is nothing against secrets of 238 bits. What the limits are for is that
guessing costs the hub little and shows.
"""

from __future__ import annotations

import functools
import ipaddress
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from maruhub.gateway.s3.failure import S3Failure

WINDOW_S: Final = 60.0
"""Failures are counted from the first one on for so long, then forgotten."""
CLIENT_FAILURES_MAX: Final = 20
"""So many of one client's address (IPv6: of its /64) in a window; then it is refused until the window ends."""
KEY_FAILURES_MAX: Final = 100
"""So many of one access key from anywhere, likewise."""
ENTRIES_MAX: Final = 10_000
"""Addresses, access keys and pairs of both that are remembered, of each; the longest unseen go first."""
_NAME_MAX: Final = 64
"""Characters of a name that tell it apart; whoever sends longer ones gains nothing."""

K = TypeVar("K")
V = TypeVar("V")


class Guesses:
    """Who failed how often. Safe from many threads; memory is bounded whatever clients send.

    A client that signed rightly with an access key, and not wrongly since, isn't held up by the
    failures of others: nobody can lock out a key's owner who is at work.

    Args:
        now: A clock that only goes forward, seconds.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._clients: _Recent[str, _Failures] = _Recent()
        self._keys: _Recent[str, _Failures] = _Recent()
        self._proven: _Recent[tuple[str, str], None] = _Recent()

    def check(self, client: str, access_key: str) -> None:
        """Raises S3Failure ``SlowDown`` where :meth:`allowed` says no."""
        if not self.allowed(client, access_key):
            raise S3Failure(
                "SlowDown", "Too many requests with wrong signatures. Wait a minute, then try again."
            )

    def allowed(self, client: str, access_key: str) -> bool:
        """Whether the signature of a request is to be looked at.

        Args:
            client: The peer's address, without its port.
            access_key: As the request says it.
        """
        place, key = _place(client), access_key[:_NAME_MAX]
        with self._lock:
            if (place, key) in self._proven:
                return True
            return self._below(self._clients, place, CLIENT_FAILURES_MAX) and self._below(
                self._keys, key, KEY_FAILURES_MAX
            )

    def failed(self, client: str, access_key: str) -> None:
        """A signature was wrong, or nobody has that key."""
        place, key = _place(client), access_key[:_NAME_MAX]
        with self._lock:
            self._proven.pop((place, key), None)
            self._count(self._clients, place)
            self._count(self._keys, key)

    def succeeded(self, client: str, access_key: str) -> None:
        """A signature was right: this client's and this key's failures are forgotten."""
        place, key = _place(client), access_key[:_NAME_MAX]
        with self._lock:
            if self._clients:
                self._clients.pop(place, None)
            if self._keys:
                self._keys.pop(key, None)
            self._proven.remember((place, key), None)

    def _below(self, counted: _Recent[str, _Failures], name: str, most: int) -> bool:
        failures = counted.get(name)
        return failures is None or failures.count < most or self._now() >= failures.until

    def _count(self, counted: _Recent[str, _Failures], name: str) -> None:
        now = self._now()
        failures = counted.get(name)
        if failures is None or now >= failures.until:
            failures = _Failures(now + WINDOW_S)
        failures.count += 1
        counted.remember(name, failures)


class _Failures:
    """How many in a window that ends at ``until``."""

    __slots__ = ("count", "until")

    def __init__(self, until: float) -> None:
        self.until = until
        self.count = 0


class _Recent(OrderedDict[K, V], Generic[K, V]):
    """The last ``ENTRIES_MAX`` that were remembered."""

    def remember(self, key: K, value: V) -> None:
        """Puts it at the end, and lets the longest unseen go."""
        self[key] = value
        self.move_to_end(key)
        if len(self) > ENTRIES_MAX:
            self.popitem(last=False)


@functools.lru_cache(maxsize=4096)
def _place(client: str) -> str:
    """The address as it is counted: whoever has one of IPv6 has its whole /64."""
    if ":" not in client:
        return client[:_NAME_MAX]
    try:
        address = ipaddress.IPv6Address(client[:_NAME_MAX].partition("%")[0])
    except ValueError:
        return client[:_NAME_MAX]
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return address.packed[:8].hex()
