"""Ingest, two trainings and an evaluation at once on one hub, each beside itself alone.

Each is a process of its own. A training computes for 47.55 ms on each batch of 64 samples of 50 KB, as an
accelerator would, and records what it reads; ingest and evaluation go as fast as they can.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import maruhub
from benchmarks.harness import Bench
from benchmarks.numbered import fifty_kb
from benchmarks.samples import ROOT, write_files

TITLE = "The stages of the life of data, at once"
STAGES = {
    "ingest": "ingest",
    "a training": "training",
    "another training": "training",
    "evaluation": "evaluation",
}


def measure(bench: Bench) -> None:
    samples = fifty_kb(bench.pick(20_000, 2000))
    new = fifty_kb(bench.pick(4000, 1000))
    files = bench.scratch / "new"
    write_files(files, new)
    hub = bench.scratch / "hub"
    write_files(bench.scratch / "files", samples)
    with maruhub.create(hub) as made:
        made.ingest(bench.scratch / "files", "photos")
        made.dataset("bench").commit("photos")
    seconds = bench.pick(5.0, 1.0)
    alone: dict[str, list[float]] = {name: [] for name in STAGES}
    together: dict[str, list[float]] = {name: [] for name in STAGES}
    for _ in range(bench.pick(3, 1)):
        for name in STAGES:
            alone[name] += _run([name], hub, files, seconds)
        for name, value in zip(STAGES, _run(list(STAGES), hub, files, seconds), strict=True):
            together[name].append(value)
    sides = {}
    for name in STAGES:
        sides |= {_alone(name): alone[name], _together(name): together[name]}
    group = bench.group("One hub, all stages", "samples/s", sides)
    for name in STAGES:
        bench.compare(group, _together(name), _alone(name))
    bench.note(
        f"{len(samples):,} samples in the dataset, in memory; {seconds:g} s each. New samples come from "
        f"{len(new):,} plain files, again and again under new keys, and are synced. All on this machine's cores."
    )


def _alone(name: str) -> str:
    return f"hub: {name}, alone"


def _together(name: str) -> str:
    return f"hub: {name}, all at once"


def _run(names: list[str], hub: Path, files: Path, seconds: float) -> list[float]:
    """Samples a second of each, all of them working in the same seconds."""
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "benchmarks.stage", STAGES[name], str(hub), str(files), str(seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            text=True,
        )
        for name in names
    ]
    for process in started:
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            raise RuntimeError(f"{process.args!r} did not start.")
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    # Both ends are closed, and a stage is over, before the next one begins.
    return [float(process.communicate()[0]) for process in started]
