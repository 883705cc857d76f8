"""torch's DataLoader over what others read: workers that live on from epoch to epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader

from benchmarks.peers.loader import How


def kept(how: How) -> dict[str, Any]:
    """A DataLoader's words on its workers."""
    return {"num_workers": how.workers, "persistent_workers": how.workers > 0}


def shuffled(source: Any, how: How) -> Callable[[int], Iterator[list[bytes]]]:
    """Epochs of a map-style source in torch's own random order, as lists of bytes."""
    order = torch.Generator()
    loader = DataLoader(
        source, batch_size=how.batch, shuffle=True, generator=order, collate_fn=list, **kept(how)
    )

    def epoch(seed: int) -> Iterator[list[bytes]]:
        order.manual_seed(seed)
        return iter(loader)

    return epoch
