"""Sixteen processes that read one view of a hundred million samples, and what each holds for itself.

The view is real and its manifest synthetic: a hundred million positions over some thousand samples, saved
in the hub as any view is (8 bytes each, mapped by whoever opens it), with no bytes of their own behind
them. What would be copied instead of mapped and shared, in a worker or for each, shows as its own memory.
"""

from __future__ import annotations

import multiprocessing
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import maruhub
from benchmarks.harness import Bench

WORKERS = 16
BATCH = 256
_LOOKS = 10
_MIB = 1 << 20
_SAMPLES_A_PUT = 4096


class Memory(NamedTuple):
    """What a process holds, in MiB: what is its own, and its share of what it maps with others."""

    own: float
    shared: float


def measure_crowd(bench: Bench) -> None:
    """Own memory of each worker over the large view, beside that over a view of its few real samples."""
    real, size = bench.pick(65_536, 8192), bench.pick(100_000_000, 50_000)
    batches = bench.pick(200, 20)
    with _views(bench.scratch / "crowd", real, size) as views:
        found = {len(view): _crowd(view, batches) for view in views}
    small, large = (_medians(looks) for looks in found.values())
    few, many = found
    bench.curve(
        f"Own memory of each of {WORKERS} workers",
        "batches read",
        "MiB",
        {
            f"worker: {count:,} samples": [(at, memory.own) for at, memory in line]
            for count, line in ((few, small), (many, large))
        },
    )
    bench.limit(
        f"Own memory of a worker over {many:,} samples beyond one over {few:,}",
        "MiB",
        large[-1][1].own - small[-1][1].own,
        at_most=8,
    )
    half = len(large) // 2
    growth = statistics.median(memory.own for _, memory in large[half:]) - large[half - 1][1].own
    bench.limit("Growth of a worker's own memory in the second half", "MiB", growth, at_most=4)
    bench.note(
        f"{WORKERS} processes, started anew, each a rank with batches of {BATCH}: {large[-1][1].own:.0f} MiB of its own "
        f"at the end, and {large[-1][1].shared:.0f} MiB as its share of what they map together, which is the "
        f"drive's cache and given back when it is needed. Copied, {many:,} positions would be "
        f"{8 * many / _MIB:,.0f} MiB in each."
    )


@contextmanager
def _views(folder: Path, real: int, size: int) -> Iterator[list[Any]]:
    """The real samples as a saved view, and the large one over them."""
    with maruhub.create(folder, blades=1) as hub:
        bucket = hub.bucket("raw")
        data = np.random.default_rng(1).bytes(1024)
        for start in range(0, real, _SAMPLES_A_PUT):
            names = range(start, min(start + _SAMPLES_A_PUT, real))
            bucket.put_many({f"{name:08}": name.to_bytes(8, "little") + data for name in names})
        version = hub.dataset("samples").commit("raw")
        order = np.random.default_rng(2).permutation(real)
        views = [version.select(order), version.select(np.resize(order, size))]
        for view in views:
            view.save()
        opened = [hub.view(view.digest) for view in views]
        del views
        yield opened


def _crowd(view: Any, batches: int) -> list[list[tuple[int, Memory]]]:
    """What each worker looked like while all of them read."""
    context = multiprocessing.get_context("spawn")
    ends, processes = [], []
    for rank in range(WORKERS):
        here, there = context.Pipe(duplex=False)
        handed = view.batches(BATCH, seed=3, rank=rank, world=WORKERS, epochs=None)
        processes.append(context.Process(target=_read, args=(handed, batches, there)))
        ends.append(here)
        processes[-1].start()
        there.close()
    found = [end.recv() for end in ends]
    for process in processes:
        process.join()
    return found


def _read(batches: Any, count: int, told: Connection) -> None:
    """A worker's whole life."""
    looks = []
    for number in range(1, count + 1):
        next(batches)
        if number % max(1, count // _LOOKS) == 0:
            looks.append((number, own_memory()))
    told.send(looks)
    batches.close()


def _medians(crowd: list[list[tuple[int, Memory]]]) -> list[tuple[int, Memory]]:
    """The median worker at each look."""
    return [
        (
            looks[0][0],
            Memory(
                statistics.median(memory.own for _, memory in looks),
                statistics.median(memory.shared for _, memory in looks),
            ),
        )
        for looks in zip(*crowd, strict=True)
    ]


def own_memory() -> Memory:
    """This process's, as the kernel counts it: pages of no file, and its part of those of files."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()[1:]
    kib = {name: int(value.split()[0]) for name, _, value in (line.partition(":") for line in lines)}
    return Memory(kib["Anonymous"] / 1024, (kib["Pss"] - kib["Pss_Anon"]) / 1024)
