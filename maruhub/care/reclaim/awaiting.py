"""What is out of sight and waits to be eradicated, as a status shows it: two numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from maruhub.care.reclaim.objects import HiddenObjects
from maruhub.care.reclaim.part import Hold
from maruhub.store.format.extent import EXTENT_DTYPE
from maruhub.store.protocol import Store


@dataclass(frozen=True, slots=True)
class Awaiting:
    """Hidden versions of objects: their bytes, and those of them whose time is over.

    Copies by reference share bytes and are counted with each.
    """

    versions: int = 0
    size_bytes: int = 0
    over_bytes: int = 0


def awaiting(store: Store) -> Awaiting:
    """Reads every row of a hidden version once; about five microseconds each."""
    sizes: dict[bool, int] = {True: 0, False: 0}
    versions = 0
    for finding in HiddenObjects(store).findings():
        size = int(np.frombuffer(finding.extents_raw, EXTENT_DTYPE)["length"].sum(dtype=np.int64))
        sizes[finding.hold is Hold.NOTHING] += size
        versions += 1
    return Awaiting(versions, sizes[True] + sizes[False], sizes[True])
