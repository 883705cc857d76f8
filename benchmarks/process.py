"""Processes: fresh interpreters, timed as an installed program's would run, and memory of this one."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

from benchmarks.harness import seconds
from benchmarks.samples import ROOT


class Interpreters:
    """Starts interpreters that see this project; their byte code is kept in ``scratch``."""

    def __init__(self, scratch: Path, **environment: str) -> None:
        # An installed package has its byte code; a checkout may be told to keep none.
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        own = {"PYTHONPYCACHEPREFIX": str(scratch / "bytecode"), "PYTHONPATH": str(ROOT)}
        self._environment = {**kept, **own, **environment}

    def run(self, *words: str) -> float:
        """Milliseconds of ``python WORDS``."""
        return 1e3 * seconds(
            lambda: subprocess.run(
                [sys.executable, *words], check=True, stdout=subprocess.DEVNULL, env=self._environment
            )
        )


class Memory:
    """Watches this process: its highest private memory, in MiB, twenty times a second.

    Mapped files (the index, fragments) are the page cache's and shared by all processes, so
    they are told apart: ``ru_maxrss`` counts them, ``private`` does not.
    """

    def __init__(self) -> None:
        self.private = 0
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while True:
            status = Path("/proc/self/status").read_text()
            self.private = max(self.private, int(status.split("RssAnon:")[1].split()[0]) // 1024)
            time.sleep(0.05)
