"""LMDB in torch's DataLoader: each worker opens it for itself, a transaction a batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch.utils.data import Dataset

from benchmarks.peers.lmdb_records import open_env, pack
from benchmarks.peers.loader import How, Loader
from benchmarks.peers.torch_loader import shuffled

__all__ = ["opened", "pack"]


class Records(Dataset):
    def __init__(self, data: Path) -> None:
        self._data = data
        self._env: Any = None
        env = open_env(data)
        self._count = env.stat()["entries"]
        env.close()

    def __len__(self) -> int:
        return self._count

    def __getitems__(self, numbers: Sequence[int]) -> list[bytes]:
        if self._env is None:
            self._env = open_env(self._data)
        with self._env.begin() as txn:
            return [txn.get(number.to_bytes(8, "big")) for number in numbers]


@contextmanager
def opened(data: Path, how: How) -> Iterator[Loader]:
    yield Loader(shuffled(Records(data), how))
