"""The Python door to care: what a hub needs is done once, or again and again beside other work."""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from maruhub.errors import Busy, MaruError

if TYPE_CHECKING:
    from maruhub.care.keeper import KeeperReport, Progress
    from maruhub.care.lifecycle import Lifecycle
    from maruhub.care.plan import Kind
    from maruhub.care.reclaim import Reclaim
    from maruhub.care.scrub import Scrub, ScrubRound
    from maruhub.compose import OpenPool

_log = logging.getLogger(__name__)

EVERY_S: Final = 10.0
SCRUB_EVERY_S: Final = 30 * 86_400.0
_SCRUB_S: Final = 10.0
"""So long it is scrubbed before it is looked again for what is more urgent."""
_EXPIRE_EVERY_S: Final = 600.0


class Care:
    """Care of one hub; ``hub.care``.

    One process takes care of a hub at a time (Busy for another); all of them may read and
    write meanwhile.
    """

    def __init__(self, pool: OpenPool) -> None:
        self._pool = pool
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()

    def once(
        self,
        kinds: Collection[Kind] | None = None,
        *,
        progress: Callable[[Progress], None] | None = None,
    ) -> KeeperReport:
        """Everything that is to be done now: expire by rules and delays, repair, drain, seal, widen, compact, balance.

        Args:
            kinds: Only these.
            progress: Hears of every act.

        Raises:
            Busy: Another process takes care of this hub.
        """
        with self._pool.notices.held():
            return self._run(kinds, progress)

    def _run(
        self,
        kinds: Collection[Kind] | None,
        progress: Callable[[Progress], None] | None = None,
        *,
        expire_s: float = 0.0,
    ) -> KeeperReport:
        """All kinds: what is over expires and what may be removed is removed first, if that is so long ago."""
        from maruhub.care.plan import Kind

        expired = None
        if kinds is None:
            expired = self._lifecycle.run_every(expire_s)
            self._reclaim.expire_every(expire_s)

        def told(step: Progress) -> None:
            self._pool.notices.post(step.kind.name.lower(), step.done_bytes, step.total_bytes, step.left_s)
            if progress is not None:
                progress(step)

        everything = kinds is None
        keeper = self._pool.keeper(told)
        report = keeper.run(frozenset(Kind) if kinds is None else kinds, close_logs=everything)
        if expired is not None:
            for (_, kind, _), count in expired.found.items():
                report.expired[kind] += count
        return report

    @functools.cached_property
    def _lifecycle(self) -> Lifecycle:
        from maruhub.care.lifecycle import Lifecycle

        return Lifecycle(self._pool.store)

    @functools.cached_property
    def _reclaim(self) -> Reclaim:
        from maruhub.api.reclaim import reclaim_of

        return reclaim_of(self._pool.store, actor="care")

    def scrub(self, *, progress: Callable[[int, int], None] | None = None) -> ScrubRound:
        """Reads every byte and every parity, and puts right what is rotten; goes on where it was stopped."""
        with self._pool.notices.held():
            return self._scrub(progress).run()

    def _scrub(self, progress: Callable[[int, int], None] | None = None) -> Scrub:
        def told(done: int, total: int) -> None:
            self._pool.notices.post("scrub", done, total, None)
            if progress is not None:
                progress(done, total)

        return self._pool.scrub(told)

    def _scrub_a_while(self, stop: threading.Event, every_s: float) -> bool:
        """Some segments of the round under way; a new one begins when the last is so long ago. Whether any was due."""
        scrub = self._scrub()
        if not scrub.is_due(every_s):
            return False
        end = time.monotonic() + _SCRUB_S
        done = scrub.run(goes_on=lambda: time.monotonic() < end and not stop.is_set())
        for lost in done.lost if done.whole else ():
            _log.warning("a scrub found what no blade has whole: %s", lost)
        return True

    def forever(
        self, stop: threading.Event, *, every_s: float = EVERY_S, scrub_every_s: float = SCRUB_EVERY_S
    ) -> None:
        """Looks every few seconds what is to be done, until ``stop`` is set or the hub closed; Busy like :meth:`once`.

        Where nothing is left to do it scrubs: a round each ``scrub_every_s``.
        """
        with self._pool.notices.held():
            settled: tuple[int, int] | None = None
            told: list[str] = []
            looked_s = 0.0
            while not stop.is_set():
                try:
                    # Looking costs a microsecond a row: not while nothing has happened since.
                    if settled != self._signs() or time.monotonic() - looked_s > _EXPIRE_EVERY_S:
                        report = self._run(None, expire_s=_EXPIRE_EVERY_S)
                        if self._pool.store.is_closed:
                            return
                        looked_s = time.monotonic()
                        settled = None if report.problems or report.waiting else self._signs()
                        told = _tell_new(report.problems, told)
                    if settled is not None and self._scrub_a_while(stop, scrub_every_s):
                        settled = None
                except MaruError as error:
                    if self._pool.store.is_closed:
                        return
                    _log.warning("care goes on in %g s: %s", every_s, error)
                except Exception:  # noqa: BLE001 - one odd row must not end all care
                    _log.exception("care goes on in %g s", every_s)
                stop.wait(every_s)

    def _signs(self) -> tuple[int, int]:
        """What is other when there may be something to do."""
        self._pool.store.blades.look()
        return self._pool.store.counter, self._pool.store.blades.changes

    def start(self, *, every_s: float = EVERY_S) -> None:
        """Takes care in a thread of this process, until :meth:`stop` or the hub's end.

        If another process does so already, that one does it, and this returns.
        """
        if self._thread is None:
            self._stop.clear()
            self._thread = threading.Thread(
                target=self._quietly, args=(every_s,), name="maruhub-care", daemon=True
            )
            self._thread.start()

    def _quietly(self, every_s: float) -> None:
        try:
            self.forever(self._stop, every_s=every_s)
        except Busy:
            _log.info("another process takes care of this hub")

    @contextmanager
    def ending(self) -> Iterator[None]:
        """While the hub is closed: asks the thread to end before, and waits for it after."""
        self._stop.set()
        try:
            yield
        finally:
            self.stop()

    def stop(self) -> None:
        """Ends the thread after the act under way."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None


def _tell_new(problems: list[str], told: list[str]) -> list[str]:
    """Says what could not be done, once for as long as it lasts; returns what is said by now."""
    for problem in problems:
        if problem not in told:
            _log.warning("care could not %s", problem)
    return list(problems)
