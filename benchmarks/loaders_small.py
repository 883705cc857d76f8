"""Loaders over records of 1 KB, of which a plain file wastes three quarters of its block. See the first one for how."""

from __future__ import annotations

from benchmarks.harness import Bench
from benchmarks.numbered import records
from benchmarks.peers.lane import measure_samples

TITLE = "Loaders, records of 1 KB"


def measure(bench: Bench) -> None:
    measure_samples(bench, records(bench.pick(60_000, 2000)), thorough=False)
