"""One kind of samples through all sides: packed, warm, cold; each in turns with the others."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from benchmarks.drive import drop_caches, fio_random_reads, has_fio
from benchmarks.harness import Bench, Group, in_turns, spread
from benchmarks.maru_serve import maru_serve
from benchmarks.numbered import Numbered
from benchmarks.peers.crew import Crew
from benchmarks.peers.process import Side
from benchmarks.peers.sides import (
    DOOR,
    FILES,
    FILES_TWO,
    HUB,
    HUB_TWO,
    LMDB,
    LMDB_TWO,
    ONE_PROCESS,
    OWN_STORES,
    SIXTEEN,
    TWO_WORKERS,
    UNCHECKED,
)
from benchmarks.peers.stores import Stores
from benchmarks.samples import segment_files
from benchmarks.shuffling import batch_variance

BATCH = 64
FIO = "fio: direct, io_uring, depth 32"
_COLD = 0.9
KINDS = {"one process": ONE_PROCESS, "two workers": TWO_WORKERS}


def measure_samples(bench: Bench, samples: Numbered, *, thorough: bool) -> None:
    """All sides over these samples; ``thorough`` adds what the size of samples hardly changes.

    A quick run that is not thorough tries one side of each sort.
    """
    few = (HUB, FILES, SIXTEEN, LMDB, HUB_TWO, FILES_TWO, LMDB_TWO)
    sides = few if bench.quick and not thorough else (*ONE_PROCESS, *TWO_WORKERS)
    with Crew(bench, sides) as crew:
        Lane(bench, crew, samples).measure(thorough=thorough)
    bench.note(
        f"{len(samples):,} samples, {samples.size_bytes / 1e6:,.0f} MB, client on the same machine. A DataLoader's "
        "workers live on from epoch to epoch; cold, the clock runs from opening to the last batch, their start "
        "included. The hub sums every byte that it hands out; of the others TFRecord and ArrayRecord have sums."
    )
    if not has_fio():
        bench.note("fio is not installed: there is nothing that says what the drive gives.")


class Lane:
    """One kind of samples through all sides of a crew."""

    def __init__(self, bench: Bench, crew: Crew, samples: Numbered) -> None:
        self._bench = bench
        self._crew = crew
        self._samples = samples
        self._folder = bench.scratch / "stores"
        self._seed = 0
        self._from_drive: dict[str, float] = {}

    def measure(self, *, thorough: bool) -> None:
        """Packs, reads warm, reads cold, and removes everything."""
        rounds = self._bench.pick(5 if thorough else 3, 1)
        stores = Stores(self._folder, self._samples)
        self._report_stores(stores, stores.pack(self._crew), space=thorough)
        with self._served() as door:
            self._crew.each(lambda side: self._open(side, stores, door))
            self._shuffles(report=thorough)
            for kind, sides in KINDS.items():
                self._compare(self._group(f"Warm, {kind}", sides, self._lap, rounds), warm=True)
            self._crew.each(lambda side: self._crew.ask(side, "close"))
        for kind, sides in KINDS.items():
            self._compare(self._cold(f"Cold, {kind}", sides, stores), warm=False)
        shutil.rmtree(self._folder)

    def _report_stores(self, stores: Stores, took: dict[str, float], *, space: bool) -> None:
        named = {"hub: ingest, no conversion" if name == "hub" else name: name for name in took}
        title = self._samples.title
        times = {label: [took[name]] for label, name in named.items()}
        self._bench.group(f"Before the first epoch, {title}", "s", times, "lower")
        if space or self._samples.sizes[0] < 4096:
            taken = {label: [stores.space(name)] for label, name in (named | {"files": "files"}).items()}
            self._bench.group(f"Space, {title}", "× the samples' bytes", taken, "lower")

    def _served(self) -> AbstractContextManager[Any]:
        if DOOR not in self._crew.sides():
            return nullcontext()
        return maru_serve(self._folder / "hub", "--workers", "1", "--no-care")

    def _open(self, side: Side, stores: Stores, door: Any) -> None:
        told = side.told(BATCH)
        if side is DOOR:
            told["door"] = {"path": door.url, "access_key": door.access_key, "secret_key": door.secret_key}
        self._crew.ask(side, "open", data=stores.path(side), how=told)

    def _shuffles(self, *, report: bool) -> None:
        """One epoch of each, which also warms everything up."""
        variances: dict[str, list[float]] = {}
        count = len(self._samples)

        def look(side: Side) -> None:
            order = self._crew.ask(side, "order", seed=11)["order"]
            variances[side.title] = [batch_variance(order, count, BATCH)]
            if sorted(order) != list(range(count)):
                self._bench.note(
                    f"{side.title}: {len(set(order)):,} of {count:,} samples came in an epoch, "
                    f"{len(order) - len(set(order)):,} more than once."
                )

        self._crew.each(look)
        if report:
            title = f"Shuffle of {self._samples.title}, stored by class: classes of a batch"
            self._bench.group(title, "× a true shuffle's variance", variances, "lower")

    def _lap(self, side: Side) -> float:
        return len(self._samples) / float(self._crew.ask(side, "lap", seed=self._seed)["seconds"])

    def _group(
        self,
        title: str,
        sides: Sequence[Side],
        act: Callable[[Side], float],
        rounds: int,
        *,
        others: dict[str, Callable[[], float]] | None = None,
        before: Callable[[], None] | None = None,
    ) -> Group | None:
        """Laps in turns of those sides that can; who fails in one has none."""
        able: dict[str, Callable[[], float]] = {}
        self._crew.each(lambda side: able.update({side.title: self._once(side, act)}), sides)
        able |= others or {}
        found = in_turns(able, rounds, before=before)
        whole = {name: values for name, values in found.items() if min(values) > 0}
        return self._bench.group(f"{title}, {self._samples.title}", "samples/s", whole) if whole else None

    def _once(self, side: Side, act: Callable[[Side], float]) -> Callable[[], float]:
        def run() -> float:
            self._seed += 1
            found = [0.0]
            self._crew.each(lambda each: found.append(act(each)), [side])
            return found[-1]

        return run

    def _cold(self, title: str, sides: Sequence[Side], stores: Stores) -> Group | None:
        files = stores.all_files()
        segments = segment_files(self._folder / "hub")

        def fio() -> float:
            block = self._samples.fio_block()
            return fio_random_reads(segments, self._samples.size_bytes, block=block)["reads_s"]

        def lap(side: Side) -> float:
            if side.keeps:
                self._crew.renew(side)
                drop_caches(files)
            words = {"data": stores.path(side), "how": side.told(BATCH), "seed": self._seed}
            found = self._crew.ask(side, "cold", **words)
            share = found["from_drive"] / self._samples.size_bytes
            self._from_drive[side.title] = min(share, self._from_drive.get(side.title, share))
            return len(self._samples) / float(found["seconds"])

        able = [side for side in sides if side is not DOOR]
        others = {FIO: fio} if has_fio() and HUB in sides else {}
        group = self._group(
            title, able, lap, self._bench.pick(3, 1), others=others, before=lambda: drop_caches(files)
        )
        for name, share in self._from_drive.items():
            if group is not None and name in group.sides and share < _COLD:
                self._bench.note(f"{title}: {name} had only {share:.0%} of its bytes read from the drive.")
        return group

    def _was_cold(self, title: str) -> bool:
        """Some keep what they mapped when they are told to close: what they reach then is no cold figure."""
        return self._from_drive.get(title, 0) >= _COLD

    def _compare(self, group: Group | None, *, warm: bool) -> None:
        """Beside the fastest of those that read packed copies, files, and the drive."""
        if group is None:
            return
        workers = HUB_TWO.title in group.sides
        ours, files = (HUB_TWO, FILES_TWO) if workers else (HUB, FILES)
        if ours.title not in group.sides:
            return
        packed = [side.title for side in (*ONE_PROCESS, *TWO_WORKERS) if side.store not in OWN_STORES]
        there = [title for title in packed if title in group.sides and (warm or self._was_cold(title))]
        aim = (3 if workers else 1.5) if warm else (None if workers else 1.0)
        if there:
            fastest = max(there, key=lambda title: spread(group.sides[title])[1])
            self._bench.compare(group, ours.title, fastest, at_least=aim)
            if UNCHECKED.title in group.sides:
                self._bench.compare(group, UNCHECKED.title, fastest)
        if files.title in group.sides:
            self._bench.compare(group, ours.title, files.title, at_least=None if warm or workers else 3)
        if SIXTEEN.title in group.sides:
            self._bench.compare(group, ours.title, SIXTEEN.title)
        if FIO in group.sides:
            self._bench.compare(group, ours.title, FIO, at_least=0.9)
