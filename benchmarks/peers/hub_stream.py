"""The hub's large objects from start to end, piece by piece, as whoever streams them reads them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import maruhub
from benchmarks.peers.hub import pack
from benchmarks.peers.loader import How, Loader

__all__ = ["opened", "pack"]


@contextmanager
def opened(data: Path, how: How) -> Iterator[Loader]:
    with maruhub.connect(data) as hub:
        bucket = hub.bucket("photos")

        def epoch(seed: int) -> Iterator[list[memoryview]]:
            for key in bucket:
                for piece in bucket.pieces(key, verify=how.checked):
                    yield [piece]

        yield Loader(epoch)
