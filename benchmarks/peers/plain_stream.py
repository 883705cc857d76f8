"""Plain files from start to end, 1 MiB at a time into one buffer: the least that a file can cost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.peers.loader import How, Loader
from benchmarks.peers.plain import listed

PIECE = 1 << 20


@contextmanager
def opened(data: Path, how: How) -> Iterator[Loader]:
    buffer = memoryview(bytearray(PIECE))

    def epoch(seed: int) -> Iterator[list[memoryview]]:
        for path in listed(data):
            with open(path, "rb", buffering=0) as file:
                while count := file.readinto(buffer):
                    yield [buffer[:count]]

    yield Loader(epoch)
