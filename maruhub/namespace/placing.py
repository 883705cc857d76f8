"""Puts of whole objects under way: each is checked by itself; any number are written together.

Bytes that come at the same time cost one append, and their changes one wait for a turn. Yet each
put is a change of its own: it has its own condition, actor and request id, and its own error.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from maruhub.errors import MaruError
from maruhub.namespace.digests import Digest, start_digests
from maruhub.namespace.object import ObjectInfo, encode_payload
from maruhub.namespace.put import Condition, NewVersion, PutItem, put_change, unneeded
from maruhub.namespace.stream import NOT_A_REFUSAL
from maruhub.namespace.tally import counted
from maruhub.store.format.extent import Blob
from maruhub.store.protocol import Buffer, Proposal, Store


@dataclass(frozen=True, slots=True, eq=False)
class Placing:
    """A put that was found good as far as that can be told before it is committed.

    Made by ``Objects.prepare``; what it holds of each item stands in the items' order.

    Args:
        bucket: Name of the bucket.
        items: What is put; all of it or nothing.
        raw_keys: Their keys as rows have them.
        tails: Their named fields, packed.
        data: Their bytes; not to be changed until the put has ended.
        conditions: What must hold for each.
        actor: Whose name the rows bear.
        request: Names this very write, so that a retry can be told.
        create_bucket: Make the bucket with its defaults if there is none.
    """

    bucket: str
    items: Sequence[PutItem]
    raw_keys: Sequence[bytes]
    tails: Sequence[bytes]
    data: Sequence[Buffer]
    conditions: Sequence[Condition]
    actor: str
    request: bytes
    create_bucket: bool

    def proposal(self, digests: Iterator[Digest], blobs: Sequence[Blob]) -> Proposal[list[ObjectInfo]]:
        """The change that names its bytes, now that they are at ``blobs``."""
        news = []
        parts = zip(self.items, self.raw_keys, self.tails, self.data, blobs, self.conditions, strict=True)
        for item, raw_key, tail, data, blob, condition in parts:
            payload = encode_payload(next(digests), len(data), mtime_ns=item.mtime_ns, tail=tail)
            news.append(NewVersion(item.key, raw_key, payload, blob, condition))
        change = put_change(self.bucket, news, request=self.request, create_bucket=self.create_bucket)
        return Proposal(counted(change), self.actor, self.request)


def place_together(store: Store, puts: Sequence[Placing]) -> list[list[ObjectInfo] | Exception]:
    """Writes what puts hold and puts each on record; durable when this returns.

    Returns:
        For each what it made, in its items' order; or the error for which nothing of it is kept.

    Raises:
        MaruError: The bytes could not be written; then no put has been made. Nor is it worth trying them apart
            where there was no room: blades take new data above their reserve, or none of any size.
    """
    data = [bytes_ for put in puts for bytes_ in put.data]
    digests = start_digests(data, [item.digest for put in puts for item in put.items])
    left = iter(store.append(data))
    blobs = [list(islice(left, len(put.data))) for put in puts]
    sums = iter(digests.result())
    outcomes = store.commit_each([put.proposal(sums, own) for put, own in zip(puts, blobs, strict=True)])
    for put, own, outcome in zip(puts, blobs, outcomes, strict=True):
        _let_go(store, put, own, outcome)
    return outcomes


def _let_go(store: Store, put: Placing, blobs: Sequence[Blob], outcome: list[ObjectInfo] | Exception) -> None:
    """Disclaims what a put has written and will not name."""
    if not isinstance(outcome, Exception):
        if put.request:
            store.disclaim(unneeded(blobs, outcome))
    elif isinstance(outcome, MaruError) and not isinstance(outcome, NOT_A_REFUSAL):
        store.disclaim(extent for blob in blobs for extent in blob)
