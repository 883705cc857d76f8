"""What the index does in a second on this machine: look-ups, scans, puts, commits.

Run: ``python benchmarks/index.py [keys]``. One core, rows of 200 bytes, the page cache warm.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from maruhub.index.lmdb_index import LmdbIndex

ROUND_SECONDS = 0.5
ROUNDS = 3


def per_second(act: Callable[[], int]) -> float:
    """Units a second of the best of a few rounds; ``act`` returns the units it did."""
    best = 0.0
    for _ in range(ROUNDS):
        done, begun = 0, time.perf_counter()
        while (taken := time.perf_counter() - begun) < ROUND_SECONDS:
            done += act()
        best = max(best, done / taken)
    return best


def report(name: str, rate: float, unit: str) -> None:
    print(f"{name:<44}{rate:>14,.0f} {unit}/s")


def look_ups(index: LmdbIndex, keys: list[bytes]) -> None:
    for size in (1, 256, 10_000):
        batches = iter(lambda size=size: random.sample(keys, size), None)
        ready = [next(batches) for _ in range(max(1, 50_000 // size))]

        def act(size: int = size, ready: list[list[bytes]] = ready) -> int:
            for batch in ready:
                index.get_many(batch)
            return size * len(ready)

        report(f"get_many of {size:,}", per_second(act), "keys")


def scans(index: LmdbIndex, keys: list[bytes]) -> None:
    for limit, reverse in ((1, False), (1000, False), (1000, True), (len(keys), False)):
        name = f"scan of {limit:,}{' in reverse' if reverse else ''}"
        stop = keys[-1] + b"\0"
        rate = per_second(lambda n=limit, r=reverse, s=stop: len(index.scan(keys[0], s, n, reverse=r)))
        report(name, rate, "items")


def puts(index: LmdbIndex, keys: list[bytes]) -> None:
    for size in (1, 256, 10_000):

        def act(size: int = size) -> int:
            with index.write() as txn:
                txn.put_many([(key, bytes(200)) for key in random.sample(keys, size)])
            return size

        report(f"put_many of {size:,} and commit", per_second(act), "keys")


def main(count: int) -> None:
    short = [b"Kbucket/photos/2026/%012d.jpg" % (number * 7919) for number in range(count)]
    long = [b"Kbucket/" + b"p" * 1000 + b"/%012d.jpg" % number for number in range(count // 10)]
    with tempfile.TemporaryDirectory() as folder:
        for name, keys in (("short keys", short), ("keys of 1,024 bytes", long)):
            index = LmdbIndex(Path(folder) / name)
            begun = time.perf_counter()
            with index.write() as txn:
                txn.put_many([(key, bytes(200)) for key in keys])
            print(f"-- {name}: {len(keys):,}")
            report("first fill in one commit", len(keys) / (time.perf_counter() - begun), "keys")
            look_ups(index, keys)
            scans(index, keys)
            puts(index, keys)
            index.close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 300_000)
