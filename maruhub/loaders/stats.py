"""Where a loader's time goes. One writer a field, so no lock."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Final

_SLOW_SHARE: Final = 0.1
"""A trainer that waits less than this share of the time is the slow part itself."""


@dataclass(frozen=True, slots=True)
class LoaderStats:
    """Sums since the loader was made; seconds, counts and bytes of what was handed out.

    Attributes:
        plan_s: Order, ids, labels and addresses.
        announce_s: Telling the store what comes next.
        read_s: Reading, without the sums.
        verify_s: Checking the sums of what was read (of a hub elsewhere a part of ``read_s``).
        decode_s: Decoding and transforming, summed over the threads that do it.
        trainer_waited_s: The trainer asked and nothing was ready: the input is too slow.
        reader_waited_s: Enough was ready and nobody asked: the trainer is the slow part.
        elapsed_s: From the first request for a batch to now.
        skipped: Samples passed over because they could not be had.
        cached: Samples whose decoded value was held from an earlier epoch.
        decode_threads: How many threads share ``decode_s``; no sum.
    """

    plan_s: float
    announce_s: float
    read_s: float
    verify_s: float
    decode_s: float
    trainer_waited_s: float
    reader_waited_s: float
    elapsed_s: float
    batches: int
    samples: int
    bytes: int
    skipped: int
    cached: int
    decode_threads: int = 1

    @property
    def samples_per_s(self) -> float:
        """Samples handed out a second of elapsed time."""
        return self.samples / self.elapsed_s if self.elapsed_s else 0.0

    @property
    def bytes_per_s(self) -> float:
        """Bytes handed out a second of elapsed time."""
        return self.bytes / self.elapsed_s if self.elapsed_s else 0.0

    @property
    def stages(self) -> dict[str, float]:
        """Seconds of each stage of the input, as the clock on the wall sees them."""
        return {
            "plan": self.plan_s,
            "announce": self.announce_s,
            "read": self.read_s,
            "verify": self.verify_s,
            "decode": self.decode_s / self.decode_threads,
        }

    @property
    def bottleneck(self) -> str:
        """The stage to look at first, or ``trainer`` where the input keeps up."""
        if self.trainer_waited_s < _SLOW_SHARE * self.elapsed_s:
            return "trainer"
        return max(self.stages, key=self.stages.__getitem__)

    def since(self, earlier: LoaderStats) -> LoaderStats:
        """What came after ``earlier``: live figures instead of averages since the start."""
        now, then = asdict(self), asdict(earlier)
        sums = {name: now[name] - then[name] for name in now if name != "decode_threads"}
        return LoaderStats(**sums, decode_threads=self.decode_threads)

    def line(self) -> str:
        """A few words for a progress bar: rates, how long the trainer waits, and for what."""
        waits = f"input waits {self.trainer_waited_s / self.elapsed_s:.0%}" if self.elapsed_s else "not begun"
        parts = [f"{self.samples_per_s:,.0f} samples/s", f"{self.bytes_per_s / 1e6:,.0f} MB/s", waits]
        if self.bottleneck != "trainer":
            parts.append(f"slowest: {self.bottleneck}")
        if self.skipped:
            parts.append(f"skipped {self.skipped:,}")
        return ", ".join(parts)

    def __str__(self) -> str:
        rate = f"{self.samples_per_s:,.0f} samples/s, {self.bytes_per_s / 1e6:,.1f} MB/s"
        parts = f"plan {self.plan_s:.2f} s, announce {self.announce_s:.2f} s, read {self.read_s:.2f} s"
        parts += f", verify {self.verify_s:.2f} s"
        if self.decode_s:
            parts += f", decode {self.decode_s:.2f} s in {self.decode_threads} threads"
        waits = f"trainer waited {self.trainer_waited_s:.2f} s, reader waited {self.reader_waited_s:.2f} s"
        return f"{rate} ({parts}; {waits})"


@dataclass(slots=True)
class Meter:
    """The running sums behind :class:`LoaderStats`."""

    seconds: dict[str, float] = field(
        default_factory=lambda: dict.fromkeys(("plan", "announce", "read", "verify", "decode"), 0.0)
    )
    trainer_waited: float = 0.0
    reader_waited: float = 0.0
    started: float | None = None
    batches: int = 0
    samples: int = 0
    bytes: int = 0
    skipped: int = 0
    cached: int = 0
    decode_threads: int = 1

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Adds the time of the block to a stage."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] += time.perf_counter() - start

    def start(self) -> None:
        """The first request for a batch starts the clock."""
        if self.started is None:
            self.started = time.perf_counter()

    def handed_out(self, *, samples: int, size_bytes: int, skipped: int) -> None:
        """Counts one batch that the trainer got."""
        self.batches += 1
        self.samples += samples
        self.bytes += size_bytes
        self.skipped += skipped

    def snapshot(self) -> LoaderStats:
        """The sums now."""
        elapsed = 0.0 if self.started is None else time.perf_counter() - self.started
        return LoaderStats(
            plan_s=self.seconds["plan"],
            announce_s=self.seconds["announce"],
            read_s=self.seconds["read"],
            verify_s=self.seconds["verify"],
            decode_s=self.seconds["decode"],
            trainer_waited_s=self.trainer_waited,
            reader_waited_s=self.reader_waited,
            elapsed_s=elapsed,
            batches=self.batches,
            samples=self.samples,
            bytes=self.bytes,
            skipped=self.skipped,
            cached=self.cached,
            decode_threads=self.decode_threads,
        )
