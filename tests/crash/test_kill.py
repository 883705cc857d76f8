"""SIGKILL at any moment: the next process opens by itself, and what was acknowledged is there.

``KILLS=2000`` for a long run, ``SEED=n`` for the same one again.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.victim import Victim

KILLS = int(os.environ.get("KILLS", "100"))
KILLS_A_HUB = 20
CALLS = ("pwritev", "pwritev", "pwrite64", "fdatasync", "fdatasync", "fsync")


def _victims(folder: Path, kills: int, seed: int) -> Iterator[tuple[Victim, int]]:
    """A new hub for every so many kills, so that one is killed several times in a row."""
    for number in range(0, kills, KILLS_A_HUB):
        where = folder / str(number)
        where.mkdir()
        yield Victim(where, seed + number), min(KILLS_A_HUB, kills - number)
        shutil.rmtree(where)


def test_killed_at_any_moment(tmp_path: Path, seed: int) -> None:
    answers = lives = 0
    for victim, kills in _victims(tmp_path, KILLS * 6 // 10, seed):
        for number in range(kills):
            victim.live_and_die(*(["rebuild"] if number % 7 == 6 else []), answers=2 * (number + 1))
        history = victim.finish()
        answers += history.answers
        lives += len(history.notes)
    assert answers > KILLS, "the load was killed before it did anything"
    print(f"{answers} answers in {lives} lives")


@pytest.mark.skipif(shutil.which("strace") is None, reason="no strace")
def test_killed_before_the_nth_call(tmp_path: Path, seed: int) -> None:
    deaths = 0
    for victim, kills in _victims(tmp_path, KILLS * 4 // 10, seed):
        for number in range(kills):
            call = CALLS[number % len(CALLS)]
            deaths += victim.die_at(call, victim.rng.choice((1, 2, 3, victim.rng.randint(4, 16))))
        victim.finish()
    assert deaths > KILLS // 10
