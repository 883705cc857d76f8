"""The rule that keeps ingest, training and repair fair to each other, over processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from maruhub.store.admission import Admission, Work


class Clock:
    def __init__(self) -> None:
        self.now_us = 10_000_000
        self.slept: list[float] = []

    def __call__(self) -> int:
        return self.now_us

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def _admission(path: Path, clock: Clock) -> Admission:
    return Admission(path / "admission", clock=clock, sleep=clock.sleep)


def _work(admission: Admission, clock: Clock, work: Work, seconds: float) -> None:
    with admission.piece(work):
        clock.now_us += int(seconds * 1e6)


def test_alone_nobody_waits(tmp_path: Path, clock: Clock):
    for work in Work:
        _work(_admission(tmp_path, clock), clock, work, 0.1)
        clock.now_us += 10**7
    assert clock.slept == []


@pytest.mark.parametrize(
    ("work", "others", "pause"),
    [
        (Work.BACKGROUND, Work.FOREGROUND, 0.1),
        (Work.BACKGROUND, Work.BULK, 0.05),
        (Work.BULK, Work.FOREGROUND, 0.05),
        (Work.BULK, Work.BACKGROUND, 0),
        (Work.FOREGROUND, Work.FOREGROUND, 0),
    ],
)
def test_pause_follows_from_who_else_works(
    tmp_path: Path, clock: Clock, work: Work, others: Work, pause: float
):
    mine, other = _admission(tmp_path, clock), _admission(tmp_path, clock)
    other.note(others)
    _work(mine, clock, work, 0.1)
    assert sum(clock.slept) == pytest.approx(pause)


def test_who_stopped_a_while_ago_is_not_at_work(tmp_path: Path, clock: Clock):
    mine, other = _admission(tmp_path, clock), _admission(tmp_path, clock)
    other.note(Work.FOREGROUND)
    clock.now_us += 1_000_000
    _work(mine, clock, Work.BACKGROUND, 0.1)
    assert clock.slept == []


def test_pause_has_an_end(tmp_path: Path, clock: Clock):
    mine, other = _admission(tmp_path, clock), _admission(tmp_path, clock)
    clock.now_us += 100
    with mine.piece(Work.BACKGROUND):
        clock.now_us += 60_000_000
        other.note(Work.FOREGROUND)
    assert clock.slept == [1.0]


def test_another_process_is_seen(tmp_path: Path):
    mine = Admission(tmp_path / "admission")
    script = (
        "import sys; from pathlib import Path; from maruhub.store.admission import *;"
        "a = Admission(Path(sys.argv[1])); a.note(Work.FOREGROUND); print('ready', flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "admission")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        assert mine.pause_after(Work.BACKGROUND, 0.1) == pytest.approx(0.1)
        process.communicate("\n")


def test_slot_of_a_dead_process_is_taken_again(tmp_path: Path, clock: Clock):
    for _ in range(300):
        admission = _admission(tmp_path, clock)
        admission.note(Work.FOREGROUND)
        admission.close()
    assert _admission(tmp_path, clock).pause_after(Work.BACKGROUND, 1) >= 0


def test_more_processes_than_slots_slow_nobody_down(tmp_path: Path, clock: Clock):
    crowd = [_admission(tmp_path, clock) for _ in range(130)]
    crowd[-1].note(Work.FOREGROUND)
    assert crowd[0].pause_after(Work.BACKGROUND, 1) == 0


def test_without_a_table_nothing_waits(tmp_path: Path, clock: Clock):
    admission = Admission(tmp_path / "missing" / "admission", clock=clock, sleep=clock.sleep)
    admission.note(Work.FOREGROUND)
    _work(admission, clock, Work.BACKGROUND, 0.1)
    assert clock.slept == []


def test_who_works_while_another_thread_leaves_the_table_goes_on(tmp_path: Path, clock: Clock):
    admission = _admission(tmp_path, clock)
    assert admission._table is not None
    # As it is between the two steps of leaving.
    admission._table.close()
    admission.note(Work.FOREGROUND)
    assert admission.pause_after(Work.BACKGROUND, 1.0) == 0.0
    admission.close()
    admission.close()
    admission.note(Work.FOREGROUND)
    assert admission.pause_after(Work.BACKGROUND, 1.0) == 0.0
