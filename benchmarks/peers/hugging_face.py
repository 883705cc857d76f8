"""Hugging Face Datasets: Arrow files mapped, shuffled by a list of indices (true random order)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import datasets
from torch.utils.data import DataLoader

from benchmarks.peers.loader import How, Loader
from benchmarks.peers.plain import listed, read_file
from benchmarks.peers.torch_loader import kept


def pack(files: Path, target: Path, shard: int) -> None:
    features = datasets.Features({"data": datasets.Value("large_binary")})
    # Written where they stay; the library's own cache would hold them twice.
    with datasets.arrow_writer.ArrowWriter(
        path=str(_made(target) / "data.arrow"), features=features
    ) as writer:
        for path in listed(files):
            writer.write({"data": read_file(path)})
        writer.finalize()


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


@contextmanager
def opened(data: Path, how: How) -> Iterator[Loader]:
    datasets.disable_progress_bars()
    source = datasets.Dataset.from_file(str(data / "data.arrow"))
    if how.workers:
        loader = DataLoader(source, batch_size=how.batch, shuffle=True, collate_fn=_bytes, **kept(how))
        yield Loader(lambda seed: iter(loader))
    else:
        yield Loader(lambda seed: _epoch(source.shuffle(seed=seed, keep_in_memory=True), how.batch))


def _epoch(source: Any, batch: int) -> Iterator[list[bytes]]:
    return (rows["data"] for rows in source.iter(batch_size=batch))


def _bytes(batch: list[dict[str, Any]]) -> list[bytes]:
    return [sample["data"] for sample in batch]
