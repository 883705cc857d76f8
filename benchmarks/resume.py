"""The first batch of a dataset of a million samples: opened anew, and resumed anywhere in an epoch.

The clock runs from `connect` to the first batch of 256, in a running interpreter; the hub is closed after.
The samples are rows that all name one real blob, so nothing but opening, planning and one batch is in it.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path

import maruhub
from benchmarks.catalog import fill
from benchmarks.harness import Bench, in_turns, seconds
from maruhub import compose

TITLE = "The first batch of a million samples"
PROFILE = """
An order is computed from its number, seed and epoch; a state is a position in it. What a start costs is opening
the index, mapping the version's fragments, and, the first time in a process, checking what they say.
"""
BATCH = 256
START = "hub: an epoch's start"


def measure(bench: Bench) -> None:
    count = bench.pick(1_000_000, 20_000)
    hub = bench.scratch / "hub"
    pool = compose.create_pool(hub, n=1)
    fill(pool.store, count)
    pool.close()
    with maruhub.connect(hub) as opened:
        opened.dataset("bench").commit("photos/")
    places = {
        START: 0,
        "hub: resumed behind the first batch": BATCH,
        "hub: resumed a quarter in": count // 4,
        "hub: resumed half in": count // 2,
        "hub: resumed nine tenths in": count // 10 * 9,
        "hub: resumed before the last batch": count - BATCH,
    }
    sides = {name: _first_batch(hub, place) for name, place in places.items()}
    found = in_turns(sides, bench.pick(15, 2), warm_up=True)
    group = bench.group(f"From opening to the first batch, {count:,} samples", "ms", found, "lower")
    for name in [name for name in places if name != START]:
        bench.compare(group, name, START, at_least=0.8)
    worst = max(sorted(values)[len(values) // 2] for values in found.values())
    bench.limit(f"From opening to the first batch, {count:,} samples, the slowest", "ms", worst, at_most=1000)
    bench.curve(
        "Time to the first batch against the position",
        "samples of the epoch already seen",
        "ms",
        {"hub": [(place, sorted(found[name])[len(found[name]) // 2]) for name, place in places.items()]},
    )


def _first_batch(hub: Path, place: int) -> Callable[[], float]:
    def run() -> None:
        with maruhub.connect(hub) as opened:
            batches = opened.version("bench").batches(BATCH, seed=1)
            batches.load_state_dict(batches.state_dict() | {"position": place})
            assert len(next(batches)) == BATCH
            batches.close()

    def timed() -> float:
        gc.collect()
        return 1e3 * seconds(run)

    return timed
