"""Loaders over samples of 322,957 bytes, those of MLPerf Storage's RetinaNet. See the first one for how."""

from __future__ import annotations

from benchmarks.harness import Bench
from benchmarks.numbered import retinanet
from benchmarks.peers.lane import measure_samples

TITLE = "Loaders, RetinaNet's 322,957 bytes"


def measure(bench: Bench) -> None:
    measure_samples(bench, retinanet(bench.pick(1900, 64)), thorough=False)
