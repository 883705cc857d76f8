"""SIGKILL at any moment: the next process opens by itself, and what was acknowledged is there.

``KILLS=2000`` for a long run, ``SEED=n`` for the same one again.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from maruhub import compose
from maruhub.namespace import Namespace
from tests.crash.journal import History
from tests.crash.load import BUCKET
from tests.tidy.tree import ROOT

KILLS = int(os.environ.get("KILLS", "100"))
KILLS_A_HUB = 20
CALLS = ("pwritev", "pwritev", "pwrite64", "fdatasync", "fdatasync", "fsync")
SEGMENT_BYTES = 1 << 20


class Victim:
    """A hub and its journal; each life of its process ends by a kill."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.hub = folder / "hub"
        self.journal = folder / "journal"
        self.rng = random.Random(seed)
        pool = compose.create_pool(self.hub, n=3, segment_bytes=SEGMENT_BYTES)
        Namespace(pool.store).buckets.create(BUCKET)
        pool.close()

    def command(self, *words: str) -> list[str]:
        seed = str(self.rng.randrange(1 << 30))
        return [
            sys.executable,
            "-m",
            "tests.crash.kill_round",
            str(self.hub),
            str(self.journal),
            seed,
            *words,
        ]

    def start(self, command: list[str]) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        return subprocess.Popen(command, cwd=ROOT, stdout=pipe, stderr=subprocess.STDOUT, text=True)

    def live_and_die(self, *words: str) -> None:
        """Killed at a random moment: mostly in its load, sometimes while it opens."""
        process = self.start(self.command(*words))
        size = self.journal.stat().st_size if self.journal.exists() else 0
        if self.rng.random() < 0.8:
            while process.poll() is None and (
                not self.journal.exists() or self.journal.stat().st_size == size
            ):
                time.sleep(0.002)
            time.sleep(self.rng.uniform(0, 0.25))
        else:
            time.sleep(self.rng.uniform(0.25, 0.6))
        process.kill()
        self.judge(process)

    def die_at(self, call: str, count: int) -> None:
        """Killed exactly before some thread's ``count``-th call since it began."""
        trace = ["strace", "-f", "-qqq", "-o", "/dev/null", "-e", f"trace={call}"]
        trace += ["-e", f"inject={call}:signal=SIGKILL:when={count}", "--"]
        process = self.start(trace + self.command("12"))
        self.judge(process)

    def judge(self, process: subprocess.Popen[str]) -> None:
        said, _ = process.communicate(timeout=60)
        assert process.returncode in (-signal.SIGKILL, 0), f"status {process.returncode}: {said}"

    def finish(self) -> History:
        """A last life that is not killed, and compares a rebuilt index too."""
        process = self.start(self.command("rebuild", "0"))
        said, _ = process.communicate(timeout=60)
        assert process.returncode == 0, said
        return History.read(self.journal)


def _victims(folder: Path, kills: int, seed: int):
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
            victim.live_and_die(*(["rebuild"] if number % 7 == 6 else []))
        history = victim.finish()
        answers += history.answers
        lives += len(history.notes)
    assert answers > KILLS, "the load was killed before it did anything"
    print(f"{answers} answers in {lives} lives")


@pytest.mark.skipif(shutil.which("strace") is None, reason="no strace")
def test_killed_before_the_nth_call(tmp_path: Path, seed: int) -> None:
    for victim, kills in _victims(tmp_path, KILLS * 4 // 10, seed):
        for number in range(kills):
            call = CALLS[number % len(CALLS)]
            victim.die_at(call, victim.rng.choice((1, 2, 3, victim.rng.randint(4, 16))))
        victim.finish()
