"""Reads with two of six blades lost, beside healthy ones; sealing, beside coding and the drive.

Every byte is verified in the call that returns it. Objects of lost strips are decoded from four
others, just their range.
"""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.drive import drop_caches
from benchmarks.harness import Bench, in_turns, rate
from benchmarks.samples import BUCKET, Samples, fifty_kb, fill_hub, segment_files
from benchmarks.space import make
from benchmarks.warm_reads import check
from maruhub import compose
from maruhub.api.door import connect
from maruhub.api.hub import Hub
from maruhub.store.format.extent import EXTENT_DTYPE
from maruhub.store.format.layout import Layout
from maruhub.store.parity import code
from maruhub.store.seal.strip_writer import WINDOW_BYTES

TITLE = "Protection, 4 + 2 on six blades"
PROFILE = """
A decoded object of 50 KB takes 60–80 µs of one core, a healthy one 8: four copies of its range out of the
page cache are a third of it, ISA-L (which waits for memory) another, the rest are layouts, buffers and
calls. One decoded object in a batch sends the others one by one too, at 11 µs each. Cold, all strips that a
batch is decoded from are asked for at once: it is four times the bytes that count then. Sealing 200 MB takes
0.35 s of two cores together: 0.11 in reading, verifying, copying into windows and coding, 0.16 behind it in
sums and in handing windows to the kernel, which begins to write each at once, so that the sync at the end
takes 10 ms; looking up what lives, and the turn that says where it lies, take the rest.
"""
BATCH = 256
_WRITE_BYTES = 4 << 20
HEALTHY, LOST = "hub: all six blades", "hub: two blades lost"
DECODED, SAME = "hub: decoded objects alone", "hub: the same objects, all six blades"
SEAL, ENCODE, DRIVE = "hub: seal a segment", "parity.py: encode its strips", "drive: write, fdatasync; ÷ 1.5"
SLOWER = "the slower of coding and the drive"


def measure(bench: Bench) -> None:
    _blades_touched(bench)
    _lost(bench)
    _seal(bench)


# ---------------------------------------------------------------- a healthy read


def _blades_touched(bench: Bench) -> None:
    """Opens a new hub for each read, so that every file it needs is opened in sight."""
    folder = bench.scratch / "touched"
    sizes = [1000, 50_000, 1_000_000, 8_000_000, 40_000_000]
    sizes = [size for size in sizes if not bench.quick or size <= 1_000_000]
    samples = Samples("mixed", sizes * bench.pick(5, 2))
    with make(folder) as hub:
        fill_hub(hub.namespace, samples)
        hub.care.once()
        strips = {la.segment: max(la.strips.lengths) for la in hub.store.layouts() if la.strips}
        infos = [hub.namespace.objects.head(BUCKET, samples.key(i)) for i in range(len(samples))]
    fitting = [i for i, info in enumerate(infos) if info.size <= strips[info.extents[0].segment]]
    opened: set[str] = set()
    watch(folder / "blades", opened)
    counts = []
    for i in fitting:
        with connect(folder, read_only=True) as hub:
            opened.clear()
            check([hub.bucket(BUCKET)[samples.key(i)]])
            counts.append(len(opened))
    bench.limit("Blades that a healthy read touches, objects up to a strip", "blade", max(counts), at_most=1)
    told = ", ".join(f"{size:,}" for size in sizes)
    bench.note(
        f"Blades touched: files opened, by Python's audit events, of {len(fitting)} reads of objects of"
    )
    bench.notes[-1] += f" {told} bytes, each in a hub just opened, no longer than a strip of their segment."


def watch(blades: Path, opened: set[str]) -> None:
    """Notes from now on which blades' segment files this process opens; can't be undone."""
    root = f"{blades}{os.sep}"

    def hear(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and str(arguments[0]).startswith(root):
            blade, _, name = str(arguments[0])[len(root) :].partition(os.sep)
            if name.startswith("segments"):
                opened.add(blade)

    sys.addaudithook(hear)


# ---------------------------------------------------------------- two blades lost


def _lost(bench: Bench) -> None:
    folder = bench.scratch / "lost"
    samples = fifty_kb(bench.pick(24_000, 300))
    with make(folder, segment_bytes=bench.pick(compose.SEGMENT_BYTES, 4 << 20)) as hub:
        fill_hub(hub.namespace, samples)
        hub.care.once()
        numbers, decoded = choose_pair(hub, samples)
    keys = [samples.key(i) for i in samples.shuffled(7)]
    some = [key for key in keys if key in decoded]
    share = len(some) / len(keys)
    for words, count, rounds in (
        ("warm", len(keys), bench.pick(5, 2)),
        ("cold", len(keys) // 4, bench.pick(3, 1)),
    ):
        sides = {
            HEALTHY: (keys[:count], ()),
            LOST: (keys[:count], numbers),
            SAME: (some[: count // 3], ()),
            DECODED: (some[: count // 3], numbers),
        }
        calls = {
            name: partial(_lap, folder, some, away, cold=words == "cold")
            for name, (some, away) in sides.items()
        }
        group = bench.group(f"Random reads, 50 KB, {words}", "objects/s", in_turns(calls, rounds))
        bench.compare(group, LOST, HEALTHY, at_least=0.25)
        bench.compare(group, DECODED, SAME)
    bench.note(f"Lost: the pair of blades that holds about a third: {share:.0%} of the objects are decoded.")
    bench.note("Blades are moved away and back between laps, and the hub is opened anew for each.")


def choose_pair(hub: Hub, samples: Samples) -> tuple[tuple[int, ...], set[str]]:
    """The two blades that hold nearest to a third of the objects, and the keys of those."""
    place = {blade.id: blade.number for blade in hub.blades.list()}
    layouts = {layout.segment: layout for layout in hub.store.layouts()}
    holders: dict[str, int] = {}
    for at in range(0, len(samples), 1000):
        keys = [samples.key(i) for i in range(at, min(at + 1000, len(samples)))]
        for key, info in zip(keys, hub.namespace.objects.head_many(BUCKET, keys), strict=True):
            assert info is not None
            holders[key] = place[_blade_of(layouts, info.extents_raw).hex()]
    pairs = list(itertools.combinations(range(len(place)), 2))

    def held(pair: Sequence[int]) -> float:
        return sum(number in pair for number in holders.values()) / len(holders)

    best = min(pairs, key=lambda pair: abs(held(pair) - 1 / 3))
    return best, {key for key, number in holders.items() if number in best}


def _blade_of(layouts: dict[int, Layout], raw: bytes) -> bytes:
    """The blade of an object's first byte."""
    extent = np.frombuffer(raw, EXTENT_DTYPE)[0]
    layout = layouts[int(extent["segment"])]
    part = layout.range_of(int(extent["offset"]), int(extent["length"]))
    return layout.blades[part.file if part else 0]


@contextmanager
def away(folder: Path, numbers: Sequence[int]) -> Iterator[None]:
    """The blades of these numbers don't answer meanwhile."""
    places = [(folder / "blades" / str(n), folder.with_name(f"{folder.name}-away-{n}")) for n in numbers]
    for place, aside in places:
        place.rename(aside)
    try:
        yield
    finally:
        for place, aside in places:
            aside.rename(place)


def _lap(folder: Path, keys: Sequence[str], numbers: Sequence[int], *, cold: bool) -> float:
    with away(folder, numbers), connect(folder, read_only=True) as hub:
        if cold:
            drop_caches(segment_files(folder))
        else:
            read_all(hub, keys)
        return rate(len(keys), lambda: read_all(hub, keys))


def read_all(hub: Hub, keys: Sequence[str]) -> None:
    """Batches of 256 keys, verified."""
    objects = hub.namespace.objects
    for at in range(0, len(keys), BATCH):
        check(objects.read_many(BUCKET, keys[at : at + BATCH]))


# ---------------------------------------------------------------- sealing


def _seal(bench: Bench) -> None:
    folder = bench.scratch / "seal"
    rounds = bench.pick(5, 2)
    samples = fifty_kb(bench.pick(4000, 60))
    with make(folder) as hub:
        _write_logs(hub, samples, rounds)
        logs = [la for la in hub.store.layouts() if la.closed and not la.strips and la.end > 1 << 20]
        size = min(log.end for log in logs)
        noise = np.random.default_rng(1).bytes(size)
        waiting = iter(logs)
        calls: dict[str, Callable[[], float]] = {
            SEAL: lambda: _seal_one(hub, next(waiting)),
            ENCODE: lambda: _encode(noise),
            DRIVE: lambda: _drive(bench.scratch / "drive", noise),
        }
        found = in_turns(calls, rounds)
    found[SLOWER] = [min(pair) for pair in zip(found[ENCODE], found[DRIVE], strict=True)]
    group = bench.group("Sealing", "MB/s of data", found)
    bench.compare(group, SEAL, SLOWER, at_least=0.6)
    bench.compare(group, SEAL, ENCODE)
    bench.compare(group, SEAL, DRIVE)


def _write_logs(hub: Hub, samples: Samples, count: int) -> None:
    """``count`` closed logs in full copies."""
    for number in range(count):
        run = [(f"{number}/{samples.key(i)}", samples.data(i)) for i in range(len(samples))]
        for at in range(0, len(run), BATCH):
            hub.bucket(BUCKET).put_many(dict(run[at : at + BATCH]))
        hub.store.close_logs(1 << 20)


def _seal_one(hub: Hub, log: Layout) -> float:
    os.sync()
    with hub.store.acting() as acts:
        return rate(log.end / 1e6, lambda: acts.recut(log.segment))


def _encode(noise: bytes) -> float:
    """The four data strips of a segment, window by window, as an act codes them."""
    strip = len(noise) // 4
    strips = [memoryview(noise)[number * strip :][:strip] for number in range(4)]
    starts = range(0, strip, WINDOW_BYTES)

    def encode() -> None:
        for at in starts:
            code(4).encode([strip[at : at + WINDOW_BYTES] for strip in strips])

    return rate(len(noise) / 1e6, encode)


def _drive(path: Path, noise: bytes) -> float:
    """Data a second if half as much again is written, at the rate of one plain file."""
    view = memoryview(noise)
    os.sync()

    def write() -> None:
        with path.open("wb", buffering=0) as file:
            for part in (view, view[: len(view) // 2]):
                for at in range(0, len(part), _WRITE_BYTES):
                    file.write(part[at : at + _WRITE_BYTES])
            os.fdatasync(file.fileno())

    try:
        return rate(len(noise) / 1e6, write)
    finally:
        path.unlink()
