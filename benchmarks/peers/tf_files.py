"""tf.data over plain files: their list in true random order, read by its own threads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tensorflow as tf

from benchmarks.peers.loader import How, Loader
from benchmarks.peers.plain import listed
from benchmarks.peers.tf_records import numbers, weigh


@contextmanager
def opened(data: Path, how: How) -> Iterator[Loader]:
    paths = listed(data)

    def epoch(seed: int) -> Any:
        names = tf.data.Dataset.from_tensor_slices(paths).shuffle(len(paths), seed=seed)
        samples = names.map(tf.io.read_file, num_parallel_calls=tf.data.AUTOTUNE)
        return samples.batch(how.batch).prefetch(tf.data.AUTOTUNE)

    yield Loader(epoch, weigh, numbers)
