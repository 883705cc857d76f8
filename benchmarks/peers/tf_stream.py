"""tf.data over plain files from start to end, in records of 1 MiB."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tensorflow as tf

from benchmarks.peers.loader import How, Loader
from benchmarks.peers.plain import listed
from benchmarks.peers.plain_stream import PIECE


@contextmanager
def opened(data: Path, how: How) -> Iterator[Loader]:
    def epoch(seed: int) -> Any:
        records = tf.data.FixedLengthRecordDataset(listed(data), PIECE, buffer_size=4 * PIECE)
        return records.prefetch(tf.data.AUTOTUNE)

    yield Loader(epoch, weigh)


def weigh(record: Any) -> tuple[int, int]:
    """One record."""
    return 1, PIECE
