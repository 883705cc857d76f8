"""A page of 1,000 keys from buckets of very different sizes: its time must not follow the size."""

from __future__ import annotations

import random
import statistics

from benchmarks.bulk import put_rows
from benchmarks.harness import Bench, in_turns, seconds
from benchmarks.samples import make_hub
from maruhub.namespace import Namespace

TITLE = "A page of 1,000 keys"
PROFILE = """
A page of keys is one scan in the index; nearly all of its time is making 1,000 objects of Python.
With a delimiter each folder is one more seek, however much is in it; a bucket of 1,000 has one key a folder,
which a plain scan finds sooner.
"""
PAGE = 1000
FOLDERS = 1000


def measure(bench: Bench) -> None:
    pool, ns = make_hub(bench.scratch / "hub")
    sizes = bench.pick((1_000, 100_000, 1_000_000), (1_000, 2_000, 5_000))
    for size in sizes:
        put_rows(ns, f"bucket-{size}", [_key(i, size) for i in range(size)])
    pages = in_turns(
        {_name(size): lambda size=size: _page(ns, size) for size in sizes}, bench.pick(60, 5), warm_up=True
    )
    folders = in_turns(
        {_name(size): lambda size=size: _folders(ns, size) for size in sizes}, bench.pick(20, 3), warm_up=True
    )
    group = bench.group("A page of 1,000 keys from a random place", "ms", pages, "lower")
    bench.compare(group, _name(sizes[-1]), _name(sizes[0]), at_least=0.8)
    bench.group("A page of 1,000 folders (delimiter /)", "ms", folders, "lower")
    lines = {
        "1,000 keys": _line(sizes, pages),
        "1,000 folders (delimiter /)": _line(sizes, folders),
    }
    bench.curve("Time of a page by the bucket's size", "objects in the bucket", "ms", lines, log_x=True)
    bench.note("Rows were put in bulk and share one extent: listing reads no object's bytes.")
    bench.note("A bucket of 1,000 has one page, which is read from its start.")
    pool.close()


def _name(size: int) -> str:
    return f"hub: bucket of {size:,}"


def _key(i: int, size: int) -> str:
    """A thousand folders, evenly filled."""
    return f"{i * FOLDERS // size:04}/{i:09}.jpg"


def _page(ns: Namespace, size: int) -> float:
    """Milliseconds."""
    first = random.randrange(size - PAGE + 1)
    after = _key(first - 1, size) if first else ""
    taken = []
    took = seconds(lambda: taken.append(ns.listing.page(f"bucket-{size}", start_after=after, limit=PAGE)))
    assert len(taken[0].objects) == PAGE
    return 1e3 * took


def _folders(ns: Namespace, size: int) -> float:
    taken = []
    took = seconds(lambda: taken.append(ns.listing.page(f"bucket-{size}", delimiter="/", limit=FOLDERS)))
    assert len(taken[0].prefixes) == FOLDERS
    return 1e3 * took


def _line(sizes: tuple[int, ...], found: dict[str, list[float]]) -> list[tuple[float, float]]:
    return [(float(size), statistics.median(found[_name(size)])) for size in sizes]
