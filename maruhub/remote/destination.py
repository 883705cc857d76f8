"""Where an ingest into a hub elsewhere lands: the source is read here, the objects go over the batch door."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, cast

from maruhub.errors import NoSuchBucket
from maruhub.ingest.destination import Held, Update
from maruhub.namespace import PutItem
from maruhub.remote.bucket import RemoteBucket
from maruhub.remote.object import RemoteObject
from maruhub.remote.putting import WRITE_BYTES

if TYPE_CHECKING:
    from maruhub.ingest import Report
    from maruhub.ingest.entry import Stream
    from maruhub.remote.transport import Transport


class RemoteDestination:
    """As :class:`maruhub.ingest.destination.Destination`; room is the hub's to know.

    Args:
        transport: The way there.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def look_up(self, bucket: str, keys: Sequence[str]) -> Sequence[Held | None]:
        """See :class:`~maruhub.ingest.destination.Destination`."""
        try:
            told = self._transport.call("bucket.stat", bucket=bucket, keys=list(keys))
        except NoSuchBucket:
            return [None] * len(keys)
        return [None if each is None else RemoteObject.of(each) for each in told]

    @contextmanager
    def taken(self, sizes: Sequence[int]) -> Iterator[int]:
        """As many as fit into one request; a larger one goes by itself, in parts."""
        count = total = 0
        for size in sizes:
            total += size
            if count and total > WRITE_BYTES:
                break
            count += 1
        yield count

    def put_many(self, bucket: str, items: Sequence[PutItem]) -> None:
        """See :class:`~maruhub.ingest.destination.Destination`."""
        place = RemoteBucket(self._transport, bucket)
        if len(items) > 1 or memoryview(items[0].data).nbytes <= WRITE_BYTES:
            place.put_items(items)
            return
        large = items[0]
        place.put(
            large.key,
            large.data,
            content_type=large.content_type,
            metadata=large.metadata,
            mtime_ns=large.mtime_ns,
        )

    def put_stream(self, bucket: str, item: PutItem, stream: Stream) -> int:
        """See :class:`~maruhub.ingest.destination.Destination`."""
        return (
            RemoteBucket(self._transport, bucket)
            .put(
                item.key,
                cast("BinaryIO", stream),
                content_type=item.content_type,
                metadata=item.metadata,
                mtime_ns=item.mtime_ns,
            )
            .size
        )

    def update(self, bucket: str, updates: Sequence[Update]) -> None:
        """See :class:`~maruhub.ingest.destination.Destination`."""
        told = [{**each._asdict(), "metadata": dict(each.metadata)} for each in updates]
        self._transport.call("bucket.update", bucket=bucket, updates=told)

    def create_bucket(self, bucket: str) -> None:
        """See :class:`~maruhub.ingest.destination.Destination`."""
        self._transport.call("bucket.create", bucket=bucket)

    def keep(self, report: Report) -> None:
        """See :class:`~maruhub.ingest.destination.Destination`."""
        self._transport.call("bucket.keep_report", bucket=report.bucket, report=report.as_dict())
