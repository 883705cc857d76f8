"""Loaders over samples of 5 KB to 1 MB, each size equally likely by its logarithm. See the first one for how."""

from __future__ import annotations

from benchmarks.harness import Bench
from benchmarks.numbered import mix
from benchmarks.peers.lane import measure_samples

TITLE = "Loaders, a mix of 5 KB to 1 MB"


def measure(bench: Bench) -> None:
    measure_samples(bench, mix(bench.pick(3200, 100)), thorough=False)
