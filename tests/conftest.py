"""Fixtures that every rung shares."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from maruhub import compose
from maruhub.store.protocol import Store
from maruhub.testing.memory_store import MemoryStore

# A script's shell lets what it starts in the background ignore Ctrl-C, and so whatever that starts.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(params=["memory", "pool"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty store: the trusted model, then a pool of three blades."""
    if request.param == "memory":
        yield MemoryStore()
        return
    pool = compose.create_pool(tmp_path / "hub", n=3, segment_bytes=4 << 20)
    yield pool.store
    pool.close()
