"""What the server's runtime may hold of answers beyond each one's right: lent, for as long as there is some.

An answer that may be handed over at once never has to ask how much of it the client has; to find that
out takes longer than a fast client takes to read it. Of thousands that do not read, few are lent
anything.

A loan outlasts its answer, whose last bytes are with the runtime until the client takes them. They are
with the kernel when the same client asks for more, since the runtime reads no request before; the
other debtors' connections are looked at when there is nothing left to lend.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import socket
import time
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from maruhub.gateway.serve.connections.descriptors import connections_of
from maruhub.gateway.serve.connections.kernel import acknowledged_bytes, takes_more, written_bytes
from maruhub.gateway.serve.crossing import Crossing

_log = logging.getLogger(__name__)

SIZE_BYTES: Final = 32 << 20
"""For all answers of a worker together."""
STEP_BYTES: Final = 1 << 20
"""What is lent is a multiple of this."""

_REST_S: Final = 0.1
_RESTS: Final = 9
"""After a look at debtors there is none for this time, and for so many times what it took."""


class _Shown(NamedTuple):
    """What a debtor's connection showed: bytes that the kernel was given and that the client has."""

    written: int
    taken: int
    takes_more: bool
    sockets: frozenset[int]


class _Debt(NamedTuple):
    size_bytes: int
    shown: _Shown | None
    since_s: float


class Allowance:
    """One worker's; used from the event loop.

    Args:
        crossing: To the threads, in which debtors are looked for.
        idle_s: Seconds in which a debtor must take something; else its connection is ended.
        size_bytes: To be lent.

    Attributes:
        left_bytes: Not lent.
    """

    def __init__(self, crossing: Crossing, idle_s: float, size_bytes: int = SIZE_BYTES) -> None:
        self.left_bytes = size_bytes
        self._crossing = crossing
        self._idle_s = idle_s
        self._debts: dict[str, _Debt] = {}
        self._next_look_s = 0.0

    def loan(self, client: str) -> Loan:
        """For an answer that begins; what the same client owes for earlier ones is given back."""
        self._settle(client)
        return Loan(self, client)

    def owe(self, client: str, size_bytes: int) -> None:
        """An answer has ended of which the runtime may hold so much still."""
        before = self._debts.get(client)
        size_bytes += 0 if before is None else before.size_bytes
        if size_bytes:
            self._debts[client] = _Debt(size_bytes, None, time.monotonic())

    async def collect(self) -> None:
        """Has back what debtors need no longer, unless that was looked at just now."""
        began_s, debts = time.monotonic(), dict(self._debts)
        if not debts or began_s < self._next_look_s:
            return
        self._next_look_s = math.inf
        try:
            with contextlib.suppress(OSError):
                shown = await self._crossing.finish(_look, list(debts))
                late = {
                    client: shown[client]
                    for client, debt in debts.items()
                    if self._is_late(client, debt, shown[client])
                }
                for client in await self._crossing.finish(_end, late) if late else ():
                    _log.warning("%s does not read the end of its answer: its connection is ended", client)
        finally:
            ended_s = time.monotonic()
            self._next_look_s = ended_s + _REST_S + (ended_s - began_s) * _RESTS

    def _is_late(self, client: str, debt: _Debt, shown: _Shown | None) -> bool:
        """Whether a debtor has taken nothing for too long; one that has all is none any more."""
        if self._debts.get(client) is not debt:
            return False
        before, since_s = debt.shown, debt.since_s
        if shown is None or (before is not None and _is_settled(before, shown)):
            self._settle(client)
            return False
        if before is None or before.taken != shown.taken:
            since_s = time.monotonic()
        self._debts[client] = _Debt(debt.size_bytes, shown, since_s)
        return time.monotonic() - since_s > self._idle_s

    def _settle(self, client: str) -> None:
        debt = self._debts.pop(client, None)
        if debt is not None:
            self.left_bytes += debt.size_bytes


class Loan:
    """What one answer was lent; used from the event loop.

    Attributes:
        size_bytes: So far.
    """

    def __init__(self, allowance: Allowance, client: str) -> None:
        self.size_bytes = 0
        self._allowance = allowance
        self._client = client

    def covers(self, size_bytes: float) -> bool:
        """Whether it is so large, or can be made so."""
        more = _steps(size_bytes) - self.size_bytes
        if more > self._allowance.left_bytes:
            return False
        if more > 0:
            self._change(more)
        return True

    def shrink(self, size_bytes: float) -> None:
        """No more than this is needed."""
        self._change(min(_steps(size_bytes) - self.size_bytes, 0))

    def end(self) -> None:
        """The answer has ended, with so much of it untold."""
        self._allowance.owe(self._client, self.size_bytes)
        self.size_bytes = 0

    def _change(self, more_bytes: int) -> None:
        self.size_bytes += more_bytes
        self._allowance.left_bytes -= more_bytes


def _is_settled(before: _Shown, shown: _Shown) -> bool:
    """Whether the runtime gives it nothing more, or the debtor's connection is no longer there."""
    if before.sockets.isdisjoint(shown.sockets):
        return True
    # The runtime gives the kernel whatever it has as soon as that takes more.
    return shown.takes_more and shown.written == before.written


def _steps(size_bytes: float) -> int:
    return math.ceil(max(size_bytes, 0) / STEP_BYTES) * STEP_BYTES


def _look(clients: Sequence[str]) -> dict[str, _Shown | None]:
    """What their connections show; None for those that have none any more. In a thread."""
    with connections_of(clients) as found:
        return {client: _shown(found[client]) if found[client] else None for client in clients}


def _shown(connections: Sequence[socket.socket]) -> _Shown:
    # Of several with one peer it isn't known which is the debtor's: none of them may have anything left.
    return _Shown(
        sum(map(written_bytes, connections)),
        sum(acknowledged_bytes(each) or 0 for each in connections),
        all(map(takes_more, connections)),
        frozenset(os.fstat(each.fileno()).st_ino for each in connections),
    )


def _end(late: Mapping[str, _Shown | None]) -> list[str]:
    """Ends the connections that show what they did, of those who have just one; of whom. In a thread."""
    ended: list[str] = []
    with connections_of(list(late)) as found:
        for client, connections in found.items():
            # Any other has taken something meanwhile, or has come in the place of the debtor's.
            if len(connections) == 1 and _shown(connections) == late[client]:
                with contextlib.suppress(OSError):
                    connections[0].shutdown(socket.SHUT_RDWR)
                    ended.append(client)
    return ended
