"""Writers that wait for a turn: a signal, wherever it comes, ends nobody's wait but that of who handles it."""

from __future__ import annotations

import itertools
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from maruhub.store.commit import waiting
from maruhub.store.commit.job import Party
from maruhub.store.commit.signals import deferred_signals
from maruhub.store.commit.waiting import Take, Waiting
from maruhub.store.protocol import Proposal

PATIENCE_S = 10.0
LINES = Path(waiting.__file__).read_text().splitlines()


def party() -> Party:
    return Party([Proposal(lambda _: None)])


class Course:
    """A turn that this thread leads; two more come before it takes who waits, and one after that."""

    def __init__(self) -> None:
        self.ends: list[str] = []
        self._threads: list[threading.Thread] = []
        self._first = True
        self.waiting = Waiting(self._turn)

    def _turn(self, take: Take) -> None:
        with deferred_signals():
            first, self._first = self._first, False
            for count in (2, 1) if first else (0,):
                self._come(count)
                if count != 1:
                    take()

    def _come(self, count: int) -> None:
        before, end_s = len(self.waiting._parties), time.monotonic() + PATIENCE_S
        for _ in range(count):
            self._threads.append(threading.Thread(target=self._wait, daemon=True))
            self._threads[-1].start()
        while len(self.waiting._parties) < before + count:
            assert time.monotonic() < end_s
            time.sleep(0.0005)

    def _wait(self) -> None:
        try:
            self.waiting.serve(party())
        except BaseException as error:
            self.ends.append(type(error).__name__)
        else:
            self.ends.append("served")

    def run(self, place: int) -> bool:
        """Leads with an interrupt before the ``place``-th line of this file; whether there is one."""
        lines = itertools.count(1)
        came = False

        def trace(frame: FrameType, event: str, _: object) -> Any:
            nonlocal came
            if frame.f_code.co_filename != waiting.__file__:
                return None
            # Where a lock is taken or let go of, no signal is handled.
            counts = event == "line" and "with self._lock" not in LINES[frame.f_lineno - 1]
            if counts and next(lines) == place:
                came = True
                signal.raise_signal(signal.SIGINT)
            return trace

        sys.settrace(trace)
        try:
            self.waiting.serve(party())
        finally:
            sys.settrace(None)
        return came

    def end(self) -> list[str]:
        """What became of the others, and of one that comes afterwards."""
        self._first = False
        self._threads.append(threading.Thread(target=self._wait, daemon=True))
        self._threads[-1].start()
        for thread in self._threads:
            thread.join(PATIENCE_S)
        return self.ends


@pytest.mark.skipif(sys.gettrace() is not None, reason="somebody else traces")
def test_an_interrupt_at_any_place_is_that_threads_alone() -> None:
    interrupted = 0
    for place in itertools.count(1):
        course, came = Course(), True
        try:
            came = course.run(place)
        except KeyboardInterrupt:
            interrupted += 1
        ends = course.end()
        assert set(ends) == {"served"}, f"at line {place}"
        assert len(ends) in (1, 4), f"at line {place}"
        if not came:
            break
    assert interrupted == place - 1 > 20
