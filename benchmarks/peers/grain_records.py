"""ArrayRecord read by Grain: true random order, by its threads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grain
from array_record.python.array_record_module import ArrayRecordWriter

from benchmarks.peers.loader import How, Loader
from benchmarks.peers.plain import listed, read_file

_NAME = "samples.array_record"


def pack(files: Path, target: Path, shard: int) -> None:
    target.mkdir(parents=True)
    # One record a group is what random access wants; the samples do not compress.
    writer = ArrayRecordWriter(str(target / _NAME), "group_size:1,uncompressed")
    for path in listed(files):
        writer.write(read_file(path))
    writer.close()


@contextmanager
def opened(data: Path, how: How) -> Iterator[Loader]:
    source = grain.sources.ArrayRecordDataSource(str(data / _NAME))

    def epoch(seed: int) -> Iterator[list[bytes]]:
        samples = grain.MapDataset.source(source).shuffle(seed=seed)
        return iter(samples.batch(how.batch, batch_fn=list).to_iter_dataset())

    yield Loader(epoch)
