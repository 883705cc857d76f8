"""A rebuild after the loss of two of six blades, while others read, and as a share of the drive.

`maru care --once` works in a process of its own, and waits for others as it always does.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.drive import drop_caches
from benchmarks.harness import Bench, in_turns, seconds
from benchmarks.protection import away, choose_pair
from benchmarks.samples import BUCKET, ROOT, Samples, fifty_kb, fill_hub, segment_files
from benchmarks.space import make
from benchmarks.warm_reads import check
from maruhub import compose
from maruhub.api.door import connect
from maruhub.api.hub import Hub
from maruhub.care.plan import Kind

TITLE = "Rebuilding, two of six blades lost"
PROFILE = """
Care pauses as long as it worked behind every window of a strip (4 MiB) while another process reads:
half of the time it works, and readers share two cores and the memory with it then. What it takes from
them is seen in the ninety-ninth of a hundred reads. A rebuild reads and verifies every object once, decodes
a third of them, codes and sums the new strips and writes them: on four blades twice the bytes stored.
"""
BATCH = 64
ALONE, BESIDE = "hub: reads alone", "hub: reads beside the rebuild"
FULL, WAITING = "hub: rebuild alone", "hub: rebuild beside the reads"
REBUILD, DRIVE = "hub: rebuild", "drive: as many bytes read, then written and synced"


def measure(bench: Bench) -> None:
    _beside_reads(bench)
    _share(bench)


# ---------------------------------------------------------------- beside reads


def _beside_reads(bench: Bench) -> None:
    folder = bench.scratch / "beside"
    samples = fifty_kb(bench.pick(32_000, 1200))
    numbers = fill(folder, samples, segment_bytes=bench.pick(compose.SEGMENT_BYTES, 8 << 20))
    rounds: list[dict[str, Lap]] = []
    with away(folder, numbers), connect(folder) as hub, Reads(hub, samples) as reads, Care(folder) as care:
        while len(rounds) < bench.pick(7, 1) and (found := _round(bench, reads, care)):
            rounds.append(found)
    if not rounds:
        bench.note("The rebuild was over before a round was.")
        return
    group = bench.group(
        "Random reads of 64 objects of 50 KB",
        "objects/s",
        {ALONE: [one[ALONE].objects_s for one in rounds], BESIDE: [one[BESIDE].objects_s for one in rounds]},
    )
    bench.compare(group, BESIDE, ALONE, at_least=0.7)
    group = bench.group(
        "Rebuild",
        "MB/s written",
        {
            FULL: [one[FULL].written_mb_s for one in rounds],
            WAITING: [one[BESIDE].written_mb_s for one in rounds],
        },
    )
    bench.compare(group, WAITING, FULL, at_least=0.3)
    _times(bench, rounds)


def _times(bench: Bench, rounds: Sequence[dict[str, Lap]]) -> None:
    sides = {
        f"{name}, {words}": [float(np.percentile(one[name].waits_ms, share)) for one in rounds]
        for name in (ALONE, BESIDE)
        for words, share in (("half", 50), ("99 of 100", 99))
    }
    bench.group("Until 64 objects are there", "ms", sides, better="lower")


def _round(bench: Bench, reads: Reads, care: Care) -> dict[str, Lap] | None:
    """Reads alone, both, the rebuild alone; None if the rebuild ended meanwhile."""
    care.rest()
    found = {ALONE: reads.lap(bench.pick(0.8, 0.1), care)}
    care.go()
    time.sleep(bench.pick(0.3, 0.0))
    found[BESIDE] = reads.lap(bench.pick(2.4, 0.1), care)
    reads.rest()
    time.sleep(bench.pick(0.4, 0.05))
    found[FULL] = care.lap(bench.pick(0.8, 0.1))
    return None if care.is_over() else found


def fill(folder: Path, samples: Samples, *, segment_bytes: int) -> tuple[int, ...]:
    """A sealed hub; the numbers of two blades that hold about a third of it."""
    with make(folder, segment_bytes=segment_bytes) as hub:
        fill_hub(hub.namespace, samples)
        hub.care.once()
        return choose_pair(hub, samples)[0]


class Lap:
    """What happened in a lap: reads and how long each took, and what care wrote."""

    def __init__(self, took_s: float, waits_s: Sequence[float], written: int) -> None:
        self.objects_s = BATCH * len(waits_s) / took_s
        self.waits_ms = [1e3 * one for one in waits_s] or [0.0]
        self.written_mb_s = max(1, written) / 1e6 / took_s


class Reads:
    """A thread that reads random objects of the hub, verified, as long as it is wanted."""

    def __init__(self, hub: Hub, samples: Samples, *, warm: bool = True) -> None:
        self._laps = len(samples) // BATCH if warm else 0
        self.waits: list[tuple[float, float]] = []
        self._objects = hub.namespace.objects
        self._samples = samples
        self._wanted = threading.Event()
        self._over = False
        self._thread = threading.Thread(target=self._work)

    def __enter__(self) -> Reads:
        for _ in range(self._laps):
            self._read(random)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        self._wanted.set()
        self._thread.join()

    def go(self) -> None:
        self._wanted.set()

    def rest(self) -> None:
        self._wanted.clear()

    def lap(self, length_s: float, care: Care) -> Lap:
        """Reads for so long."""
        self.go()
        first, begun, written = len(self.waits), time.perf_counter(), care.written_bytes()
        time.sleep(length_s)
        waits = [took for _, took in self.waits[first:]]
        return Lap(time.perf_counter() - begun, waits, care.written_bytes() - written)

    def _work(self) -> None:
        draw = random.Random(5)
        while self._wanted.wait() and not self._over:
            begun = time.perf_counter()
            self._read(draw)
            now = time.perf_counter()
            self.waits.append((now, now - begun))

    def _read(self, draw: Any) -> None:
        keys = [self._samples.key(draw.randrange(len(self._samples))) for _ in range(BATCH)]
        check(self._objects.read_many(BUCKET, keys))


class Care:
    """``maru care --once`` in a process, which can be made to rest."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-m", "maruhub", "care", "--once", "--json", "--hub", str(folder)]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        self._written = 0

    def __enter__(self) -> Care:
        while not self.is_over() and self.written_bytes() < 8 << 20:
            time.sleep(0.02)
        return self

    def __exit__(self, *_: object) -> None:
        self.go()
        self.result()

    def result(self) -> dict[str, Any]:
        """Waits for the end; what was done."""
        told, _ = self._process.communicate()
        if self._process.returncode not in (0, None):
            raise RuntimeError(f"care failed: {told}")
        found: dict[str, Any] = json.loads(told or "{}")
        return found

    def rest(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def go(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def is_over(self) -> bool:
        return self._process.poll() is not None

    def lap(self, length_s: float) -> Lap:
        """Lets it work for so long."""
        begun, written = time.perf_counter(), self.written_bytes()
        time.sleep(length_s)
        return Lap(time.perf_counter() - begun, (), self.written_bytes() - written)

    def written_bytes(self) -> int:
        """Bytes that it has handed to the kernel for drives so far."""
        with contextlib.suppress(OSError, StopIteration):
            lines = Path(f"/proc/{self._process.pid}/io").read_text().splitlines()
            self._written = next(int(line.split()[1]) for line in lines if line.startswith("write_bytes"))
        return self._written


# ---------------------------------------------------------------- a share of the drive


def _share(bench: Bench) -> None:
    """Nobody reads, and what is to be read is on the drive alone."""
    folder = bench.scratch / "share"
    samples = fifty_kb(bench.pick(10_000, 300))
    numbers = fill(folder, samples, segment_bytes=bench.pick(compose.SEGMENT_BYTES, 4 << 20))
    calls = {
        REBUILD: lambda: _rebuild(folder, numbers),
        DRIVE: lambda: _drive(bench.scratch / "drive", samples.size_bytes),
    }
    group = bench.group("Read from and written to the drive", "MB/s", in_turns(calls, bench.pick(3, 1)))
    bench.compare(group, REBUILD, DRIVE)
    bench.note(f"Share of the drive: {samples.size_bytes / 1e6:,.0f} MB stored, read cold, on four blades")
    bench.notes[-1] += (
        " written as 2 + 2; beside it one plain file of that size read and one of twice it written."
    )


def _rebuild(folder: Path, numbers: Sequence[int]) -> float:
    """Back to full protection on four blades; then the lost ones come back, and all is as it was."""
    with away(folder, numbers):
        drop_caches(segment_files(folder))
        with connect(folder) as hub:
            report = hub.care.once({Kind.REPAIR})
    with connect(folder) as hub:
        hub.care.once()
    return (report.read_bytes + report.written_bytes) / 1e6 / report.seconds


def _drive(path: Path, size: int) -> float:
    """Reads a cold file and writes one of twice its size, one after the other."""
    block = memoryview(np.random.default_rng(1).bytes(8 << 20))
    try:
        _write(path, block, size)
        drop_caches([path])
        spent = seconds(lambda: _read(path)) + seconds(lambda: _write(path, block, 2 * size))
        return 3 * size / 1e6 / spent
    finally:
        path.unlink(missing_ok=True)


def _write(path: Path, block: memoryview, size: int) -> None:
    with path.open("wb", buffering=0) as file:
        for at in range(0, size, len(block)):
            file.write(block[: size - at])
        os.fdatasync(file.fileno())


def _read(path: Path) -> None:
    buffer = bytearray(8 << 20)
    with path.open("rb", buffering=0) as file:
        while file.readinto(buffer):
            pass
