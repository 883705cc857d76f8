"""LMDB: a value a sample, read by number in true random order, copied out."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import lmdb

from benchmarks.peers.loader import How, Loader
from benchmarks.peers.plain import listed, read_file

_MAP = 1 << 40


def pack(files: Path, target: Path, shard: int) -> None:
    env = lmdb.open(str(target), map_size=_MAP)
    paths = listed(files)
    for at in range(0, len(paths), 1000):
        with env.begin(write=True) as txn:
            for number, path in enumerate(paths[at : at + 1000], at):
                txn.put(number.to_bytes(8, "big"), read_file(path), append=True)
    env.close()


def open_env(data: Path) -> lmdb.Environment:
    """Read only, without read-ahead, which random reads only suffer from."""
    return lmdb.open(str(data), map_size=_MAP, readonly=True, lock=False, readahead=False)


@contextmanager
def opened(data: Path, how: How) -> Iterator[Loader]:
    env = open_env(data)
    count = env.stat()["entries"]

    def epoch(seed: int) -> Iterator[list[bytes]]:
        order = random.Random(seed).sample(range(count), count)
        for at in range(0, count, how.batch):
            with env.begin() as txn:
                yield [txn.get(number.to_bytes(8, "big")) for number in order[at : at + how.batch]]

    yield Loader(epoch)
    env.close()
