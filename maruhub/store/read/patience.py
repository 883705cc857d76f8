"""How long to wait for a blade before others are asked: from its own history.

A read that may have to wait for a drive is done by a hand of that blade. What it takes is
remembered a unit of work; who takes several times as long as it ever should is late, and
whoever waits goes elsewhere. A late blade is not asked again until it has answered.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from maruhub.store.hand import Hand, Job

_HANDS_MAX: Final = 16
_FIRST_S: Final = 2.0
_LEAST_S: Final = 0.1
_MOST_S: Final = 5.0
_TIMES: Final = 8.0
_SHARE: Final = 0.1
_STEP_MAX: Final = 2.0


class Errand(NamedTuple):
    """What is to be read from one blade; ``units`` of work: reads and MiB together."""

    job: Job
    units: float


class Patience:
    """The hands and the history of one process's reads, blade by blade. Safe from many threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._blades: dict[bytes, _Blade] = {}
        self._closed = False
        self._lock = threading.Lock()

    def is_late(self, blade_id: bytes) -> bool:
        """Whether the blade owes an answer for longer than one should take."""
        blade = self._blades.get(blade_id)
        return blade is not None and blade.late > 0

    def run(self, errands: Mapping[bytes, Errand], *, least_s: float = 0.0) -> set[bytes]:
        """Runs errands beside each other; returns the blades that were late, at their own time.

        The job of a late blade may end at any later moment: it must not do harm then. What
        another raises is raised here.
        """
        waiting = {
            blade_id: self._blade(blade_id).begin(errand, least_s) for blade_id, errand in errands.items()
        }
        return {blade_id for blade_id, work in waiting.items() if not work.wait()}

    def _blade(self, blade_id: bytes) -> _Blade:
        with self._lock:
            blade = self._blades.setdefault(blade_id, _Blade(self._clock))
            if self._closed:
                blade.close()
            return blade

    def close(self) -> None:
        """Ends the hands that are idle; others when their drive answers, also those of later errands."""
        with self._lock:
            self._closed = True
            blades = list(self._blades.values())
        for blade in blades:
            blade.close()


class _Blade:
    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._seconds_a_unit: float | None = None
        self._idle: list[Hand] = []
        self._hands = 0
        self._closed = False
        self._lock = threading.Lock()
        self.late = 0

    def begin(self, errand: Errand, least_s: float) -> _Work:
        work = _Work(self, self._clock(), max(least_s, self._time_for(errand.units)))
        with self._lock:
            if self.late and not least_s:
                work.give_up()
                return work
            hand = self._idle.pop() if self._idle else None
            if hand is None and self._hands < _HANDS_MAX:
                self._hands += 1
                hand = Hand("maruhub-read")
        if hand is None:
            # So many at once: this one waits like everybody did before there were hands.
            self._done(errand, work, None)
        else:
            hand.run(lambda: self._done(errand, work, hand))
        return work

    def _time_for(self, units: float) -> float:
        if self._seconds_a_unit is None:
            return _FIRST_S
        return min(_MOST_S, max(_LEAST_S, _TIMES * units * self._seconds_a_unit))

    def _done(self, errand: Errand, work: _Work, hand: Hand | None) -> None:
        try:
            errand.job()
        except Exception as error:  # noqa: BLE001 - of whoever waits; the hand is asked again
            work.error = error
        finally:
            with self._lock:
                took = (self._clock() - work.start) / errand.units
                before = took if self._seconds_a_unit is None else self._seconds_a_unit
                # Up quickly, down slowly: a drive that was slow lately may be so again. One
                # stall is no measure of what it takes, so it doesn't count for more than it must.
                took = min(took, _STEP_MAX * before)
                self._seconds_a_unit = max(took, before + _SHARE * (took - before))
                self.late -= work.is_late
                work.done.set()
                if hand is not None and not self._closed:
                    self._idle.append(hand)
                elif hand is not None:
                    hand.stop()

    def expect(self, work: _Work) -> bool:
        """Whether it is done; if not, the blade is late from now on until it is."""
        with self._lock:
            if not work.done.is_set():
                work.is_late = True
                self.late += 1
            return work.done.is_set()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for hand in idle:
            hand.stop()


class _Work:
    """One errand under way."""

    def __init__(self, blade: _Blade, start: float, seconds: float) -> None:
        self._blade = blade
        self._seconds = seconds
        self._given_up = False
        self.start = start
        self.error: Exception | None = None
        self.done = threading.Event()
        self.is_late = False

    def give_up(self) -> None:
        """It was never begun."""
        self._given_up = True

    def wait(self) -> bool:
        """Whether it was done in its time; raises what the job raised."""
        done = not self._given_up and (self.done.wait(self._seconds) or self._blade.expect(self))
        error, self.error = self.error, None
        if done and error is not None:
            try:
                raise error
            finally:
                del error  # its traceback names this frame
        return done
