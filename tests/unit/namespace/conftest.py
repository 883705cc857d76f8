"""A namespace with one bucket, over whatever store the rung runs on."""

from __future__ import annotations

import pytest

from maruhub.namespace import Namespace
from maruhub.store.protocol import Store


@pytest.fixture
def ns(store: Store) -> Namespace:
    """A namespace with the empty bucket ``photos``."""
    made = Namespace(store, actor="ann@host")
    made.buckets.create("photos")
    return made
