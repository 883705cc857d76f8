"""LitData: chunks that lie on this machine, its own loader and shuffle."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import litdata

from benchmarks.peers.loader import How, Loader
from benchmarks.peers.plain import listed, read_file
from benchmarks.peers.torch_loader import kept


def pack(files: Path, target: Path, shard: int) -> None:
    litdata.optimize(
        fn=_sample, inputs=listed(files), output_dir=str(target), chunk_bytes=shard, num_workers=1
    )


def _sample(path: str) -> dict[str, bytes]:
    return {"data": read_file(path)}


@contextmanager
def opened(data: Path, how: How) -> Iterator[Loader]:
    source = litdata.StreamingDataset(str(data), shuffle=True)
    loader = litdata.StreamingDataLoader(source, batch_size=how.batch, collate_fn=_bytes, **kept(how))
    yield Loader(lambda seed: iter(loader))


def _bytes(batch: list[dict[str, Any]]) -> list[bytes]:
    return [sample["data"] for sample in batch]
