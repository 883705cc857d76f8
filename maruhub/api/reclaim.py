"""Expiry of a whole hub: objects, buckets, and what the catalog hides, put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from maruhub.care.reclaim import Reclaim

if TYPE_CHECKING:
    from maruhub.store.protocol import Store


def reclaim_of(store: Store, *, actor: str = "") -> Reclaim:
    """What removes the rows of a hub whose time is over; ``actor`` stands in the records."""
    from maruhub.care.naming import RowNames
    from maruhub.care.reclaim.objects import DeletedBuckets, HiddenObjects
    from maruhub.care.reclaim.trails import DeadTrails
    from maruhub.care.reclaim.uploads import StrandedUploads
    from maruhub.catalog.eradication import dataset_parts
    from maruhub.catalog.manifests.pointing import resolver
    from maruhub.catalog.owner_name import OwnerNames

    return Reclaim(
        store,
        [
            HiddenObjects(store),
            StrandedUploads(store),
            DeadTrails(store),
            DeletedBuckets(store),
            *dataset_parts(store),
        ],
        resolve=resolver(store),
        name_row=OwnerNames(store, RowNames(store)),
        actor=actor,
    )
