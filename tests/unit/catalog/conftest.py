"""A bucket with a few samples, and the catalog over it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from maruhub.catalog import Catalog
from maruhub.namespace import Namespace, PutItem
from maruhub.store.protocol import Store

Put = Callable[..., None]


@pytest.fixture
def ns(store: Store) -> Namespace:
    """A namespace with a bucket ``photos``."""
    made = Namespace(store, "tester@here")
    made.buckets.create("photos")
    return made


@pytest.fixture
def catalog(ns: Namespace) -> Catalog:
    """A catalog over ``ns``."""
    return Catalog(ns)


@pytest.fixture
def put(ns: Namespace) -> Put:
    """Puts objects: ``put({"a.jpg": b"..."}, label="cat")``, one change."""

    def put_all(objects: dict[str, bytes], **metadata: str) -> None:
        items = [PutItem(key, data, metadata=metadata or None) for key, data in objects.items()]
        ns.objects.put_many("photos", items)

    return put_all


@pytest.fixture
def cats(put: Put) -> dict[str, bytes]:
    """Ten samples below ``cats/`` and one beside them."""
    objects = {f"cats/{i:02}.jpg": bytes([i]) * (i * 100) for i in range(10)}
    put(objects | {"dogs/1.jpg": b"dog"})
    return objects
