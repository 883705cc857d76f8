"""What ``import maruhub`` adds to a fresh interpreter."""

from __future__ import annotations

import statistics

from benchmarks.harness import Bench, in_turns
from benchmarks.process import Interpreters

TITLE = "Import"
PROFILE = """
`import maruhub` defers everything; `connect` brings numpy, LMDB and the store, of which numpy alone is half.
"""
BARE = "an interpreter that does nothing"
OURS = "hub: import maruhub"
CONNECT = "hub: import maruhub; maruhub.connect"


def measure(bench: Bench) -> None:
    python = Interpreters(bench.scratch)
    found = in_turns(
        {
            BARE: lambda: python.run("-c", "pass"),
            OURS: lambda: python.run("-c", "import maruhub"),
            CONNECT: lambda: python.run("-c", "import maruhub; maruhub.connect"),
        },
        bench.pick(20, 3),
        warm_up=True,
    )
    bench.group("A fresh interpreter, start to end", "ms", found, "lower")
    for side, what in ((OURS, "import maruhub"), (CONNECT, "import maruhub; maruhub.connect")):
        added = statistics.median(a - b for a, b in zip(found[side], found[BARE], strict=True))
        bench.limit(f"`{what}`, less the bare interpreter", "ms", added, at_most=150)
    bench.note("`maruhub` loads its parts when they are first named; `connect` names the whole Python door.")
