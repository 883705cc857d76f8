"""tf.data over TFRecord from start to end: a file of records of 1 MiB for each large file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tensorflow as tf

from benchmarks.peers.loader import How, Loader
from benchmarks.peers.plain import listed
from benchmarks.peers.plain_stream import PIECE
from benchmarks.peers.tf_stream import weigh


def pack(files: Path, target: Path, shard: int) -> None:
    target.mkdir(parents=True)
    for number, path in enumerate(listed(files)):
        with (
            open(path, "rb", buffering=0) as file,
            tf.io.TFRecordWriter(str(target / f"{number:06}.tfrecord")) as writer,
        ):
            while piece := file.read(PIECE):
                writer.write(piece)


@contextmanager
def opened(data: Path, how: How) -> Iterator[Loader]:
    def epoch(seed: int) -> Any:
        records = tf.data.TFRecordDataset(listed(data), buffer_size=4 * PIECE)
        return records.prefetch(tf.data.AUTOTUNE)

    yield Loader(epoch, weigh)
