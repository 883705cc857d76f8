"""The hub over its batch door, which a server on this machine opens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import maruhub
from benchmarks.peers.hub import epoch
from benchmarks.peers.loader import How, Loader


@contextmanager
def opened(data: Path, how: How) -> Iterator[Loader]:
    assert how.door is not None
    with maruhub.connect(**how.door) as hub:
        yield Loader(lambda seed: epoch(hub, how, seed))
