"""The namespace of a hub, put together from its parts."""

from __future__ import annotations

from maruhub.namespace.buckets import Buckets
from maruhub.namespace.listing import Listing
from maruhub.namespace.objects import Objects
from maruhub.namespace.past import Past
from maruhub.namespace.quotas import Quotas
from maruhub.namespace.uploads import Uploads
from maruhub.namespace.versions import Versions
from maruhub.store.protocol import Store

_ACTOR_BYTES_MAX = 255


class Namespace:
    """Names over a store.

    Args:
        store: Keeps bytes and rows; the caller closes it.
        actor: Who acts, for histories: at most 255 bytes are kept.
    """

    def __init__(self, store: Store, actor: str = "") -> None:
        # Cut between characters: a row's actor must stay UTF-8.
        actor = actor.encode("utf-8", "replace")[:_ACTOR_BYTES_MAX].decode("utf-8", "ignore")
        self.store = store
        self.actor = actor
        self.buckets = Buckets(store, actor)
        self.objects = Objects(store, actor)
        self.listing = Listing(store)
        self.past = Past(store, actor)
        self.quotas = Quotas(store, actor)
        self.uploads = Uploads(store, actor)
        self.versions = Versions(store, actor)
