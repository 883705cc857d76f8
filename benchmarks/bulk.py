"""Names in bulk: objects that share one blob, put straight through the commit turn."""

from __future__ import annotations

from collections.abc import Sequence

from maruhub.namespace import Namespace
from maruhub.namespace.digests import Digest
from maruhub.namespace.fields import encode_tail
from maruhub.namespace.object import encode_payload, object_prefix
from maruhub.store.protocol import Rows

_KEYS_A_TURN = 10_000


def put_rows(ns: Namespace, bucket_name: str, keys: Sequence[str], *, size: int = 51_200) -> None:
    """An object of ``size`` bytes for every key; what is measured then is names, not drives."""
    bucket = ns.buckets.create(bucket_name, exist_ok=True)
    prefix = object_prefix(bucket)
    blob = ns.store.append([bytes(size)])[0]
    tail = encode_tail("image/jpeg", None)

    def change(rows: Rows, run: Sequence[str], first: int) -> None:
        for i, key in enumerate(run, first):
            digest = Digest(bytes(16), i.to_bytes(32, "little"))
            rows.put(prefix + key.encode(), encode_payload(digest, size, mtime_ns=i, tail=tail), extents=blob)

    for at in range(0, len(keys), _KEYS_A_TURN):
        run = keys[at : at + _KEYS_A_TURN]
        ns.store.commit(lambda rows, run=run, at=at: change(rows, run, at))
