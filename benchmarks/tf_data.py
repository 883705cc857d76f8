"""Batches into TensorFlow: the adapter beside ``from_generator`` of single samples, by their size."""

from __future__ import annotations

import shutil
from collections.abc import Callable

from benchmarks.harness import Bench, in_turns
from benchmarks.numbered import Numbered, fifty_kb, records
from benchmarks.peers.crew import Crew
from benchmarks.peers.process import Side
from benchmarks.peers.sides import HUB, TF_FLAT, TF_GENERATOR, TF_HUB
from benchmarks.peers.stores import Stores

TITLE = "tf.data, by size of samples"
BATCH = 64
_SIDES = (TF_HUB, TF_FLAT, TF_GENERATOR)
_AIM = 10


def measure(bench: Bench) -> None:
    ten_kb = Numbered("10 KB", [10_000] * bench.pick(30_000, 1000))
    for samples in (records(bench.pick(60_000, 2000)), ten_kb, fifty_kb(bench.pick(12_000, 500))):
        # The hub's own process is there to bring the samples in.
        with Crew(bench, (HUB, *_SIDES)) as crew:
            _measure(bench, crew, samples)
    bench.note(
        f"Warm, batches of {BATCH}, one process each. All three read the same hub and check every sum. What a "
        "single sample costs from_generator hardly depends on its size; what a batch costs is reading, checking and "
        "copying its bytes, so the ratio falls as samples grow."
    )


def _measure(bench: Bench, crew: Crew, samples: Numbered) -> None:
    folder = bench.scratch / "stores"
    stores = Stores(folder, samples)
    stores.pack(crew)
    crew.each(lambda side: crew.ask(side, "open", data=stores.path(side), how=side.told(BATCH)), _SIDES)
    seeds = iter(range(1, 1000))
    able: dict[str, Callable[[], float]] = {}

    def lap(side: Side) -> Callable[[], float]:
        return lambda: len(samples) / float(crew.ask(side, "lap", seed=next(seeds))["seconds"])

    crew.each(lambda side: able.update({side.title: lap(side)}), _SIDES)
    if able:
        found = in_turns(able, bench.pick(5, 1), warm_up=True)
        group = bench.group(f"Warm, {samples.title}", "samples/s", found)
        for ours in (TF_HUB, TF_FLAT):
            if {ours.title, TF_GENERATOR.title} <= found.keys():
                bench.compare(group, ours.title, TF_GENERATOR.title, at_least=_AIM)
    shutil.rmtree(folder)
