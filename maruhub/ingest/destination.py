"""Where an ingest lands: a bucket's keys, in this hub or in one elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from maruhub.errors import NoSuchBucket
from maruhub.ingest.entry import Stream
from maruhub.ingest.report import Report
from maruhub.ingest.reports import Reports
from maruhub.ingest.room import Room
from maruhub.namespace import Namespace, ObjectInfo, PutItem
from maruhub.namespace.copying import metadata_change
from maruhub.namespace.tally import counted
from maruhub.store.protocol import Rows


class Held(Protocol):
    """What a key holds: an object of a hub."""

    @property
    def size(self) -> int: ...

    @property
    def etag(self) -> str: ...

    @property
    def sha256(self) -> bytes: ...

    @property
    def mtime_ns(self) -> int | None: ...

    @property
    def metadata(self) -> Mapping[str, str]: ...


class Update(NamedTuple):
    """Other labels or another time for the bytes that a key holds.

    ``metadata`` joins what is there. ``if_match``: only while the key holds these bytes.
    """

    key: str
    metadata: Mapping[str, str]
    mtime_ns: int | None
    if_match: str | None


class Destination(Protocol):
    """Takes objects in. Each method is durable when it returns, and safe from many threads."""

    def look_up(self, bucket: str, keys: Sequence[str]) -> Sequence[Held | None]:
        """What keys hold; None for nothing, also where there is no such bucket."""

    def taken(self, sizes: Sequence[int]) -> AbstractContextManager[int]:
        """Room for the first of some objects while the body puts them, and how many that are; NoSpace."""

    def put_many(self, bucket: str, items: Sequence[PutItem]) -> None:
        """Puts objects in one commit. The bucket is made if there is none."""

    def put_stream(self, bucket: str, item: PutItem, stream: Stream) -> int:
        """Puts an object whose bytes are a stream's, not ``item``'s; how many they were."""

    def update(self, bucket: str, updates: Sequence[Update]) -> None:
        """Changes what is known of objects, in one commit."""

    def create_bucket(self, bucket: str) -> None:
        """Makes a bucket that is not there."""

    def keep(self, report: Report) -> None:
        """Keeps a report in the place of the last one of its source."""


class HubDestination:
    """This hub.

    Args:
        ns: Its names.
    """

    def __init__(self, ns: Namespace) -> None:
        self._ns = ns
        self._room = Room(ns.store)

    def look_up(self, bucket: str, keys: Sequence[str]) -> Sequence[Held | None]:
        """See :class:`Destination`."""
        try:
            return self._ns.objects.head_many(bucket, keys)
        except NoSuchBucket:
            return [None] * len(keys)

    def taken(self, sizes: Sequence[int]) -> AbstractContextManager[int]:
        """See :class:`Destination`."""
        return self._room.taken(sizes)

    def put_many(self, bucket: str, items: Sequence[PutItem]) -> None:
        """See :class:`Destination`."""
        self._ns.objects.put_many(bucket, items, create_bucket=True)

    def put_stream(self, bucket: str, item: PutItem, stream: Stream) -> int:
        """See :class:`Destination`."""
        put = self._ns.objects.put_stream
        return put(
            bucket,
            item.key,
            stream,
            content_type=item.content_type,
            metadata=item.metadata,
            mtime_ns=item.mtime_ns,
            create_bucket=True,
        ).size

    def update(self, bucket: str, updates: Sequence[Update]) -> None:
        """See :class:`Destination`."""
        update_all(self._ns, bucket, updates)

    def create_bucket(self, bucket: str) -> None:
        """See :class:`Destination`."""
        self._ns.buckets.create(bucket, exist_ok=True)

    def keep(self, report: Report) -> None:
        """See :class:`Destination`."""
        Reports(self._ns).keep(report)


def update_all(ns: Namespace, bucket: str, updates: Sequence[Update]) -> list[ObjectInfo]:
    """Changes what is known of objects, in one commit; raises NoSuchKey, PreconditionFailed."""
    changes = [
        metadata_change(
            bucket,
            update.key,
            metadata=update.metadata,
            mtime_ns=update.mtime_ns,
            merge=True,
            if_match=update.if_match,
        )
        for update in updates
    ]

    def change(rows: Rows) -> list[ObjectInfo]:
        return [each(rows) for each in changes]

    return ns.store.commit(counted(change), actor=ns.actor)
