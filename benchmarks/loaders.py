"""The same samples of 50 KB through every loader: the hub's, plain files, and those that read packed copies.

Each runs in a process of its own and hands out batches of 64 undecoded samples; in brackets stands what kind
of shuffle it gives. Packed copies are made by each one's own writer, and synced.
"""

from __future__ import annotations

from benchmarks.harness import Bench
from benchmarks.numbered import fifty_kb
from benchmarks.peers.lane import measure_samples

TITLE = "Loaders, 50 KB"


def measure(bench: Bench) -> None:
    measure_samples(bench, fifty_kb(bench.pick(12_000, 400)), thorough=True)
