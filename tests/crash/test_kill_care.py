"""SIGKILL of processes that cut and mend segments, beside writers; and two blades taken away.

``KILLS=2000`` for a long run, ``SEED=n`` for the same one again.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.crash.victim import Victim

KILLS = int(os.environ.get("KILLS", "100"))
BLADES = 6
CALLS = ("pwritev", "fdatasync", "fsync", "unlink", "pwritev", "fdatasync")


def _begin_care(victim: Victim) -> subprocess.Popen[str]:
    return victim.start(victim.command(program="care_round"))


def _end(victim: Victim, process: subprocess.Popen[str]) -> None:
    process.kill()
    victim.judge(process)


def test_killed_while_segments_are_cut(tmp_path: Path, seed: int) -> None:
    """Writers, which seal what they fill, and who acts on segments: now the one dies first, now the other."""
    victim = Victim(tmp_path, seed, blades=BLADES)
    lives = max(1, KILLS // 12)
    for number in range(lives):
        care = _begin_care(victim)
        if number % 2:
            time.sleep(victim.rng.uniform(0.4, 1.0))
            _end(victim, care)
        victim.live_and_die(answers=(number + 1) * (KILLS // (2 * lives) + 1))
        if not number % 2:
            _end(victim, care)
    history = victim.finish()
    assert history.answers > KILLS // 2


def test_killed_before_the_nth_call_of_an_act(tmp_path: Path, seed: int) -> None:
    victim = Victim(tmp_path, seed, blades=BLADES)
    deaths = 0
    for number in range(max(1, KILLS // 12)):
        victim.live_and_die()
        call = CALLS[number % len(CALLS)]
        deaths += victim.die_at(
            call, victim.rng.choice((1, 2, 3, victim.rng.randint(4, 16))), program="care_round"
        )
    victim.finish()
    assert deaths


@pytest.mark.parametrize("how", ["renamed", "removed"])
def test_two_blades_taken_away_under_load(tmp_path: Path, seed: int, how: str) -> None:
    """Writers and acts go on; then all of them die, and a new process finds everything."""
    victim = Victim(tmp_path, seed, blades=BLADES)
    victim.live_and_die()
    writer, care = victim.start(victim.command()), _begin_care(victim)
    answers = _answers(victim, at_least=50)
    for blade in victim.rng.sample(_blades(victim.hub), 2):
        if how == "renamed":
            blade.rename(tmp_path / blade.name)
        else:
            # Until it is gone, although somebody makes a file in it just then.
            while blade.exists():
                shutil.rmtree(blade, ignore_errors=True)
        time.sleep(0.3)
    _answers(victim, at_least=answers + 100)
    _end(victim, writer)
    _end(victim, care)
    victim.finish()


def _blades(hub: Path) -> list[Path]:
    return sorted(path.parent for path in hub.glob("**/blade") if path.is_file())


def _answers(victim: Victim, *, at_least: int) -> int:
    """Waits for so many acknowledged changes; how many there are."""
    for _ in range(3000):
        answers = victim.answers()
        if answers >= at_least:
            return answers
        time.sleep(0.01)
    raise AssertionError(f"only {answers} changes were acknowledged")
