"""A hub over the fixture's store, without a pool's files."""

from __future__ import annotations

import pytest

from maruhub.api.hub import Hub
from maruhub.store.protocol import Store
from tests.bare_hub import bare_hub


@pytest.fixture
def hub(store: Store) -> Hub:
    return bare_hub(store)
