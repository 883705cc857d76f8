"""torch's DataLoader over plain files, as its tutorials have it, without decoding."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from torch.utils.data import Dataset

from benchmarks.peers.loader import How, Loader
from benchmarks.peers.plain import listed, read_file
from benchmarks.peers.torch_loader import shuffled


class Files(Dataset):
    def __init__(self, folder: Path) -> None:
        self._paths = listed(folder)

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, number: int) -> bytes:
        return read_file(self._paths[number])


@contextmanager
def opened(data: Path, how: How) -> Iterator[Loader]:
    yield Loader(shuffled(Files(data), how))
