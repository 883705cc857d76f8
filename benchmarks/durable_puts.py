"""Durable puts beside files made durable, 16 writers on both sides.

When a put returns, its bytes and its name survive a loss of power. A plain file gets
there by write and fsync; that its name does too takes an fsync of its folder, which many
programs leave out: both are shown, and the figure to reach stands against the cheaper.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable
from pathlib import Path

from benchmarks.harness import Bench, in_turns, rate
from benchmarks.samples import BUCKET, Samples, fifty, make_hub, mixed
from maruhub.namespace import Namespace
from maruhub.namespace.put import PutItem

TITLE = "Durable puts"
PROFILE = """
MD5 (the ETag) takes 70 to 120 µs of 50 KiB on a core of this processor, by the day, SHA-256 30 µs, xxh3 1–3 µs. A put takes some 380 µs of processor time beside 15 others (100 in sums, 130 in Python, 150 in the
kernel), an object of `put_many` 155 µs, two thirds of it sums: two cores give at most 5,300 and 12,900 a second,
whatever the drive does, and plain files, which are not summed at all, take 170 µs. A turn of eight or nine puts takes
3–4 ms: half of it is the sync of the log, more than a quarter the sync of the index's own commit, a quarter
Python; the other writers prepare meanwhile. Between turns the next leader waits for a core: a fifth of the time.
Syncs of plain files run side by side instead, and the file system's journal joins them: the quicker a drive
syncs, the less is won by sharing one. Tried, in turns with what is there: an index that leaves its sync out (and is
rebuilt after a power cut) gives 39 % more with one copy, 23 % with three, 58 % to a writer alone. Beside other
work on the machine, nothing that can be told from chance came of fuller turns by waiting for all writers, of writing back at the append, of no more
threads that hash than there are cores (0.95–1.08 ×), of one append at a time (0.98 ×), of allocating the log's
blocks 16 MiB ahead (`put_many` 1.01 ×; 1.14 × where the file's size goes ahead too, which every opener would have
to take for a writer's death).
"""
WRITERS = 16
MANY = 256
FILES, NAMED = "plain files: write, fsync", "plain files: write, fsync, fsync of the folder"
ONE_BLADE, THREE = "hub, one blade: put", "hub, three copies on this drive: put"
PUT_MANY, PUT_MANY_ALONE = (
    f"hub, one blade: put_many of {MANY}",
    f"hub, one blade: put_many of {MANY}, one caller",
)


def measure(bench: Bench) -> None:
    _fifty(bench)
    _alone(bench)
    _mixed(bench)
    bench.note(
        "Client on the same machine; on both sides the writers are threads of one process, each with files "
        "of its own folder. The hub sums every object with MD5, SHA-256 and xxh3; plain files are not summed."
    )


def _fifty(bench: Bench) -> None:
    samples = fifty(bench.pick(3200, 160))
    desk = _Desk(bench.scratch / "fifty", samples)
    found = in_turns(
        {
            ONE_BLADE: lambda: desk.put(1, WRITERS),
            FILES: lambda: desk.files(WRITERS, named=False),
            THREE: lambda: desk.put(3, WRITERS),
            NAMED: lambda: desk.files(WRITERS, named=True),
            PUT_MANY: lambda: desk.put_many(WRITERS, repeat=2),
            PUT_MANY_ALONE: lambda: desk.put_many(1, repeat=16),
        },
        bench.pick(5, 1),
        before=os.sync,
        warm_up=not bench.quick,
    )
    group = bench.group(f"Durable puts of 50 KiB, {WRITERS} writers", "objects/s", found)
    bench.compare(group, ONE_BLADE, FILES, at_least=1.5)
    bench.compare(group, THREE, FILES, at_least=0.8)
    bench.compare(group, PUT_MANY, FILES, at_least=3)
    bench.compare(group, PUT_MANY_ALONE, FILES)
    bench.compare(group, ONE_BLADE, NAMED)
    bench.compare(group, THREE, NAMED)
    desk.close()


def _alone(bench: Bench) -> None:
    desk = _Desk(bench.scratch / "alone", fifty(bench.pick(400, 30)))
    found = in_turns(
        {
            ONE_BLADE: lambda: desk.put(1, 1),
            FILES: lambda: desk.files(1, named=False),
            THREE: lambda: desk.put(3, 1),
            NAMED: lambda: desk.files(1, named=True),
        },
        bench.pick(5, 1),
        before=os.sync,
        warm_up=not bench.quick,
    )
    group = bench.group("Durable puts of 50 KiB, one writer alone", "objects/s", found)
    bench.compare(group, ONE_BLADE, FILES)
    desk.close()


def _mixed(bench: Bench) -> None:
    samples = mixed(bench.pick(400, 32))
    desk = _Desk(bench.scratch / "mixed", samples)
    scale = samples.size_bytes / len(samples) / 1e6
    sides: dict[str, Callable[[], float]] = {
        ONE_BLADE: lambda: scale * desk.put(1, WRITERS),
        FILES: lambda: scale * desk.files(WRITERS, named=False),
        THREE: lambda: scale * desk.put(3, WRITERS),
        NAMED: lambda: scale * desk.files(WRITERS, named=True),
    }
    found = in_turns(sides, bench.pick(3, 1), before=os.sync, warm_up=not bench.quick)
    group = bench.group(f"Durable puts of {samples.title}, {WRITERS} writers", "MB/s", found)
    bench.compare(group, ONE_BLADE, FILES)
    bench.compare(group, THREE, FILES)
    desk.close()


class _Desk:
    """Hubs and folders that take the same samples again and again: objects a second."""

    def __init__(self, folder: Path, samples: Samples) -> None:
        self._folder = folder
        self._samples = samples
        self._laps = itertools.count()
        self._hubs = {blades: make_hub(folder / f"hub-{blades}", blades=blades) for blades in (1, 3)}

    def put(self, blades: int, writers: int) -> float:
        ns = self._hubs[blades][1]
        prefix = f"{next(self._laps)}/"

        def write(i: int) -> None:
            ns.objects.put(BUCKET, prefix + self._samples.key(i), self._samples.data(i))

        return rate(len(self._samples), lambda: share_out(len(self._samples), writers, write))

    def put_many(self, writers: int, *, repeat: int) -> float:
        """Each call puts the next 256 samples, round and round; every writer calls ``repeat`` times."""
        ns: Namespace = self._hubs[1][1]
        prefix = f"{next(self._laps)}/"
        size = len(self._samples)

        def write(call: int) -> None:
            numbers = range(call * MANY, (call + 1) * MANY)
            items = [PutItem(f"{prefix}{i:08}.jpg", self._samples.data(i % size)) for i in numbers]
            ns.objects.put_many(BUCKET, items)

        calls = writers * repeat
        return rate(calls * MANY, lambda: share_out(calls, writers, write))

    def files(self, writers: int, *, named: bool) -> float:
        lap = self._folder / f"files-{next(self._laps)}"
        folders = [lap / f"{number:02}" for number in range(writers)]
        for folder in folders:
            folder.mkdir(parents=True)
        os.sync()

        def write(i: int) -> None:
            folder = folders[i % writers]
            write_durably(folder, f"{i:08}.jpg", self._samples.data(i), named=named)

        return rate(len(self._samples), lambda: share_out(len(self._samples), writers, write))

    def close(self) -> None:
        for pool, _ in self._hubs.values():
            pool.close()


def write_durably(folder: Path, name: str, data: memoryview, *, named: bool) -> None:
    """A file whose bytes, and with ``named`` whose name, are durable when this returns."""
    fd = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    done = os.write(fd, data)
    assert done == len(data)
    os.fsync(fd)
    os.close(fd)
    if named:
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        os.fsync(fd)
        os.close(fd)


def share_out(count: int, writers: int, write: Callable[[int], None]) -> None:
    """Calls ``write`` for each of ``count``, dealt to threads that begin together."""
    failures: list[BaseException] = []

    def work(first: int) -> None:
        try:
            for i in range(first, count, writers):
                write(i)
        except BaseException as failure:  # noqa: BLE001 - a thread's failure is the benchmark's
            failures.append(failure)

    crew = [threading.Thread(target=work, args=(first,)) for first in range(writers)]
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join()
    if failures:
        raise failures[0]
