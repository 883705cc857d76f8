"""A hub over the fixture's store, without a pool's files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from maruhub.api.hub import Hub
from maruhub.store.protocol import Store


@dataclass
class BarePool:
    """Just what a hub needs of an open pool."""

    store: Store

    def close(self) -> None:
        self.store.close()


@pytest.fixture
def hub(store: Store) -> Hub:
    return Hub(BarePool(store), Path("nowhere"), actor="me@here")  # type: ignore[arg-type]
