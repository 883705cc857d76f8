"""tf.data over TFRecord: files in random order, four at a time, and a buffer of 1,000 samples."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tensorflow as tf

from benchmarks.peers.loader import How, Loader
from benchmarks.peers.plain import listed, read_file


def pack(files: Path, target: Path, shard: int) -> None:
    target.mkdir(parents=True)
    writer, number, written = None, 0, shard
    for path in listed(files):
        if written >= shard:
            if writer is not None:
                writer.close()
            writer, written, number = (
                tf.io.TFRecordWriter(str(target / f"{number:06}.tfrecord")),
                0,
                number + 1,
            )
        data = read_file(path)
        writer.write(data)
        written += len(data)
    writer.close()


@contextmanager
def opened(data: Path, how: How) -> Iterator[Loader]:
    paths = listed(data)

    def epoch(seed: int) -> Any:
        files = tf.data.Dataset.from_tensor_slices(paths).shuffle(len(paths), seed=seed)
        records = files.interleave(
            tf.data.TFRecordDataset, cycle_length=4, num_parallel_calls=tf.data.AUTOTUNE
        )
        return records.shuffle(1000, seed=seed).batch(how.batch).prefetch(tf.data.AUTOTUNE)

    yield Loader(epoch, weigh, numbers)


def weigh(batch: Any) -> tuple[int, int]:
    """Samples of a tensor of texts; its bytes would cost more to ask for than to read."""
    return int(batch.shape[0]), 0


def numbers(batch: Any) -> list[int]:
    """Which samples a tensor of texts holds."""
    return [int.from_bytes(blob[:8], "little") for blob in batch.numpy()]
