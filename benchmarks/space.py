"""What a pool of six blades takes on its drives: raw bytes a byte stored, and bytes written a byte.

Four data strips and two of parity, after `care.once()`; everything on the blades counts, the
index does not.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.harness import Bench
from benchmarks.samples import BUCKET, Samples, fifty_kb, fill_hub
from maruhub import compose
from maruhub.api.hub import Hub

TITLE = "Space, 4 + 2 on six blades"
PROFILE = """
Strips are 1.5 bytes a byte. The rest is that objects begin on pages of 4 KiB where they are longer: 2 KiB
each on average, 6.5 % of 50,000 bytes; shorter ones share pages, and their records weigh more. Sums and
headers are below half a percent. What single puts and small batches write are three full copies of the log,
which the writer waits for, and then the strips, once; a batch that is worth a segment of its own goes into
strips at once. The kernel counts whole pages, so the page in which one put ends and the next begins twice,
and the index.
"""
BLADES = 6
_WRITERS = 16


def measure(bench: Bench) -> None:
    stored = bench.pick(240_000_000, 4_000_000)
    even = evenly(stored // 50_000)
    sides = {}
    for samples, at_most in (
        (even, 1.6),
        (fifty_kb(stored // 50_000), 1.65),
        (Samples("1 KB", [1000] * bench.pick(40_000, 500)), None),
        (Samples("1 MB", [1_000_000] * (stored // 1_000_000)), None),
    ):
        raw = _raw(bench.scratch / samples.title.replace(" ", ""), samples)
        sides[f"hub: {samples.title}"] = [raw]
        if at_most is not None:
            bench.limit(f"Raw ÷ stored, {samples.title}", "×", raw, at_most=at_most)
    bench.group("Raw bytes a byte stored", "×", sides, better="lower")
    _written(bench, even)
    bench.note(
        f"{stored / 1e6:,.0f} MB stored of each size but 1 KB, in one process, then one round of care."
    )
    bench.note("Written: files at the moment of the acknowledgement, then what care wrote.")
    bench.note("By the kernel's count: pages made dirty by this process, its index and its names too.")


def evenly(count: int) -> Samples:
    """``count`` samples of 25 to 75 KB, every size equally likely, in an order without a pattern."""
    return Samples("25–75 KB", [25_000 + (i * 31_607) % 50_001 for i in range(count)])


def make(folder: Path, *, segment_bytes: int = compose.SEGMENT_BYTES) -> Hub:
    """A hub of six blades with an empty bucket."""
    hub = Hub(compose.create_pool(folder, n=BLADES, segment_bytes=segment_bytes), folder, actor="bench@here")
    hub.namespace.buckets.create(BUCKET)
    return hub


def taken_bytes(folder: Path) -> int:
    """What everything on the blades of a hub takes on the drive."""
    return sum(path.lstat().st_blocks * 512 for path in folder.glob("blades/**/*") if path.is_file())


def _raw(folder: Path, samples: Samples) -> float:
    with make(folder) as hub:
        fill_hub(hub.namespace, samples)
        hub.care.once()
        return taken_bytes(folder) / samples.size_bytes


def _written(bench: Bench, samples: Samples) -> None:
    """Bytes on drives a byte acknowledged, of many puts together and of single ones."""
    few = Samples(samples.title, samples.sizes[: bench.pick(2000, 40)])
    # Three batches, the last one too of the size that counts.
    whole = Samples(samples.title, samples.sizes[: bench.pick(4000, 40)])
    sides: dict[str, list[float]] = {}
    for words, some, fill in (
        ("put_many of 64 MiB", whole, _fill_in_bulk),
        ("put_many of 256", samples, _fill_many),
        (f"put, {_WRITERS} writers", few, _fill_singly),
    ):
        folder = bench.scratch / words.split(",")[0].replace(" ", "")
        acknowledged, sealed, kernel = _count(folder, some, fill)
        sides[f"hub: {words}: when acknowledged"] = [acknowledged]
        sides[f"hub: {words}: once sealed"] = [sealed]
        sides[f"hub: {words}: by the kernel's count"] = [kernel]
    bench.group("Bytes written a byte acknowledged, 25–75 KB", "×", sides, better="lower")


def _count(folder: Path, samples: Samples, fill: Callable[[Hub, Samples], None]) -> tuple[float, ...]:
    with make(folder) as hub:
        before = _dirtied()
        fill(hub, samples)
        logs = taken_bytes(folder)
        report = hub.care.once()
        counts = (logs, logs + report.written_bytes, _dirtied() - before)
    return tuple(count / samples.size_bytes for count in counts)


def _fill_in_bulk(hub: Hub, samples: Samples) -> None:
    fill_hub(hub.namespace, samples, count=len(samples))


def _fill_many(hub: Hub, samples: Samples) -> None:
    fill_hub(hub.namespace, samples)


def _fill_singly(hub: Hub, samples: Samples) -> None:
    bucket = hub.bucket(BUCKET)
    with ThreadPoolExecutor(_WRITERS) as writers:
        for _ in writers.map(lambda i: bucket.put(samples.key(i), samples.data(i)), range(len(samples))):
            pass


def _dirtied() -> int:
    """Bytes that this process has made the kernel owe to drives."""
    lines = Path(f"/proc/{os.getpid()}/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("write_bytes"))
