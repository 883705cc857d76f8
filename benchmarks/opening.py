"""Opening a hub of 100,000 objects, first answers of its doors, and making its index anew.

Opening is measured in a running interpreter; commands are whole processes, from start to
end, beside an interpreter that does nothing.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from benchmarks.harness import Bench, in_turns, rate, seconds
from benchmarks.process import Interpreters
from benchmarks.samples import BUCKET, Samples, fill_hub, make_hub, write_files
from maruhub import compose
from maruhub.namespace import Namespace

TITLE = "Opening a hub, and rebuilding its index"
PROFILE = """
`maru ls`: nine tenths are Python's imports (numpy, LMDB, click, and what the Python door needs); opening
the hub takes a millisecond, whatever its size. A rebuild reads each record's checksum, decodes its row and
writes the index in key order; the bytes of objects are not read.
"""
BARE = "an interpreter that does nothing"


def measure(bench: Bench) -> None:
    samples = Samples("1 KB", [1000] * bench.pick(100_000, 500))
    hub = bench.scratch / "hub"
    pool, ns = make_hub(hub)
    fill_hub(ns, samples)
    pool.close()
    _open(bench, hub, samples)
    _commands(bench, hub, samples)
    _rebuild(bench, hub, samples)


def _open(bench: Bench, hub: Path, samples: Samples) -> None:
    def just_open() -> None:
        compose.open_pool(hub).close()

    def open_and_read() -> None:
        pool = compose.open_pool(hub)
        Namespace(pool.store, "bench").objects.read_many(BUCKET, [samples.key(len(samples) // 2)])
        pool.close()

    sides = {
        "hub: open, close": lambda: 1e3 * seconds(just_open),
        "hub: open, read an object, close": lambda: 1e3 * seconds(open_and_read),
    }
    found = in_turns(sides, bench.pick(30, 3), warm_up=True)
    bench.group(f"Opening a hub of {len(samples):,} objects", "ms", found, "lower")


def _commands(bench: Bench, hub: Path, samples: Samples) -> None:
    plain = bench.scratch / "plain"
    write_files(plain, samples)
    folder = f"{len(samples) // 2 // 1000:04}"

    python = Interpreters(bench.scratch, MARU_HUB=str(hub))

    def plain_ls() -> float:
        command = ["ls", "-l", str(plain / folder)]
        return 1e3 * seconds(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL))

    address = f"{BUCKET}/{folder}/"
    sides = {
        BARE: lambda: python.run("-c", "pass"),
        "hub: maru ls": lambda: python.run("-m", "maruhub", "ls"),
        "hub: maru ls of a folder of 1,000": lambda: python.run("-m", "maruhub", "ls", address),
        "hub: maru cat of 1 KB": lambda: python.run("-m", "maruhub", "cat", f"{address}{_middle(samples)}"),
        "plain files: ls -l of a folder of 1,000": plain_ls,
    }
    found = in_turns(sides, bench.pick(15, 2), warm_up=True)
    bench.group("A command, start to end", "ms", found, "lower")


def _middle(samples: Samples) -> str:
    return samples.key(len(samples) // 2 // 1000 * 1000).split("/")[1]


def _rebuild(bench: Bench, hub: Path, samples: Samples) -> None:
    pool = compose.open_pool(hub)
    plain = bench.scratch / "plain"

    def walk() -> None:
        found = sum(len(files) for _, _, files in os.walk(plain))
        assert found == len(samples)
        for folder in plain.iterdir():
            for entry in os.scandir(folder):
                entry.stat()

    sides = {
        "hub: index from the segments alone": lambda: rate(len(samples), pool.rebuild_index),
        "plain files: os.walk, scandir, stat": lambda: rate(len(samples), walk),
    }
    group = bench.group(
        f"Rebuilding the index of {len(samples):,} objects", "objects/s", in_turns(sides, bench.pick(3, 1))
    )
    bench.note(
        f"The index of {len(samples):,} objects of 1 KB is made anew in "
        f"{len(samples) / max(group.sides['hub: index from the segments alone']):.1f} s; segments and files in memory."
    )
    pool.close()
