"""WebDataset: tar shards in random order, and a buffer of 1,000 samples."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import webdataset as wds

from benchmarks.peers.loader import How, Loader
from benchmarks.peers.plain import listed, read_file
from benchmarks.peers.torch_loader import kept


def pack(files: Path, target: Path, shard: int) -> None:
    target.mkdir(parents=True)
    with wds.ShardWriter(str(target / "%06d.tar"), maxsize=shard, maxcount=10**9, verbose=0) as writer:
        for number, path in enumerate(listed(files)):
            writer.write({"__key__": f"{number:08}", "jpg": read_file(path)})


@contextmanager
def opened(data: Path, how: How) -> Iterator[Loader]:
    def pipeline(seed: int) -> wds.WebDataset:
        shards = wds.WebDataset(listed(data), shardshuffle=1000, seed=seed, empty_check=False)
        return shards.shuffle(1000).to_tuple("jpg").map(_only).batched(how.batch, collation_fn=list)

    loader = wds.WebLoader(pipeline(1), batch_size=None, **kept(how))
    yield Loader(lambda seed: iter(loader))


def _only(sample: tuple[bytes]) -> bytes:
    return sample[0]
