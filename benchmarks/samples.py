"""What is read and written: the same bytes as objects of a hub and as plain files."""

from __future__ import annotations

import math
import os
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from maruhub import compose
from maruhub.namespace import Namespace
from maruhub.namespace.put import PutItem

ROOT = Path(__file__).resolve().parent.parent
KIB = 1024
FIFTY = 50 * KIB
BUCKET = "photos"
_FILES_A_FOLDER = 1000
_MIXED = (1000, 5_000_000)


@dataclass(frozen=True)
class Samples:
    """``sizes[i]`` bytes of sample i; its bytes are a run of one random buffer."""

    title: str
    sizes: list[int]

    def __post_init__(self) -> None:
        _noise()  # Else the first lap would pay for it, in each of its threads.

    def __len__(self) -> int:
        return len(self.sizes)

    @property
    def size_bytes(self) -> int:
        return sum(self.sizes)

    def data(self, i: int) -> memoryview:
        noise = _noise()
        start = (i * 7919 * 64) % (len(noise) - self.sizes[i])
        return memoryview(noise)[start : start + self.sizes[i]]

    def key(self, i: int) -> str:
        return f"{i // _FILES_A_FOLDER:04}/{i:08}.jpg"

    def shuffled(self, seed: int) -> list[int]:
        order = list(range(len(self)))
        random.Random(seed).shuffle(order)
        return order

    def fio_block(self) -> str:
        """fio's block sizes: these sizes in whole sectors, in at most ten classes."""
        if len(set(self.sizes)) == 1:
            return f"--bs={-(-self.sizes[0] // 512) * 512}"
        ordered = sorted(self.sizes)
        tenth = len(ordered) / 10
        classes = [
            ordered[round(i * tenth) : max(round((i + 1) * tenth), round(i * tenth) + 1)] for i in range(10)
        ]
        means = [max(1, round(sum(part) / len(part) / 512)) * 512 for part in classes]
        return "--bssplit=" + ":".join(f"{size}/10" for size in means)


def fifty(count: int) -> Samples:
    """``count`` samples of 50 KiB."""
    return Samples("50 KiB", [FIFTY] * count)


def fifty_kb(count: int) -> Samples:
    """``count`` samples of 50 KB."""
    return Samples("50 KB", [50_000] * count)


def mixed(count: int) -> Samples:
    """``count`` samples of 1 KB to 5 MB, each size equally likely by its logarithm."""
    low, high = map(math.log, _MIXED)
    # The same sizes for every count, so that a quick run is a small full one.
    steps = [math.exp(low + (high - low) * (i + 0.5) / count) for i in range(count)]
    random.Random(1).shuffle(steps)
    return Samples("1 KB – 5 MB", [round(size) for size in steps])


@lru_cache(maxsize=1)
def _noise() -> bytes:
    return np.random.default_rng(1).bytes(64 << 20)


def write_files(folder: Path, samples: Samples) -> list[Path]:
    """Plain files, a thousand a folder; their paths in the samples' order."""
    paths = [folder / samples.key(i) for i in range(len(samples))]
    for path in {path.parent for path in paths}:
        path.mkdir(parents=True, exist_ok=True)
    for i, path in enumerate(paths):
        path.write_bytes(samples.data(i))
    os.sync()
    return paths


def make_hub(folder: Path, *, blades: int = 1) -> tuple[compose.OpenPool, Namespace]:
    """A new hub with one empty bucket."""
    pool = compose.create_pool(folder, n=blades)
    ns = Namespace(pool.store, "bench@here")
    ns.buckets.create(BUCKET)
    return pool, ns


def fill_hub(ns: Namespace, samples: Samples, *, count: int = 256) -> None:
    """All samples as objects; at most ``count``, or 64 MiB, a commit."""
    for run in _runs(samples, count, 64 << 20):
        ns.objects.put_many(BUCKET, [PutItem(samples.key(i), samples.data(i)) for i in run])


def _runs(samples: Samples, count: int, size_bytes: int) -> Iterator[Sequence[int]]:
    start = held = 0
    for i, size in enumerate(samples.sizes):
        if i > start and (i - start == count or held + size > size_bytes):
            yield range(start, i)
            start, held = i, 0
        held += size
    yield range(start, len(samples))


def segment_files(hub: Path) -> list[Path]:
    """Every segment's files on the hub's blades."""
    return sorted(path for path in hub.glob("blades/*/segments/*") if path.is_file())


def read_file(path: str) -> bytes:
    """Open, read, close: the fewest calls that read a file whose size isn't known."""
    fd = os.open(path, os.O_RDONLY)
    data = os.read(fd, os.fstat(fd).st_size)
    os.close(fd)
    return data
