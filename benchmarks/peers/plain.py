"""Plain files by hand: open, read, close, in one thread or a pool that keeps a few batches ahead."""

from __future__ import annotations

import os
import random
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from benchmarks.peers.loader import How, Loader

_AHEAD = 4


def read_file(path: str) -> bytes:
    fd = os.open(path, os.O_RDONLY)
    data = os.read(fd, os.fstat(fd).st_size)
    os.close(fd)
    return data


def listed(folder: Path) -> list[str]:
    """All files below a folder, sorted."""
    return sorted(os.path.join(at, name) for at, _, names in os.walk(folder) for name in names)


@contextmanager
def opened(data: Path, how: How) -> Iterator[Loader]:
    paths = listed(data)

    def batches(seed: int) -> Iterator[list[str]]:
        order = random.Random(seed).sample(paths, len(paths))
        return (order[at : at + how.batch] for at in range(0, len(order), how.batch))

    def serial(seed: int) -> Iterator[list[bytes]]:
        return (list(map(read_file, batch)) for batch in batches(seed))

    def threaded(seed: int) -> Iterator[list[bytes]]:
        waiting = deque()
        for batch in batches(seed):
            waiting.append([pool.submit(read_file, path) for path in batch])
            if len(waiting) > _AHEAD:
                yield [each.result() for each in waiting.popleft()]
        for futures in waiting:
            yield [each.result() for each in futures]

    with ThreadPoolExecutor(how.threads) as pool:
        yield Loader(serial if how.threads == 1 else threaded)
