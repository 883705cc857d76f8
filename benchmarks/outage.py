"""Random reads through an outage: two of six blades are lost, it is rebuilt, a blade is added.

One process reads all the time; `maru care --once` runs beside it in another and waits for it as
it always does.
"""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.harness import Bench
from benchmarks.rebuild import BATCH, Care, Reads, fill
from benchmarks.report import number
from benchmarks.samples import Samples, fifty_kb
from maruhub.api.door import connect

TITLE = "Reads through an outage"
PROFILE = """
Without care a third of the objects is decoded at every read. A rebuild works through the segments, so
reads get faster with each that is done, while care takes half of the time of a core and the drives. After
it nothing is decoded. Adding a blade takes the readers only what care's work beside them does.
"""
_TICK_S = 0.1
_SMOOTH_S = 0.5
READS, WRITES = "objects read, verified", "written by care"
Phase = tuple[float, float, str]


def measure(bench: Bench) -> None:
    folder = bench.scratch / "hub"
    samples = fifty_kb(bench.pick(16_000, 600))
    numbers = fill(folder, samples, segment_bytes=bench.pick(128 << 20, 8 << 20))
    story = _Story(folder, samples, calm_s=bench.pick(5.0, 0.4))
    story.play(numbers)
    bench.curve(
        "Random reads in batches of 64 objects of 50 KB, one process",
        "seconds",
        "objects/s",
        {READS: story.reads()},
        phases=story.phases,
    )
    bands = [(begin, end, "") for begin, end, _ in story.phases]
    bench.curve(
        "Written by care, in another process", "seconds", "MB/s", {WRITES: story.writes()}, phases=bands
    )
    medians = ", ".join(f"{name} {number(median)}" for name, median in story.by_phase().items())
    bench.note(f"{samples.size_bytes / 1e6:,.0f} MB stored; means over half a second. Medians: {medians}.")
    bench.note("The reader opens the hub anew when blades go: what it has mapped would answer for ever.")


class _Story:
    """What happens, and when: ticks of a clock with what was read and written until then."""

    def __init__(self, folder: Path, samples: Samples, *, calm_s: float) -> None:
        self.phases: list[Phase] = []
        self._folder = folder
        self._samples = samples
        self._calm_s = calm_s
        self._waits: list[tuple[float, float]] = []
        self._written: list[tuple[float, int]] = []
        self._begun = 0.0

    def play(self, numbers: Sequence[int]) -> None:
        """Healthy, lost, rebuilt, grown, balanced."""
        with connect(self._folder) as hub, Reads(hub, self._samples) as reads:
            self._begun = time.perf_counter()
            reads.go()
            self._calm("healthy")
            self._waits += reads.waits
        aside = [self._folder / "blades" / str(number) for number in numbers]
        for place in aside:
            place.rename(place.with_name(f"lost-{place.name}"))
        with connect(self._folder) as hub, Reads(hub, self._samples, warm=False) as reads:
            reads.go()
            self._calm("two blades lost")
            self._care("rebuild: 2 + 2 on four")
            self._calm("whole again")
            for number in numbers:
                hub.blades.remove(number, lost=True)
            hub.blades.add(self._folder / "blades" / "new")
            self._care("a blade added: widening to 3 + 2")
            self._calm("balanced")
            self._waits += reads.waits

    def _now(self) -> float:
        return time.perf_counter() - self._begun

    def _calm(self, name: str) -> None:
        begun = self._now()
        time.sleep(self._calm_s)
        self.phases.append((begun, self._now(), name))

    def _care(self, name: str) -> None:
        begun = self._now()
        care = Care(self._folder)
        self._written.append((begun, 0))
        while not care.is_over():
            time.sleep(_TICK_S)
            self._written.append((self._now(), care.written_bytes()))
        care.result()
        self.phases.append((begun, self._now(), name))

    def reads(self) -> list[tuple[float, float]]:
        """Objects a second, over time."""
        ends = [end - self._begun for end, _ in self._waits]
        return _rates([(at, BATCH) for at in ends], self.phases[-1][1])

    def writes(self) -> list[tuple[float, float]]:
        """Megabytes a second, over time."""
        steps = [
            (at, max(0, now - before) / 1e6) for (_, before), (at, now) in itertools.pairwise(self._written)
        ]
        return _rates(steps, self.phases[-1][1])

    def by_phase(self) -> dict[str, float]:
        """The median rate in each phase."""
        points = self.reads()
        half = _SMOOTH_S / 2
        inside = {
            name: [rate for at, rate in points if begin + half <= at <= end - half]
            for begin, end, name in self.phases
        }
        return {name: statistics.median(rates) for name, rates in inside.items() if rates}


def _rates(events: Sequence[tuple[float, float]], end: float) -> list[tuple[float, float]]:
    """Sums of what happened around each moment, a second."""
    points = []
    for step in range(int(_SMOOTH_S / 2 / _TICK_S) + 1, int((end - _SMOOTH_S / 2) / _TICK_S)):
        at = step * _TICK_S
        inside = sum(count for when, count in events if abs(when - at) <= _SMOOTH_S / 2)
        points.append((round(at, 3), inside / _SMOOTH_S))
    return points
