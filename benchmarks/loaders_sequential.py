"""Large files read from start to end: the hub, plain files, and tf.data over files and over TFRecord.

Nothing of what the hub does for small samples helps here: order, packing and batches are no matter, and
what is left is whether going through it costs anything beside reading the file.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable

from benchmarks.drive import drop_caches
from benchmarks.harness import Bench, in_turns
from benchmarks.numbered import Numbered
from benchmarks.peers.crew import Crew
from benchmarks.peers.process import Side
from benchmarks.peers.stores import Stores

TITLE = "Large files from start to end"
STREAM = Side("hub: pieces", "hub_stream", "", "hub")
FILES = Side("files: read, 1 MiB", "plain_stream", "", "files")
SIDES = (
    STREAM,
    Side("hub: pieces, sums not checked", "hub_stream", "", "hub", checked=False),
    Side("hub: loader, batches of one", "hub", "", "hub"),
    FILES,
    Side("files: read whole", "plain", "", "files"),
    Side("files: tf.data, 1 MiB", "tf_stream", "tensorflow", "files"),
    Side("TFRecord: tf.data, 1 MiB", "tf_records_stream", "tensorflow", "TFRecord"),
)
_MIB = 1 << 20


class Long(Numbered):
    """Samples longer than the noise that their bytes are taken from: it is repeated."""

    def data(self, i: int) -> memoryview:
        piece = Numbered("", [32 * _MIB] * (i + 1)).data(i)
        size = self.sizes[i]
        return memoryview(bytes(piece) * -(-size // len(piece)))[:size]


def measure(bench: Bench) -> None:
    samples = Long("256 MiB", [bench.pick(256, 4) * _MIB] * bench.pick(8, 2))
    folder = bench.scratch / "stores"
    stores = Stores(folder, samples)
    with Crew(bench, SIDES) as crew:
        took = stores.pack(crew)
        bench.group("Before the first read", "s", {name: [each] for name, each in took.items()}, "lower")
        crew.each(lambda side: crew.ask(side, "open", data=stores.path(side), how=side.told(1)))
        _compare(bench, "Warm", crew, lambda side: crew.ask(side, "lap", seed=1), samples)
        crew.each(lambda side: crew.ask(side, "close"))
        files = stores.all_files()

        def cold(side: Side) -> dict[str, float]:
            words = {"data": stores.path(side), "how": side.told(1), "seed": 1}
            found: dict[str, float] = crew.ask(side, "cold", **words)
            return found

        _compare(bench, "Cold", crew, cold, samples, before=lambda: drop_caches(files))
    shutil.rmtree(folder)
    bench.note(
        f"{len(samples)} files, {samples.size_bytes / 1e9:.1f} GB, one after the other, in one process each; what "
        "came is not looked at. The hub and TFRecord check sums; the loader hands out each file as one piece of memory."
    )


def _compare(
    bench: Bench,
    title: str,
    crew: Crew,
    lap: Callable[[Side], dict[str, float]],
    samples: Numbered,
    *,
    before: Callable[[], None] | None = None,
) -> None:
    """Bytes a second of each side that can, and the hub beside plain files."""
    rates: dict[str, Callable[[], float]] = {}

    def rate(side: Side) -> float:
        return samples.size_bytes / 1e9 / float(lap(side)["seconds"])

    def keep(side: Side) -> None:
        if before is not None:
            before()
        rate(side)  # Who fails is left out here.
        rates[side.title] = lambda: rate(side)

    crew.each(keep)
    found = in_turns(rates, bench.pick(5, 1), before=before)
    group = bench.group(f"{title}, from start to end", "GB/s", found)
    for ours in (STREAM.title, "hub: loader, batches of one"):
        if ours in found and FILES.title in found:
            bench.compare(group, ours, FILES.title)
