"""How many accelerators one machine keeps busy: MLPerf Storage's RetinaNet, simulated.

Each takes 24 samples of 322,957 bytes a step and then computes for 47.55 ms, 505 samples a second. They go in
lock step, as data-parallel training does, fed by one loader in true random order. Utilisation is the time they
compute, as a share of all time after the first batch; 85 % is what MLPerf asks for.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from benchmarks.drive import drop_caches
from benchmarks.harness import Bench, spread
from benchmarks.numbered import RETINANET, retinanet
from benchmarks.peers.crew import Crew
from benchmarks.peers.process import Side
from benchmarks.peers.sides import GRAIN, HUB, LMDB_TWO, SIXTEEN
from benchmarks.peers.stores import Stores

TITLE = "Accelerators kept busy"
BATCH = 24
STEP_S = 0.04755
BUSY = 0.85
SIDES = (HUB, SIXTEEN, LMDB_TWO, GRAIN)
MOST = 12
"""More than two cores can hand out: 12 would take 2 GB a second."""


def measure(bench: Bench) -> None:
    samples = retinanet(bench.pick(6000, 300))
    folder = bench.scratch / "stores"
    with Crew(bench, SIDES) as crew:
        stores = Stores(folder, samples)
        stores.pack(crew)
        files = stores.all_files()
        for heat in ("cold", "warm"):
            trial = _Trial(bench, crew, stores, files if heat == "cold" else None)
            _report(bench, heat, trial)
    shutil.rmtree(folder)
    bench.note(
        f"{len(samples):,} samples of {RETINANET:,} bytes, {samples.size_bytes / 1e9:.1f} GB; the trainer "
        "sleeps while it computes. Files are read by 16 threads, LMDB by a DataLoader of two workers, "
        "ArrayRecord by Grain's threads, the hub by the thread that it has by itself."
    )


class _Trial:
    """Utilisation of one side and one number of accelerators; cold if there are files to forget."""

    def __init__(self, bench: Bench, crew: Crew, stores: Stores, forget: list[Path] | None) -> None:
        self._crew = crew
        self._stores = stores
        self._forget = forget
        self._seed = 0
        self._most_steps = bench.pick(40, 8)
        self.sides = [side for side in SIDES if side in crew.sides()]
        self.rounds = bench.pick(3, 1)
        if forget is None:
            crew.each(self._warm_up, self.sides)

    def utilisation(self, side: Side, accelerators: int) -> float:
        """As a share of one."""
        if self._forget is not None:
            drop_caches(self._forget)
        self._seed += 1
        # The first batch starts the clock; an epoch has to last for all of it.
        batches = len(self._stores.samples) // BATCH - 1
        steps = min(self._most_steps, batches // accelerators)
        found = [0.0]

        def train(each: Side) -> None:
            self._crew.ask(each, "open", data=self._stores.path(each), how=each.told(BATCH))
            words = {"accelerators": accelerators, "steps": steps, "step_s": STEP_S}
            found.append(float(self._crew.ask(each, "train", seed=self._seed, **words)["utilisation"]))
            self._crew.ask(each, "close")

        self._crew.each(train, [side])
        return found[-1]

    def _warm_up(self, side: Side) -> None:
        self._crew.ask(side, "open", data=self._stores.path(side), how=side.told(BATCH))
        self._crew.ask(side, "lap", seed=0)
        self._crew.ask(side, "close")


def _report(bench: Bench, heat: str, trial: _Trial) -> None:
    """Utilisation with one accelerator more each time, in turns; who kept too few busy drops out."""
    lines: dict[str, list[tuple[float, float]]] = {side.title: [] for side in trial.sides}
    kept: dict[str, list[float]] = {side.title: [0.0] * trial.rounds for side in trial.sides}
    alone: dict[str, list[float]] = {}
    going = trial.sides
    for count in range(1, MOST + 1):
        rounds = [
            {side.title: trial.utilisation(side, count) for side in _turned(going, number)}
            for number in range(trial.rounds)
        ]
        for side in going:
            values = [found[side.title] for found in rounds]
            lines[side.title].append((count, 100 * spread(values)[1]))
            alone.setdefault(side.title, [100 * value for value in values])
            for number, value in enumerate(values):
                # As many as are busy without a gap below.
                if value >= BUSY and kept[side.title][number] == count - 1:
                    kept[side.title][number] = count
        going = [side for side in going if max(kept[side.title]) == count]
        if not going:
            break
    bench.curve(f"Utilisation, {heat}", "accelerators", "%", lines)
    bench.group(f"One accelerator, {heat}", "% utilisation", alone)
    group = bench.group(f"Accelerators at 85 % or more, {heat}", "accelerators", kept)
    if HUB.title not in kept:
        return
    for peer in trial.sides[1:]:
        if min(kept[peer.title]) > 0:
            bench.compare(group, HUB.title, peer.title)
    short = max(0.0, 5 - spread(kept[HUB.title])[1])
    bench.limit(f"What the hub lacks to five busy accelerators, {heat}", "accelerators", short, at_most=0)
    idle = 100 - spread(alone[HUB.title])[1]
    bench.limit(f"One accelerator, fed by the hub, waits, {heat}", "% of the time", idle, at_most=2)


def _turned(sides: list[Side], number: int) -> list[Side]:
    shift = number % len(sides) if sides else 0
    return sides[shift:] + sides[:shift]
