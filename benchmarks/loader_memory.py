"""Memory of a loader over ten million samples, and what a random order of them costs.

The manifest is synthetic: ids, labels and addresses are computed from the row, so that
what grows, if anything, is the loader itself. The addresses are those of a few thousand
real objects, which are read and verified like any others.
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from benchmarks.crowd import measure_crowd
from benchmarks.harness import Bench, in_turns, rate, seconds
from benchmarks.samples import BUCKET, Samples, fill_hub, make_hub
from maruhub.loaders import Batches
from maruhub.loaders.order import GlobalOrder
from maruhub.store.format.extent import Blobs, ExtentArray
from maruhub.store.protocol import Store

TITLE = "Loaders over ten and a hundred million samples"
PROFILE = """
An order is computed, never kept: the n-th position costs the same in every epoch and at every size, so
a state of five numbers resumes anywhere. What is held is the window: 2,048 planned samples, up to 512 announced
extents, 64 MiB of ready batches (of which these samples of 1 KB fill little). Positions of a saved view are mapped
by each process that reads it, and shared.
"""
BATCH = 256
_MIB = 1 << 20
Rows = npt.NDArray[np.uint64]


class Synthetic:
    """``size`` samples computed from their rows, with the bytes of a few real ones."""

    def __init__(self, size: int, extents: ExtentArray) -> None:
        self.digest = f"{size:064x}"
        self._size = size
        self._extents = extents

    def __len__(self) -> int:
        return self._size

    def ids(self, rows: Rows) -> list[str]:
        return [f"{row:012}.jpg" for row in rows.tolist()]

    def blobs(self, rows: Rows) -> Blobs:
        real = (rows % np.uint64(len(self._extents))).astype(np.int64)
        return Blobs(self._extents[real], np.arange(len(rows) + 1, dtype=np.int64))

    def columns(self, rows: Rows) -> pa.Table:
        return pa.table({"label": rows % np.uint64(10)})


def measure(bench: Bench) -> None:
    size = bench.pick(10_000_000, 20_000)
    samples = Samples("1 KB", [1000] * bench.pick(4096, 256))
    pool, ns = make_hub(bench.scratch / "hub")
    fill_hub(ns, samples)
    infos = ns.objects.head_many(BUCKET, [samples.key(i) for i in range(len(samples))])
    extents = Blobs.of_raw([info.extents_raw for info in infos if info]).extents
    _memory(bench, pool.store, Synthetic(size, extents))
    _resuming(bench, pool.store, Synthetic(size, extents))
    pool.close()
    _order(bench)
    measure_crowd(bench)
    bench.note(
        "Resident memory is all of the process: interpreter, libraries, mapped pages of hub and index."
    )


def _memory(bench: Bench, store: Store, source: Synthetic) -> None:
    """One epoch, memory looked at a few hundred times."""
    batches = Batches(source, store, BATCH, seed=1)
    every = max(1, len(batches) // 400)
    line: list[tuple[float, float]] = []
    read = 0
    begun = time.perf_counter()
    for number, batch in enumerate(batches):
        read += len(batch)
        if number % every == 0:
            line.append((read / 1e6, resident_mib()))
    took = time.perf_counter() - begun
    assert read == len(source)
    bench.curve(
        f"Memory of a loader over {len(source):,} samples",
        "million samples read",
        "MiB resident",
        {"loader: one epoch, batches of 256": line},
    )
    settled = [mib for _, mib in line[len(line) // 10 :]]
    half = len(settled) // 2
    growth = statistics.median(settled[half:]) - statistics.median(settled[:half])
    bench.limit("Growth of memory from the first half of an epoch to the second", "MiB", growth, at_most=4)
    bench.note(
        f"{len(source):,} samples in {took:.0f} s: {read / took:,.0f} samples/s of 1 KB, verified, one thread."
    )


def _resuming(bench: Bench, store: Store, source: Synthetic) -> None:
    """From a saved state to the first batch."""

    def first_batch(position: int) -> float:
        batches = Batches(source, store, BATCH, seed=1)
        state = batches.state_dict() | {"position": position}
        took = seconds(lambda: (batches.load_state_dict(state), next(batches)))
        batches.close()
        return 1e3 * took

    places = {"loader: at an epoch's start": 0, "loader: nine tenths in": len(source) // 10 * 9}
    sides = {name: (lambda at=at: first_batch(at)) for name, at in places.items()}
    bench.group(
        "From a state to the first batch", "ms", in_turns(sides, bench.pick(15, 2), warm_up=True), "lower"
    )


def _order(bench: Bench) -> None:
    count = bench.pick(2_000_000, 10_000)
    sides = {}
    for size in (10_000_000, 1_000_000_000, 1_000_000_000_000):
        order = GlobalOrder(size, 1)
        runs = [np.arange(at, at + 2048, dtype=np.uint64) for at in range(0, count, 2048)]
        sides[f"loader: order of {size:,}"] = lambda order=order, runs=runs: rate(
            len(runs) * 2048 / 1e6, lambda: [order.rows(0, run) for run in runs]
        )
    listed = np.arange(10_000_000, dtype=np.uint64)

    def shuffle() -> float:
        return rate(len(listed) / 1e6, lambda: np.random.default_rng(1).permutation(listed))

    sides["numpy: a shuffled list of 10,000,000"] = shuffle
    found = in_turns(sides, bench.pick(5, 1), warm_up=True)
    bench.group("Random order, 2,048 positions a call", "million positions/s", found)


def resident_mib() -> float:
    """This process's resident memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / _MIB
