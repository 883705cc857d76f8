"""What the index alone does: look-ups, scans, puts and commits of rows of 200 bytes, one thread."""

from __future__ import annotations

import random
from collections.abc import Callable

from benchmarks.harness import Bench, in_turns, rate
from maruhub.index.lmdb_index import LmdbIndex

TITLE = "The index"
_PAGE = 1000


def measure(bench: Bench) -> None:
    count = bench.pick(300_000, 2_000)
    short = [b"Kbucket/photos/2026/%012d.jpg" % (number * 7919) for number in range(count)]
    long = [b"Kbucket/" + b"p" * 1000 + b"/%012d.jpg" % number for number in range(count // 10)]
    for name, keys in (("short keys", short), ("keys of 1,024 bytes", long)):
        index = LmdbIndex(bench.scratch / name.replace(" ", "-"))
        _fill(index, keys)
        sides = _reads(index, keys, bench.pick(50_000, 1_000))
        found = in_turns(sides, bench.pick(5, 1), warm_up=True)
        bench.group(f"Reads, {len(keys):,} {name}", "rows/s", found)
        sides = _puts(index, keys, bench.pick(20_000, 500))
        bench.group(f"Puts and commits, {len(keys):,} {name}", "rows/s", in_turns(sides, bench.pick(5, 1)))
        index.close()


def _fill(index: LmdbIndex, keys: list[bytes]) -> None:
    with index.write() as txn:
        txn.put_many([(key, bytes(200)) for key in keys])


def _reads(index: LmdbIndex, keys: list[bytes], count: int) -> dict[str, Callable[[], float]]:
    sides: dict[str, Callable[[], float]] = {}
    for size in (1, 256, 10_000):
        take = min(size, count, len(keys))
        batches = [random.sample(keys, take) for _ in range(max(1, count // take))]
        sides[f"hub: get_many of {size:,}"] = lambda batches=batches: rate(
            sum(map(len, batches)), lambda: [index.get_many(batch) for batch in batches]
        )
    stop = keys[-1] + b"\0"
    pages = min(_PAGE, len(keys))
    sides[f"hub: scan of {_PAGE:,}"] = lambda: rate(
        50 * pages, lambda: [index.scan(keys[0], stop, pages) for _ in range(50)]
    )
    sides["hub: scan of all"] = lambda: rate(len(keys), lambda: index.scan(keys[0], stop, len(keys)))
    return sides


def _puts(index: LmdbIndex, keys: list[bytes], count: int) -> dict[str, Callable[[], float]]:
    def put(size: int, turns: int) -> None:
        for _ in range(turns):
            _fill(index, random.sample(keys, size))

    sides: dict[str, Callable[[], float]] = {}
    for size in (1, 256, 10_000):
        take = min(size, count, len(keys))
        turns = max(1, min(count // take, 500))
        sides[f"hub: put_many of {size:,} and commit"] = lambda take=take, turns=turns: rate(
            take * turns, lambda: put(take, turns)
        )
    return sides
