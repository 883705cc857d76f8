"""A batch as tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from maruhub.adapters.arrays import as_arrays
from maruhub.loaders import Batch

Collate = Callable[[Batch], Any]
"""From a batch of raw samples to what the trainer gets."""


def as_tensors(batch: Batch) -> dict[str, Any]:
    """A batch as tensors by names, as :func:`maruhub.adapters.arrays.as_arrays` says.

    It is what is used unless a ``collate`` is given.
    """
    return of_arrays(as_arrays(batch))


def of_arrays(arrays: Mapping[str, Any]) -> dict[str, Any]:
    """The same with tensors in place of arrays, in the same memory."""
    return {
        name: torch.from_numpy(value) if isinstance(value, np.ndarray) else value
        for name, value in arrays.items()
    }


def pinned(batch: Any) -> Any:
    """What a loader hands out, in memory that an accelerator copies from by itself."""
    from torch.utils.data._utils.pin_memory import pin_memory

    return pin_memory(batch)
