"""What a peer is: a module with ``pack`` and ``opened``, run in an environment of its own.

``pack(files, target, shard)`` makes of plain files what the peer reads, in shards of about ``shard``
bytes where it has shards. ``opened(data, how)`` is a context in which epochs are read.

The first eight bytes of a sample are its number, so that no peer has to carry ids.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class How:
    """How a dataset is read: samples a batch, worker processes (0: none), sums checked, what a door wants."""

    batch: int = 64
    workers: int = 0
    threads: int = 1
    checked: bool = True
    door: dict[str, str] | None = None


def weigh_list(batch: Sequence[Any]) -> tuple[int, int]:
    """Samples and bytes of a list of buffers."""
    return len(batch), sum(map(len, batch))


def numbers_in_list(batch: Sequence[Any]) -> list[int]:
    """Which samples a list of buffers holds."""
    return [int.from_bytes(blob[:8], "little") for blob in batch]


@dataclass(frozen=True)
class Loader:
    """An open dataset. ``epoch(seed)`` goes once through it; the others look at one of its batches."""

    epoch: Callable[[int], Iterable[Any]]
    weigh: Callable[[Any], tuple[int, int]] = weigh_list
    numbers: Callable[[Any], list[int]] = numbers_in_list
