"""What ``import maruhub`` adds to a fresh interpreter."""

from __future__ import annotations

import statistics
import subprocess
import sys

from benchmarks.harness import Bench, in_turns, seconds

TITLE = "Import"
BARE = "an interpreter that does nothing"
OURS = "hub: import maruhub"
CONNECT = "hub: import maruhub; maruhub.connect"


def measure(bench: Bench) -> None:
    found = in_turns(
        {
            BARE: lambda: _start("pass"),
            OURS: lambda: _start("import maruhub"),
            CONNECT: lambda: _start("import maruhub; maruhub.connect"),
        },
        bench.pick(20, 3),
        warm_up=True,
    )
    bench.group("A fresh interpreter, start to end", "ms", found, "lower")
    for side, what in ((OURS, "import maruhub"), (CONNECT, "import maruhub; maruhub.connect")):
        added = statistics.median(a - b for a, b in zip(found[side], found[BARE], strict=True))
        bench.limit(f"`{what}`, less the bare interpreter", "ms", added, at_most=150)
    bench.note("`maruhub` loads its parts when they are first named; `connect` names the whole Python door.")


def _start(code: str) -> float:
    """Milliseconds."""
    return 1e3 * seconds(lambda: subprocess.run([sys.executable, "-c", code], check=True))
