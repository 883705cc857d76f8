"""Fixtures that every rung shares."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from maruhub.store.protocol import Store
from maruhub.testing.memory_store import MemoryStore


@pytest.fixture
def store() -> Iterator[Store]:
    """An empty store."""
    made = MemoryStore()
    yield made
    made.close()
