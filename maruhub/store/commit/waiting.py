"""Writers of one process that wait for a turn: one of them leads it, for all.

Who waits is asked for only once the turn has the index's write transaction, so that whoever
came while another process had it comes along. This file knows nothing of rows or logs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from maruhub.store.commit.job import Job, Party
from maruhub.store.commit.signals import deferred_signals

_CHANGES_A_TURN: Final = 1024

Take = Callable[[], list[Job]]
"""Gives the jobs of a turn that has begun: of everybody who waits, up to a bound; to be called once."""


class Waiting:
    """Leads one turn after the other as long as somebody waits. Safe from any thread.

    Args:
        turn: Runs one turn for what it takes.
    """

    def __init__(self, turn: Callable[[Take], None]) -> None:
        self._turn = turn
        self._parties: list[Party] = []
        self._busy = False
        self._lock = threading.Lock()

    def serve(self, party: Party) -> None:
        """Waits for, or leads, a turn that carries a party's jobs; their outcomes stand in them.

        A signal ends the wait of the thread in which it is handled, and of no other.
        """
        try:
            with self._lock:
                self._parties.append(party)
                party.leads, self._busy = not self._busy, True
            if not party.leads:
                party.wake.acquire()
            with deferred_signals():
                if not party.done:
                    self._lead()
                self._leave(party)
        except BaseException:
            with deferred_signals():
                self._leave(party)
            raise
        if party.interrupt is not None:
            raise party.interrupt

    def _lead(self) -> None:
        taken: list[Party] = []

        def take() -> list[Job]:
            taken.extend(self._next())
            return [job for party in taken for job in party.jobs]

        try:
            self._turn(take)
        except BaseException as error:
            if not taken:
                if not isinstance(error, Exception):
                    raise
                take()
            for party in taken:
                party.fail(error)
        for party in taken:
            party.end()

    def _next(self) -> list[Party]:
        """The first that wait, at least one of them."""
        with self._lock:
            count = changes = 0
            for party in self._parties:
                changes += len(party.jobs)
                if count and changes > _CHANGES_A_TURN:
                    break
                count += 1
            taken, self._parties = self._parties[:count], self._parties[count:]
        return taken

    def _leave(self, party: Party) -> None:
        """Whoever led, even if interrupted, hands over to the first that waits; once."""
        with self._lock:
            if not party.done and party in self._parties:
                self._parties.remove(party)
            if party.leads:
                party.leads = False
                self._busy = bool(self._parties)
                for first in self._parties[:1]:
                    first.leads = True
                    first.wake.release()
