"""MosaicML Streaming: MDS shards that lie on this machine, its default shuffle."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import library
from torch.utils.data import DataLoader

# It imports torchvision, whose build may be for another torch; its operators are not used here.
_register = library.register_fake
library.register_fake = lambda *args, **kwargs: lambda function: function
import torchvision  # noqa: E402, F401

library.register_fake = _register

from streaming import MDSWriter, StreamingDataset  # noqa: E402

from benchmarks.peers.loader import How, Loader  # noqa: E402
from benchmarks.peers.plain import listed, read_file  # noqa: E402
from benchmarks.peers.torch_loader import kept  # noqa: E402


def pack(files: Path, target: Path, shard: int) -> None:
    with MDSWriter(out=str(target), columns={"data": "bytes"}, size_limit=shard) as writer:
        for path in listed(files):
            writer.write({"data": read_file(path)})


@contextmanager
def opened(data: Path, how: How) -> Iterator[Loader]:
    source = StreamingDataset(local=str(data), shuffle=True, batch_size=how.batch)
    loader = DataLoader(source, batch_size=how.batch, collate_fn=_bytes, **kept(how))
    yield Loader(lambda seed: iter(loader))


def _bytes(batch: list[dict[str, Any]]) -> list[bytes]:
    return [sample["data"] for sample in batch]
