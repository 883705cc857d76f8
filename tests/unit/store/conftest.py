"""A pool whose files are cut by the tests alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from maruhub import compose
from maruhub.store.pool import make_pool


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[compose.OpenPool]:
    """Of six blades, with small segments; nothing is sealed behind a test's back."""
    hub = tmp_path / "hub"
    make_pool(hub, [hub / "blades" / str(n) for n in range(6)], segment_bytes=1 << 20)
    pool = compose.open_pool(hub)
    pool.store._seals = False
    yield pool
    pool.close()
