"""A simulated process's calls to the outside: counted, made to fail, or its last.

Knows nothing of what a call does.
"""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace


class Crash(BaseException):
    """The simulated death of a process: nothing may catch it and go on."""


class Stalled(BaseException):
    """A sync that does not return; the thread that called it is left hanging."""


SHORT, MISDIRECTED, FORGOTTEN = -1, -2, -3
"""Beside the system's errors: what a drive does without a word. A read that returns half;
a write that lands on another block; one that never reaches the medium."""

_NAMES = {0: "stall", SHORT: "short", MISDIRECTED: "misdirected", FORGOTTEN: "forgotten"}


class Silent(Exception):
    """A call is done wrongly, and says that it was done; only a faulty blade hears of it."""

    def __init__(self, kind: int) -> None:
        super().__init__(_NAMES[kind])
        self.kind = kind


@dataclass(frozen=True)
class Fault:
    """The ``nth`` call (from 1) of a kind on a blade fails with ``error``.

    ``kind``: open, create, read, write, sync, names, sync_names, remove, free or any.
    ``error`` 0 stalls a sync, a negative one is silent. ``times``: how many calls from
    there on (0: all).
    """

    kind: str
    nth: int
    error: int = errno.EIO
    times: int = 1
    blade: int | None = None

    def hits(self, kind: str, blade: int, count: int) -> bool:
        """Whether the ``count``-th call that matches ``kind`` and ``blade`` is one of mine."""
        if self.kind not in (kind, "any") or self.blade not in (blade, None):
            return False
        return count >= self.nth and (not self.times or count < self.nth + self.times)


@dataclass
class Calls:
    """A process's calls to the outside, counted; after its end every further one is refused.

    ``crash_at``: the call (from 1) that it dies in, ``crash_in``: any of that kind; a write
    is then done by half. ``intruder``: asked before each call from ``intrude_at`` on until it
    says that it did what another process does meanwhile.
    """

    crash_at: int = 0
    crash_in: str = ""
    faults: Sequence[Fault] = ()
    count: int = 0
    dead: bool = False
    failed: Counter[str] = field(default_factory=Counter)
    log: list[str] = field(default_factory=list)
    intrude_at: int = 0
    intruder: Callable[[], bool] | None = None
    _seen: Counter[tuple[str, int | None]] = field(default_factory=Counter)

    def enter(self, kind: str, blade: int = -1) -> bool:
        """Counts a call; returns whether the process dies in it; raises what fails it."""
        if self.intruder is not None and self.count >= self.intrude_at and not self.dead:
            self._intrude()
        if self.dead:
            raise Crash
        self.count += 1
        self.log.append(f"{kind}@{blade}")
        if self.count == self.crash_at or kind == self.crash_in:
            self.dead = True
            return True
        for name in {(kind, blade), (kind, None), ("any", blade), ("any", None)}:
            self._seen[name] += 1
        for fault in self.faults:
            if fault.hits(kind, blade, self._seen[fault.kind, fault.blade]):
                self.failed[f"{kind} {_NAMES.get(fault.error) or errno.errorcode[fault.error]}"] += 1
                if not fault.error:
                    raise Stalled
                if fault.error < 0:
                    raise Silent(fault.error)
                raise OSError(fault.error, os.strerror(fault.error), f"blade {blade}")
        return False

    def add(self, fault: Fault) -> None:
        """From now on this fails too; ``nth`` counts from here."""
        skip = self._seen[fault.kind, fault.blade]
        self.faults = (*self.faults, replace(fault, nth=fault.nth + skip))

    def _intrude(self) -> None:
        intruder, self.intruder = self.intruder, None
        assert intruder is not None
        if not intruder():
            self.intruder = intruder

    def die_if(self, dies: bool) -> None:
        """Ends the process, after what the call had done by then."""
        if dies:
            raise Crash
