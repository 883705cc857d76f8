"""Who waits for a commit turn, and what one turn is going to write."""

from __future__ import annotations

import threading
from typing import Any

from maruhub.store.commit.apply import Record
from maruhub.store.format.state import IndexState
from maruhub.store.protocol import Change


class Job:
    """One writer waiting for its turn."""

    def __init__(self, change: Change[Any], actor: str, request: bytes) -> None:
        self.change = change
        self.actor = actor
        self.request = request
        self.result: Any = None
        self.error: BaseException | None = None
        self.done = False
        self.leads = False
        self.wake = threading.Lock()
        self.wake.acquire()


class Batch:
    """The records of one turn, with its counters: one a change, then the turn's own."""

    def __init__(self, state: IndexState, base: int, changes: int) -> None:
        self.records: list[Record] = []
        self.flags = 0
        self.segments: set[int] = set()
        self.after = state.counter
        self.first = base + 1
        self.own_counter = base + changes + 1
