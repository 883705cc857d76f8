"""A hub, the journal of its clients, and the lives and deaths of its processes."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from maruhub import compose
from maruhub.namespace import Namespace
from tests.crash.journal import History
from tests.crash.load import BUCKET
from tests.tidy.tree import ROOT

SEGMENT_BYTES = 1 << 20


class Victim:
    """A new hub of three blades; ``program`` lives on it until it is killed."""

    def __init__(self, folder: Path, seed: int, *, blades: int = 3) -> None:
        self.hub = folder / "hub"
        self.journal = folder / "journal"
        self.rng = random.Random(seed)
        pool = compose.create_pool(self.hub, n=blades, segment_bytes=SEGMENT_BYTES)
        Namespace(pool.store).buckets.create(BUCKET)
        pool.close()

    def command(self, *words: str, program: str = "kill_round") -> list[str]:
        seed = str(self.rng.randrange(1 << 30))
        module = f"tests.crash.{program}"
        return [sys.executable, "-m", module, str(self.hub), str(self.journal), seed, *words]

    def start(self, command: list[str]) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        return subprocess.Popen(command, cwd=ROOT, stdout=pipe, stderr=subprocess.STDOUT, text=True)

    def live_and_die(self, *words: str, answers: int = 0) -> None:
        """Killed at a random moment: mostly in its load, sometimes while it opens.

        Never before the journal holds so many ``answers``: a slow machine would do nothing in any life.
        """
        size = self._journal_bytes()
        process = self.start(self.command(*words))
        if self.rng.random() < 0.8:
            while process.poll() is None and self._journal_bytes() == size:
                time.sleep(0.002)
            time.sleep(self.rng.uniform(0, 0.25))
        else:
            time.sleep(self.rng.uniform(0.25, 0.6))
        while process.poll() is None and self.answers() < answers:
            time.sleep(0.002)
        process.kill()
        self.judge(process)

    def answers(self) -> int:
        """How many changes were acknowledged so far."""
        return self.journal.read_text().count('"acknowledged"') if self.journal.exists() else 0

    def _journal_bytes(self) -> int:
        return self.journal.stat().st_size if self.journal.exists() else 0

    def die_at(self, call: str, count: int, *, program: str = "kill_round") -> bool:
        """Killed exactly before some thread's ``count``-th call since it began.

        ``pwrite64`` is LMDB's, which only strace sees; all others are counted in the process.
        """
        if call != "pwrite64":
            return self.judge(self.start(self.command("12", f"die={call}:{count}", program=program)))
        # Without --seccomp-bpf: strace 6.1 injects errors under it, but no signals.
        trace = ["strace", "-f", "-qqq", "-o", "/dev/null", "-e", f"trace={call}"]
        trace += ["-e", f"inject={call}:signal=SIGKILL:when={count}", "--"]
        return self.judge(self.start(trace + self.command("12", program=program)))

    def live_with_failures(self, *words: str) -> History:
        """A life in which calls fail for a while; see ``io_round``."""
        process = self.start(self.command(*words, program="io_round"))
        said, _ = process.communicate(timeout=60)
        assert process.returncode == 0, f"{words}: status {process.returncode}: {said}"
        return History.read(self.journal)

    def judge(self, process: subprocess.Popen[str]) -> bool:
        """It was killed (True), or had nothing more to do; it has found nothing wrong."""
        said, _ = process.communicate(timeout=60)
        assert process.returncode in (-signal.SIGKILL, 0), f"status {process.returncode}: {said}"
        return process.returncode != 0

    def finish(self) -> History:
        """A last life that is not killed, and compares a rebuilt index too."""
        process = self.start(self.command("rebuild", "0"))
        said, _ = process.communicate(timeout=60)
        assert process.returncode == 0, said
        return History.read(self.journal)
