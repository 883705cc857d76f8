"""Which blades answer, looked at again now and then while a process runs.

Blades come and go: a folder is mounted, a drive dies, another process adds a blade. Whoever
needs to know calls ``glance``, which looks at most once a second and never waits long: a
drive that doesn't answer keeps one thread, and nobody else.
"""

from __future__ import annotations

import contextlib
import functools
import os
import threading
import time
import weakref
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from maruhub.errors import MaruError
from maruhub.store.blade import Blade

LOOK_SECONDS: Final = 1.0
"""So long a process may go on without noticing a blade that came or went."""

PATIENCE_SECONDS: Final = 0.2
"""A drive's time to answer a look; after it the caller goes on, and the drive counts as stalling."""

LATE_SECONDS: Final = 10.0
"""So long a stalling drive may yet be waited for by who can't do without it, as with a sync.

On a busy machine every drive may seem to stall for a moment; one that hangs holds a caller up once.
"""

_living: weakref.WeakSet[Lookout] = weakref.WeakSet()


class BladeSource(Protocol):
    """Where a pool's blades are found. Any thread may ask; ``find`` may take as long as the drive does."""

    def listed(self) -> Sequence[bytes]:
        """Ids of the pool's blades now, in order; raises MaruError or OSError if that can't be told."""

    def find(self, blade_id: bytes) -> Blade:
        """A listed blade, the same object while it is the same; raises MaruError or OSError."""


class Sight(NamedTuple):
    """What was seen, never changed: blades that answer, and why others don't, by id."""

    present: Mapping[bytes, Blade]
    missing: Mapping[bytes, str]


class Lookout:
    """The sight of one process, kept fresh. Safe from any thread, and in a forked child.

    ``sight`` is replaced whole; ``changes`` counts how often.

    Args:
        sight: What was seen at first.
        source: Where to look; None: the sight stays what it is.
    """

    def __init__(self, sight: Sight, source: BladeSource | None = None) -> None:
        self.sight = sight
        self.changes = 0
        self._source = source
        self._listed: Sequence[bytes] = (*sight.present, *sight.missing)
        self._probing: dict[bytes, float] = {}
        self._due = time.monotonic() + LOOK_SECONDS
        self._sought: dict[bytes, float] = {}
        self._lock = threading.Lock()
        self._answered = threading.Condition(self._lock)
        _living.add(self)

    def glance(self) -> None:
        """Looks if the last look is a second old; waits for drives no longer than they should need."""
        if self._source is None or time.monotonic() < self._due:
            return
        if not self._lock.acquire(blocking=False):
            return
        try:
            if time.monotonic() < self._due:
                return
            self._due = time.monotonic() + LOOK_SECONDS
        finally:
            self._lock.release()
        self.look(PATIENCE_SECONDS)

    def look(self, patience_seconds: float = 2.0) -> None:
        """Looks now, at all blades at once, but for those that still owe an answer."""
        if self._source is None:
            return
        with contextlib.suppress(MaruError, OSError):
            self._listed = tuple(self._source.listed())
        self._forget_unlisted()
        threads = [threading.Thread(target=self._probe, args=(i,), daemon=True) for i in self._listed]
        end = time.monotonic() + patience_seconds
        # At the interpreter's end no thread can be begun: nobody needs to know any more.
        with contextlib.suppress(RuntimeError):
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(max(0.0, end - time.monotonic()))

    def seek(self, blade_id: bytes) -> Blade | None:
        """A blade that somebody names; one that was never heard of may have just been added."""
        blade = self.sight.present.get(blade_id)
        if blade is not None:
            return blade
        self.glance()
        if not any(blade_id in seen for seen in self.sight) and self._may_seek(blade_id):
            self.look(PATIENCE_SECONDS)
        return self.sight.present.get(blade_id)

    def _may_seek(self, blade_id: bytes) -> bool:
        """Whether the last look for it is a second old: of a blade that is no more layouts may go on to speak."""
        with self._lock:
            last, self._sought[blade_id] = self._sought.get(blade_id), time.monotonic()
            return last is None or time.monotonic() - last > LOOK_SECONDS

    def _probe(self, blade_id: bytes) -> None:
        assert self._source is not None
        with self._lock:
            if blade_id in self._probing:
                return
            self._probing[blade_id] = time.monotonic()
        found, why = None, ""
        try:
            found = self._source.find(blade_id)
        except MaruError as error:
            why = error.what
        except OSError as error:
            why = error.strerror or str(error) or "it can't be read"
        finally:
            with self._lock:
                self._probing.pop(blade_id, None)
                if found is not None or why:
                    self._note(blade_id, found, why)
                self._answered.notify_all()

    def _note(self, blade_id: bytes, found: Blade | None, why: str) -> None:
        """With the lock held."""
        present, missing = dict(self.sight.present), dict(self.sight.missing)
        present.pop(blade_id, None)
        missing.pop(blade_id, None)
        if found is not None:
            present[blade_id] = found
        else:
            missing[blade_id] = why
        self._replace(present, missing)

    def _forget_unlisted(self) -> None:
        with self._lock:
            self._replace(dict(self.sight.present), dict(self.sight.missing))

    def _replace(self, present: Mapping[bytes, Blade], missing: Mapping[bytes, str]) -> None:
        """With the lock held; keeps what is listed, in the list's order."""
        sight = Sight(
            {blade_id: present[blade_id] for blade_id in self._listed if blade_id in present},
            {blade_id: missing[blade_id] for blade_id in self._listed if blade_id in missing},
        )
        if sight != self.sight:
            self.sight = sight
            self.changes += 1

    def is_stalling(self, blade_id: bytes) -> bool:
        """Whether the blade owes an answer for longer than one should take."""
        begun = self._probing.get(blade_id)
        return begun is not None and time.monotonic() - begun > PATIENCE_SECONDS

    def await_late(self) -> bool:
        """Waits for drives that owe an answer, for each until it is ``LATE_SECONDS`` late; whether any came."""
        with self._lock:
            owing = dict(self._probing)
            for blade_id, begun in owing.items():
                came = functools.partial(self._has_answered, blade_id, begun)
                self._answered.wait_for(came, max(0.0, begun + LATE_SECONDS - time.monotonic()))
            return any(self._has_answered(blade_id, begun) for blade_id, begun in owing.items())

    def _has_answered(self, blade_id: bytes, begun: float) -> bool:
        return self._probing.get(blade_id) != begun

    def after_fork(self) -> None:
        """In the child: threads that were looking are the parent's."""
        self._lock = threading.Lock()
        self._answered = threading.Condition(self._lock)
        self._probing = {}


class Answering(Collection[bytes]):
    """The ids of blades that answer, looked up at each question."""

    def __init__(self, lookout: Lookout) -> None:
        self._lookout = lookout

    def _ids(self) -> Mapping[bytes, Blade]:
        self._lookout.glance()
        return self._lookout.sight.present

    def __contains__(self, blade_id: object) -> bool:
        return blade_id in self._ids()

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._ids())

    def __len__(self) -> int:
        return len(self._ids())


def _after_fork_in_child() -> None:
    for lookout in list(_living):
        lookout.after_fork()


os.register_at_fork(after_in_child=_after_fork_in_child)
