"""Ingest of a folder beside ``cp -r`` and ``sync`` of the same folder.

The source is warm in memory for both. Both end durable: ingest acknowledges only what is
synced, and the copy is followed by a sync of its file system, which also runs untimed
before each lap, so that nobody pays for the one before. Hub and copy are on one drive.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from benchmarks.harness import Bench, in_turns, rate
from benchmarks.samples import Samples, fifty_kb, mixed, write_files
from maruhub import compose
from maruhub.ingest import IngestOptions, Report, ingest
from maruhub.namespace import Namespace

TITLE = "Ingest"
PROFILE = """
Reading and summing (MD5 above all, 120 µs of 50 KB) fill both cores; writing goes on meanwhile. `cp`
sums nothing. With larger files it is the sums alone: 0.4 GB/s a core for MD5.
"""
COPY = "plain files: cp -r, sync"
ONE_BLADE, THREE = "hub, one blade: ingest", "hub, three copies on this drive: ingest"
AGAIN = "hub, one blade: ingest again, nothing new"


def measure(bench: Bench) -> None:
    loads = ((fifty_kb(bench.pick(20_000, 200)), 0.5), (mixed(bench.pick(1_000, 40)), None))
    for samples, at_least in loads:
        _measure(bench, samples, at_least)
    bench.note(
        "The hub sums every file with MD5, SHA-256 and xxh3 and takes labels from the folders' names; "
        "an ingest again looks at every file's size and time, and reads none of them."
    )


def _measure(bench: Bench, samples: Samples, at_least: float | None) -> None:
    source = bench.scratch / "source"
    write_files(source, samples)
    desk = _Desk(bench.scratch, source, samples)
    sides: dict[str, Callable[[], float]] = {
        ONE_BLADE: lambda: desk.land(1),
        COPY: desk.copy,
        THREE: lambda: desk.land(3),
    }
    found = in_turns(sides, bench.pick(3, 1), before=desk.settle)
    group = bench.group(f"Ingest of {len(samples):,} files of {samples.title}", "files/s", found)
    bench.compare(group, ONE_BLADE, COPY, at_least=at_least)
    bench.compare(group, THREE, COPY)
    again = in_turns({AGAIN: desk.land_again}, 1)
    bench.group(f"Ingest of the same {len(samples):,} files again", "files/s", again)
    size = samples.size_bytes / 1e6
    bench.note(f"{samples.title}: {len(samples):,} files, {size:,.0f} MB.")
    shutil.rmtree(source)


class _Desk:
    """Takes one folder in, each time into a new place, and clears it away: files a second."""

    def __init__(self, folder: Path, source: Path, samples: Samples) -> None:
        self._hub = folder / "hub"
        self._copy = folder / "copy"
        self._source = source
        self._count = len(samples)

    def settle(self) -> None:
        """What the lap before left unwritten is not the next one's to pay."""
        for folder in (self._hub, self._copy):
            if folder.exists():
                shutil.rmtree(folder)
        subprocess.run(["sync", "-f", self._source], check=True)

    def copy(self) -> float:
        return rate(self._count, self._copy_and_sync)

    def _copy_and_sync(self) -> None:
        subprocess.run(["cp", "-r", self._source, self._copy], check=True)
        subprocess.run(["sync", "-f", self._copy], check=True)

    def land(self, blades: int) -> float:
        pool = compose.create_pool(self._hub, n=blades)
        report = self._ingest(pool)
        pool.close()
        assert report.stored == self._count, report
        return self._count / report.seconds

    def land_again(self) -> float:
        self.settle()
        pool = compose.create_pool(self._hub, n=1)
        self._ingest(pool)
        report = self._ingest(pool)
        pool.close()
        self.settle()
        assert report.stored == report.bytes_read == 0, report
        return self._count / report.seconds

    def _ingest(self, pool: compose.OpenPool) -> Report:
        report = ingest(
            Namespace(pool.store, "bench"), self._source, "bench", options=IngestOptions(labels="folder")
        )
        assert report.complete, report
        assert not report.refused_total, report
        return report
