"""``tf.data.Dataset.from_generator`` of single samples, as its guides have it, over the hub's own loader.

What it is handed costs as little as with the adapter; the rest is the way into TensorFlow.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tensorflow as tf

import maruhub
from benchmarks.peers import hub as in_process
from benchmarks.peers.hub import pack
from benchmarks.peers.loader import How, Loader
from benchmarks.peers.tf_records import numbers, weigh

__all__ = ["opened", "pack"]


@contextmanager
def opened(data: Path, how: How) -> Iterator[Loader]:
    with maruhub.connect(data) as hub:

        def epoch(seed: int) -> Any:
            def samples() -> Iterator[bytes]:
                for blobs in in_process.epoch(hub, how, seed):
                    yield from map(bytes, blobs)

            spec = tf.TensorSpec([], tf.string)
            made = tf.data.Dataset.from_generator(samples, output_signature=spec)
            return made.batch(how.batch).prefetch(tf.data.AUTOTUNE)

        yield Loader(epoch, weigh, numbers)
