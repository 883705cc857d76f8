"""Reads from memory, one thread: batches of 256 keys beside open + read + close."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.harness import Bench, in_turns, rate
from benchmarks.samples import BUCKET, Samples, fifty, fill_hub, make_hub, mixed, read_file, write_files
from maruhub.errors import MaruError
from maruhub.namespace import Namespace
from maruhub.store.format.extent import Blobs

TITLE = "Warm reads, one thread"
PROFILE = """
One object of 50 KiB by key, verified, about 5.5 µs: 3–4 in xxh3 over its bytes (at 15 GB/s, what one core
gets from memory; 61 GB/s if they were in its cache). A view without verification leaves that out: 0.5–1 in
LMDB, 0.6–0.9 in the kernel's check that its thirteen pages are mapped (one `process_madvise` a batch;
without it a bad sector would kill the process instead of being an error), 0.15 in cutting views, 0.15 in
layouts, 0.15 in keys, 0.15 in asking whether the batch is warm and which files it needs, 0.1 in finding the
extents of all rows; rows become no Python objects. The check is that cheap where the kernel holds a file in huge pages,
as it does after writing it; after reading it from the drive it holds pages of 4 KiB, and the check takes
1.9 µs for 50 KiB, 20 µs for the mixed sizes. Objects of mixed sizes are read at the speed of memory: xxh3
gets 20–25 GB/s of it, and a file's copy half of that.
"""
BATCH = 256
FILES, OPEN = "plain files: os.open, fstat, read, close", "plain files: open(), read()"
VERIFIED, VIEWS = "hub: read_many by key, verified", "hub: read_many by key, views"
ADDRESSED = "hub: store.read_many by address, verified"


def measure(bench: Bench) -> None:
    for samples in (fifty(bench.pick(10_000, 300)), mixed(bench.pick(1_200, 60))):
        _measure(bench, samples)
    bench.note("Client on the same machine. All in the page cache; the same random order on every side.")
    bench.note("Verified: every returned byte is summed in that very call. A view is not copied into Python.")


def _measure(bench: Bench, samples: Samples) -> None:
    folder = bench.scratch / samples.title.replace(" ", "")
    paths = [str(path) for path in write_files(folder / "files", samples)]
    pool, ns = make_hub(folder / "hub")
    fill_hub(ns, samples)
    sides = _sides(ns, samples, paths)
    found = in_turns(sides, bench.pick(7, 2), warm_up=True)
    group = bench.group(f"Warm reads, {samples.title}", "objects/s", found)
    fifty_only = samples.title == "50 KiB"
    bench.compare(group, VERIFIED, FILES, at_least=1.5)
    bench.compare(group, VIEWS, FILES, at_least=5)
    if fifty_only:
        bench.compare(group, VERIFIED, OPEN)
        bench.compare(group, VIEWS, OPEN)
    pool.close()


def _sides(ns: Namespace, samples: Samples, paths: list[str]) -> dict[str, Callable[[], float]]:
    order = samples.shuffled(7)
    keys = [samples.key(i) for i in order]
    names = [paths[i] for i in order]
    raws = [info.extents_raw for info in ns.objects.head_many(BUCKET, keys) if info]
    batches = [keys[at : at + BATCH] for at in range(0, len(keys), BATCH)]
    blobs = [Blobs.of_raw(raws[at : at + BATCH]) for at in range(0, len(raws), BATCH)]

    def by_key(*, verify: bool) -> None:
        for batch in batches:
            check(ns.objects.read_many(BUCKET, batch, verify=verify))

    def by_address() -> None:
        for batch in blobs:
            check(ns.store.read_many(batch))

    def descriptors() -> None:
        for name in names:
            read_file(name)

    def opens() -> None:
        for name in names:
            with open(name, "rb") as file:
                file.read()

    count = len(samples)
    return {
        VERIFIED: lambda: rate(count, lambda: by_key(verify=True)),
        FILES: lambda: rate(count, descriptors),
        VIEWS: lambda: rate(count, lambda: by_key(verify=False)),
        OPEN: lambda: rate(count, opens),
        ADDRESSED: lambda: rate(count, by_address),
    }


def check(results: list[memoryview | MaruError]) -> None:
    """Nobody measures errors, nor much of the asking whether there is one."""
    if set(map(type, results)) - {memoryview}:
        raise next(result for result in results if isinstance(result, MaruError))
