"""Lance: rows taken by number in true random order, a batch a call."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lance
import numpy as np
import pyarrow as pa

from benchmarks.peers.loader import How, Loader
from benchmarks.peers.plain import listed, read_file

_SCHEMA = pa.schema([("data", pa.large_binary())])


def pack(files: Path, target: Path, shard: int) -> None:
    def rows() -> Iterator[pa.RecordBatch]:
        paths = listed(files)
        for at in range(0, len(paths), 256):
            yield pa.record_batch(
                [pa.array(map(read_file, paths[at : at + 256]), pa.large_binary())], _SCHEMA
            )

    lance.write_dataset(pa.RecordBatchReader.from_batches(_SCHEMA, rows()), str(target))


@contextmanager
def opened(data: Path, how: How) -> Iterator[Loader]:
    dataset = lance.dataset(str(data))
    count = dataset.count_rows()

    def epoch(seed: int) -> Iterator[pa.Table]:
        order = np.random.default_rng(seed).permutation(count)
        return (dataset.take(order[at : at + how.batch]) for at in range(0, count, how.batch))

    yield Loader(epoch, _weigh, _numbers)


def _weigh(table: pa.Table) -> tuple[int, int]:
    return table.num_rows, table.nbytes


def _numbers(table: pa.Table) -> list[Any]:
    return [int.from_bytes(blob[:8], "little") for blob in table["data"].to_pylist()]
