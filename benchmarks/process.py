"""Fresh interpreters, timed from start to end, as an installed program's would run."""

from __future__ import annotations

import os
import subprocess
import sys
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
