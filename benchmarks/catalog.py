"""What versions cost: commit, open, label, filter, draw and split of a million samples.

The bucket is synthetic: its rows are put straight in through the commit turn, all naming
one real blob, so what is measured is the catalog and not the drives. Each step runs in a
process of its own, whose peak memory is shown beside that of a process that only opens
the hub.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import Bench
from benchmarks.process import Memory
from benchmarks.samples import ROOT
from maruhub import compose
from maruhub.catalog import Catalog
from maruhub.namespace import Namespace
from maruhub.namespace.digests import Digest
from maruhub.namespace.fields import encode_tail
from maruhub.namespace.object import encode_payload, object_prefix
from maruhub.store.protocol import Rows, Store

TITLE = "Versions of a million samples"
BATCH = 10_000


def fill(store: Store, samples: int, start: int = 0) -> None:
    """Rows of ``samples`` objects of one blob, with a label from the folder name."""
    ns = Namespace(store, "bench")
    bucket = ns.buckets.create("photos", exist_ok=True)
    blob = store.append([bytes(50_000)])[0]
    tails = [encode_tail("image/jpeg", {"label": f"class-{i:03}"}) for i in range(1000)]

    def change(rows: Rows, first: int) -> None:
        for i in range(first, min(first + BATCH, start + samples)):
            digest = Digest(bytes(16), i.to_bytes(32, "little"))
            payload = encode_payload(digest, 50_000, mtime_ns=i, tail=tails[i % 1000])
            rows.put(
                object_prefix(bucket) + f"train/{i % 1000:03}/{i:09}.jpg".encode(), payload, extents=blob
            )

    for first in range(start, start + samples, BATCH):
        store.commit(lambda rows, first=first: change(rows, first))


class Steps:
    """Every public method is a step: it yields the figures of its parts."""

    def __init__(self, samples: int) -> None:
        self.samples = samples

    def commit(self, store: Store, catalog: Catalog) -> Iterator[dict[str, Any]]:
        yield timed("commit, first", lambda: catalog.dataset("bench").commit("photos/"))
        yield {"what": "fragments", "bytes": fragment_bytes(store)}

    def unchanged(self, _: Store, catalog: Catalog) -> Iterator[dict[str, Any]]:
        yield timed("commit, nothing new", lambda: catalog.dataset("bench").commit("photos/"))

    def growth(self, store: Store, catalog: Catalog) -> Iterator[dict[str, Any]]:
        fill(store, self.samples // 100, start=self.samples)
        before = fragment_bytes(store)
        yield timed("commit, 1 % new", lambda: catalog.dataset("bench").commit("photos/"))
        yield {"what": "fragments, 1 % new", "bytes": fragment_bytes(store) - before}

    def opening(self, _: Store, catalog: Catalog) -> Iterator[dict[str, Any]]:
        yield timed("open: root", lambda: catalog.dataset("bench").latest)
        version = catalog.dataset("bench").latest
        some = np.arange(0, self.samples, self.samples // 256)[:256]
        yield timed("open: first 256 addresses", lambda: version.blobs(some))

    def gather(self, _: Store, catalog: Catalog) -> Iterator[dict[str, Any]]:
        version = catalog.dataset("bench").latest
        for size in (64, 256, 4096):
            rows = np.random.default_rng(1).integers(0, self.samples, (50, size))
            for name in ("blobs", "ids", "columns"):
                take = getattr(version, name)
                take(rows[0])
                row = timed(
                    f"{name} of {size} random rows", lambda take=take, rows=rows: [take(r) for r in rows]
                )
                yield row | {"seconds": row["seconds"] / 50}

    def label(self, _: Store, catalog: Catalog) -> Iterator[dict[str, Any]]:
        import pyarrow as pa

        keys = [f"train/{i % 1000:03}/{i:09}.jpg" for i in range(self.samples)]
        for revision in (1, 2):
            table = pa.table(
                {
                    "key": keys,
                    "quality": np.random.default_rng(revision).random(self.samples),
                    "breed": [f"breed-{(i + revision) % 120}" for i in range(self.samples)],
                }
            )
            result: list[Any] = []
            row = timed(
                f"label revision {revision}, two columns",
                lambda t=table, r=result: r.append(catalog.dataset("bench").label(t)),
            )
            yield row | {"bytes": result[0].bytes_written}

    def views(self, _: Store, catalog: Catalog) -> Iterator[dict[str, Any]]:
        version = catalog.dataset("bench").latest
        drawn = self.samples // 2000
        yield timed(
            "where + sample, first", lambda: version.where("label = 'class-007'").sample(drawn, seed=1)
        )
        yield timed("where + sample", lambda: version.where("quality > 0.5").sample(drawn, seed=1))
        yield timed("split", lambda: version.split("train"))
        train = version.split("train")
        yield timed("where in a split", lambda: train.where("quality > 0.5 AND label LIKE 'class-1%'"))
        yield timed("split by group", lambda: self._by_group(version))
        yield timed("sort", lambda: version.sort("quality"))
        yield timed("digest of a split", lambda: train.digest)
        yield timed(
            "sql group by", lambda: catalog.sql("SELECT label, avg(quality) FROM bench GROUP BY label")
        )

    @staticmethod
    def _by_group(version: Any) -> None:
        from maruhub.catalog.split import group_hashes

        group_hashes(version.table(["breed"]).column(0), version.root_hash(), 7)

    def diff(self, _: Store, catalog: Catalog) -> Iterator[dict[str, Any]]:
        yield timed("diff of two versions", lambda: catalog.dataset("bench").diff("v1", "latest"))

    def nothing(self, _: Store, __: Catalog) -> Iterator[dict[str, Any]]:
        import duckdb
        import pyarrow as pa

        yield {"what": f"The libraries: pyarrow {pa.__version__}, duckdb {duckdb.__version__}."}

    def workers(self, _: Store, catalog: Catalog) -> Iterator[dict[str, Any]]:
        version = catalog.dataset("bench").latest
        version.blobs([0])
        row = timed("16 forked readers, 80 x 1024 each", lambda: fork_readers(version, self.samples))
        yield row


STEPS = ("nothing", "commit", "unchanged", "opening", "gather", "workers", "label", "views", "growth", "diff")

_PROCESSES = {
    "commit": "first commit",
    "unchanged": "commit, nothing new",
    "opening": "open, first addresses",
    "gather": "random rows",
    "workers": "parent of the forked readers",
    "label": "two label revisions, their input too",
    "views": "filter, draw, split, sort, SQL",
    "growth": "commit, 1 % new, and making it",
    "diff": "diff of two versions",
}


def timed(what: str, act: Callable[[], Any]) -> dict[str, Any]:
    """Seconds of one call."""
    begin = time.perf_counter()
    act()
    return {"what": what, "seconds": time.perf_counter() - begin}


def fork_readers(version: Any, samples: int) -> None:
    """Sixteen children gather random rows and say what memory of their own that took."""
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()

    def work(seed: int) -> None:
        rows = np.random.default_rng(seed)
        for _ in range(80):
            wanted = rows.integers(0, samples, 1024)
            version.blobs(wanted)
            version.ids(wanted)
        private = Path("/proc/self/smaps_rollup").read_text().split("Private_Dirty:")[1].split()[0]
        queue.put(int(private))

    children = [context.Process(target=work, args=(seed,)) for seed in range(16)]
    for child in children:
        child.start()
    figures = [queue.get() for _ in children]
    for child in children:
        child.join()
    print(
        json.dumps({"what": f"Each of 16 forked readers: {max(figures) / 1024:.0f} MiB of its own at most."}),
        flush=True,
    )


def fragment_bytes(store: Store) -> int:
    """Bytes of all fragments."""
    from maruhub.catalog.row import FragmentRow
    from maruhub.store.protocol import scan_all

    return sum(FragmentRow.decode(row).size_bytes for row in scan_all(store, b"F", b"G"))


def run_step(hub: Path, name: str, samples: int) -> None:
    """One step in this process: a line of JSON a figure."""
    memory = Memory()
    pool = compose.open_pool(hub)
    catalog = Catalog(Namespace(pool.store, "bench"))
    for row in getattr(Steps(samples), name)(pool.store, catalog):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(json.dumps(row | {"peak_mib": peak, "private_mib": memory.private}), flush=True)
    pool.close()


def measure(bench: Bench) -> None:
    """Fills a hub, then runs every step in a process of its own."""
    samples = bench.pick(1_000_000, 2_000)
    hub = bench.scratch / "hub"
    step(hub, "fill", samples)
    rows = [
        json.loads(line) | {"step": name} for name in STEPS for line in step(hub, name, samples).splitlines()
    ]
    _groups(bench, rows, samples)
    for row in rows:
        if "seconds" not in row and "bytes" not in row:
            bench.note(row["what"] + _memory(row))
    bench.note(
        "Private memory is the highest of the step's process; mapped files are shared by all processes."
    )
    bench.note("A label revision's columns are a random float and one of 120 words, for every sample.")


def _groups(bench: Bench, rows: list[dict[str, Any]], samples: int) -> None:
    """Figures of like size together, or small ones would not be seen beside large."""
    clocked = [row for row in rows if "seconds" in row]
    gathered = [row for row in clocked if row["step"] == "gather"]
    steps = [row for row in clocked if row["step"] != "gather"]
    long = [row for row in steps if row["seconds"] >= 1]
    short = [row for row in steps if row["seconds"] < 1]
    written = [row for row in rows if "bytes" in row]
    for title, unit, chosen, value in (
        ("Steps of a second or more", "s", long, lambda row: row["seconds"]),
        ("Steps of less than a second", "ms", short, _milliseconds),
        ("Random rows of an open version", "ms", gathered, _milliseconds),
        ("Written", "MB", written, lambda row: row["bytes"] / 1e6),
    ):
        if chosen:
            sides = {f"hub: {row['what']}": [value(row)] for row in chosen}
            bench.group(f"{title}, {samples:,} samples", unit, sides, "lower")
    peaks: dict[str, list[float]] = {}
    for row in clocked:
        side = f"hub: {_PROCESSES[row['step']]}"
        peaks[side] = [max(row["private_mib"], *peaks.get(side, [0]))]
    bench.group(f"Peak of private memory, {samples:,} samples", "MiB", peaks, "lower")


def _memory(row: dict[str, Any]) -> str:
    return f" Opening a hub with them takes {row['private_mib']} MiB." if "private_mib" in row else ""


def _milliseconds(row: dict[str, Any]) -> float:
    return 1e3 * float(row["seconds"])


def main() -> None:
    """One step, in this process."""
    parser = argparse.ArgumentParser(description="One step of the catalog's benchmark.")
    parser.add_argument("--samples", type=int, required=True)
    parser.add_argument("--step", required=True)
    parser.add_argument("--hub", type=Path, required=True)
    options = parser.parse_args()
    if options.step == "fill":
        # In a process of its own too: a child would inherit its parent's peak memory.
        pool = compose.create_pool(options.hub, n=1)
        fill(pool.store, options.samples)
        pool.close()
    else:
        run_step(options.hub, options.step, options.samples)


def step(hub: Path, name: str, samples: int) -> str:
    """Runs one step in a new process; what it printed."""
    words = ["--step", name, "--hub", str(hub), "--samples", str(samples)]
    command = [sys.executable, "-m", "benchmarks.catalog", *words]
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True, cwd=ROOT).stdout


if __name__ == "__main__":
    main()
