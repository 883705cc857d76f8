"""Who waits for a commit turn, and what one turn is going to write."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from maruhub.errors import MaruError
from maruhub.store.commit.apply import Record
from maruhub.store.format.state import IndexState
from maruhub.store.protocol import Proposal


class Job:
    """One change on its way through a turn, and what became of it."""

    def __init__(self, proposal: Proposal[Any]) -> None:
        self.change, self.actor, self.request = proposal
        self.result: Any = None
        self.error: Exception | None = None

    def refuse(self, error: Exception) -> None:
        """Says that nothing of the change is kept, and why.

        A refusal loses the way it came: all frames up to whoever puts are on it, with what was to be put,
        and several of them hold the error in turn. Only the collector would free that.
        """
        each: BaseException | None = error
        while isinstance(each, MaruError):
            each.__traceback__ = None
            each = each.__context__
        self.error = error

    def outcome(self) -> Any:
        """What the change returned, or the error for which nothing of it is kept; once."""
        error, self.error = self.error, None
        return self.result if error is None else error

    def settled(self) -> Any:
        """What the change returned; raises the error for which nothing of it is kept. Once."""
        error, self.error = self.error, None
        if error is None:
            return self.result
        try:
            raise error
        finally:
            del error  # its traceback names this frame


class Party:
    """The jobs of one thread, which waits until all of them are through.

    ``interrupt``: what ended their turn from outside; it is no error of theirs.
    """

    def __init__(self, proposals: Sequence[Proposal[Any]]) -> None:
        self.jobs = [Job(proposal) for proposal in proposals]
        self.interrupt: BaseException | None = None
        self.done = False
        self.leads = False
        self.wake = threading.Lock()
        self.wake.acquire()

    def fail(self, error: BaseException) -> None:
        """Says what their turn ended by; a job that had an error of its own keeps it."""
        if isinstance(error, Exception):
            for job in self.jobs:
                job.error = job.error or error
        else:
            self.interrupt = error

    def end(self) -> None:
        """Wakes the thread: they are through."""
        self.done = True
        self.wake.release()


class Batch:
    """The records of one turn, with its counters: one a change, then the turn's own."""

    def __init__(self, state: IndexState, base: int, changes: int) -> None:
        self.records: list[Record] = []
        self.flags = 0
        self.segments: set[int] = set()
        self.after = state.counter
        self.first = base + 1
        self.own_counter = base + changes + 1
