"""Peers from outside: a process each, in the environment that has what it imports."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.samples import ROOT
from benchmarks.site import Missing

_HOMES = ROOT / "build" / "peers"


class PeerFailed(Exception):
    """A peer answered with an error, or died; the text is its own."""


@dataclass(frozen=True)
class Side:
    """One way to read: a peer's module, the environment it runs in (none: ours), how, from which store."""

    title: str
    module: str
    home: str
    store: str
    workers: int = 0
    threads: int = 1
    keeps: bool = False
    """Whether it keeps what it mapped when it is told to close, so that only a new process is cold."""
    checked: bool = True
    """Whether the hub sums what it hands out, as it does unless told otherwise."""

    def told(self, batch: int) -> dict[str, Any]:
        """Words of :class:`benchmarks.peers.loader.How`."""
        return {"batch": batch, "workers": self.workers, "threads": self.threads, "checked": self.checked}


class PeerProcess:
    """A driver that waits for words. Libraries may write only below ``scratch``."""

    def __init__(self, side: Side, scratch: Path) -> None:
        self.side = side
        self._log = scratch / f"{side.module}-{side.workers}-{side.threads}-{side.checked:d}.log"
        own = {"HOME": str(scratch), "PYTHONPATH": str(ROOT), "TMPDIR": str(_made(scratch / "tmp"))}
        # None of these libraries has anything to ask of anyone else.
        own |= {"HF_HUB_OFFLINE": "1", "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [python_of(side.home), "-m", "benchmarks.peers.driver", side.module],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=ROOT,
                # With the allocator's settings too, which are the best case of whoever copies.
                env={**os.environ, **own},
                text=True,
                bufsize=1,
            )

    def wait_until_ready(self) -> None:
        """Waits until everything is imported. Raises PeerFailed."""
        self._answer()

    def ask(self, do: str, **words: Any) -> dict[str, Any]:
        """Has the peer do something; its answer. Raises PeerFailed."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({"do": do, **words}) + "\n")
        except BrokenPipeError:
            pass  # It died: what it said last is in its log.
        return self._answer()

    def tell_to_end(self) -> None:
        """Closes the process's input: it ends as a user's script does."""
        if self._process.stdin is not None:
            self._process.stdin.close()

    def end(self) -> None:
        """Ends the process, at last by force."""
        self.tell_to_end()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise PeerFailed(f"{self.side.module} died: {self._log.read_text(errors='replace')[-2000:]}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise PeerFailed(answer["error"])
        return answer


def python_of(home: str) -> str:
    """The interpreter of an environment; ours if ``home`` is empty. Raises Missing."""
    if not home:
        return sys.executable
    found = _HOMES / home / "bin" / "python"
    if not found.exists():
        raise Missing(f"build/peers/{home} (scripts/peers)")
    return str(found)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
