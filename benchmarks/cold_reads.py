"""Random reads from the drive: the loader beside fio on the same files, and plain files.

All caches are dropped before each lap. fio reads the hub's segment files past the page
cache (direct=1) by io_uring at depth 32, random places, the samples' sizes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.drive import drop_caches, fio_random_reads, has_fio, read_from_drive
from benchmarks.harness import Bench, in_turns, rate
from benchmarks.samples import (
    BUCKET,
    Samples,
    fifty,
    fill_hub,
    make_hub,
    mixed,
    read_file,
    segment_files,
    write_files,
)
from maruhub.catalog import Catalog, View
from maruhub.compose import OpenPool
from maruhub.loaders import Batches

TITLE = "Cold random reads"
PROFILE = """
One thread announces extents (`posix_fadvise`, 15–25 µs for 50 KiB that are not in memory: the kernel
takes pages and queues the read), then waits for and sums them; up to 512 are on their way, and each piece
goes to the drive sorted by place. Of 50 KiB thirteen whole pages are read, a twenty-fifth too much.
"""
LOADER, FIO = "loader: random batches of 64, verified", "fio: direct, io_uring, depth 32"
ONE, SIXTEEN = "plain files: one thread", "plain files: 16 threads"
BATCH = 64
_MIB = 1 << 20


def measure(bench: Bench) -> None:
    total = bench.pick(2200, 24) * _MIB
    for samples in (fifty(total // (50 * 1024)), mixed(total // 580_000)):
        _measure(bench, samples)
    bench.note("MB/s are those of the samples' own bytes; 1 MB is 10^6 bytes. Client on the same machine.")
    bench.note(
        "Before each lap: the files' pages by fadvise, then the kernel's page, inode and entry caches (root)."
    )
    if not has_fio():
        bench.note("fio is not installed: there is nothing to compare the loader with.")


def _measure(bench: Bench, samples: Samples) -> None:
    folder = bench.scratch / samples.title.replace(" ", "")
    pool, ns = make_hub(folder / "hub")
    fill_hub(ns, samples)
    view = Catalog(ns).dataset("bench").commit(f"{BUCKET}/")
    paths = write_files(folder / "files", samples)
    files = segment_files(folder / "hub")
    lap = _Laps(pool, view, samples)
    sides: dict[str, Callable[[], float]] = {LOADER: lap.loader}
    if has_fio():
        block = samples.fio_block()
        sides[FIO] = lambda: fio_random_reads(files, samples.size_bytes, block=block)["mb_s"]
    sides |= {ONE: lambda: lap.files(paths, 1), SIXTEEN: lambda: lap.files(paths, 16)}
    group = bench.group(
        f"Cold random reads, {samples.title}",
        "MB/s",
        in_turns(sides, bench.pick(3, 1), before=lambda: lap.forget([*files, *paths])),
    )
    if has_fio():
        bench.compare(group, LOADER, FIO, at_least=0.9)
    for peer in (ONE, SIXTEEN):
        bench.compare(group, LOADER, peer)
    share = min(lap.from_drive)
    bench.note(
        f"{samples.title}: {len(samples):,} samples, {samples.size_bytes / 1e9:.2f} GB; the loader's laps had "
        f"at least {share:.0%} of these bytes read from the drive by this process."
    )
    pool.close()


class _Laps:
    """One lap over all samples for each side: MB/s."""

    def __init__(self, pool: OpenPool, view: View, samples: Samples) -> None:
        self._pool = pool
        self._view = view
        self._samples = samples
        self._seed = 0
        self.from_drive: list[float] = []

    def loader(self) -> float:
        self._seed += 1
        before = read_from_drive()
        result = rate(self._samples.size_bytes / 1e6, self._epoch)
        self.from_drive.append((read_from_drive() - before) / self._samples.size_bytes)
        return result

    def _epoch(self) -> None:
        got = 0
        batches = Batches(self._view, self._pool.store, BATCH, seed=self._seed)
        for batch in batches:
            got += sum(map(len, batch.blobs))
        batches.close()
        assert got == self._samples.size_bytes

    def files(self, paths: list[Path], threads: int) -> float:
        names = iter([str(paths[i]) for i in self._samples.shuffled(self._seed)])
        return rate(self._samples.size_bytes / 1e6, lambda: read_all(names, threads))

    def forget(self, files: list[Path]) -> None:
        """Mapped pages stay in memory whatever one tells the kernel: let go of them first."""
        extents = self._view.blobs(self._all_rows()).extents
        self._pool.store.drop_from_memory(extents)
        drop_caches(files)

    def _all_rows(self):  # noqa: ANN202 - numpy's own
        import numpy as np

        return np.arange(len(self._view), dtype=np.uint64)


def read_all(names: Iterator[str], threads: int) -> None:
    """Reads files in their order by this many threads."""
    lock = threading.Lock()

    def work() -> None:
        while True:
            with lock:
                name = next(names, None)
            if name is None:
                return
            read_file(name)

    crew = [threading.Thread(target=work) for _ in range(threads)]
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join()
