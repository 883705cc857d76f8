"""A bucket of a hub elsewhere, as a mapping from key to bytes."""

from __future__ import annotations

import builtins
import datetime
import json
from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

from maruhub import argument, errors
from maruhub.namespace import PutItem
from maruhub.namespace.handed import checked_items, items_of
from maruhub.namespace.key_error import NoSuchBucket, as_key_error, as_stated
from maruhub.remote.items import Parts, read_items
from maruhub.remote.listing import RemoteListing
from maruhub.remote.object import RemoteObject
from maruhub.remote.pieces import read_range
from maruhub.remote.putting import WRITE_BYTES, encode_write
from maruhub.remote.term import until_text
from maruhub.remote.uploading import Uploading
from maruhub.wire.frame import Buffer

if TYPE_CHECKING:
    from maruhub.namespace.past import Event
    from maruhub.remote.transport import Transport


class RemoteBucket(MutableMapping[str, memoryview]):
    """As :class:`maruhub.api.bucket.BucketView`. Values are read-only, verified here as they came.

    A value keeps alive what came with it in one piece, some 4 MiB: ``bytes(view)`` to keep few.
    """

    def __init__(self, transport: Transport, name: str) -> None:
        self.name = argument.text("a bucket's name", name)
        self._transport = transport

    def __repr__(self) -> str:
        return f"<bucket {self.name!r} of {self._transport.url}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return RemoteBucket, (self._transport, self.name)

    def __getitem__(self, key: str) -> memoryview:
        try:
            return self.get_many([argument.text("a key", key)])[0]
        except errors.NoSuchBucket as missing:
            raise NoSuchBucket(missing.what, hint=missing.hint) from None

    def __setitem__(self, key: str, data: Buffer) -> None:
        self.put(key, data)

    def __delitem__(self, key: str) -> None:
        if not self.delete_many([argument.text("a key", key)])[0]:
            raise as_key_error(self._missing(key))

    def __contains__(self, key: object) -> bool:
        try:
            return isinstance(key, str) and self._stat([key])[0] is not None
        except errors.NoSuchBucket:
            return False

    def __iter__(self) -> Iterator[str]:
        return (info.key for info in self.list())

    def __len__(self) -> int:
        return len(self.list())

    def list(self, prefix: str = "") -> RemoteListing:
        """The objects whose key starts with ``prefix``, read as you iterate."""
        return RemoteListing(self._transport, self.name, argument.text("prefix", prefix))

    def folders(self, prefix: str = "", *, delimiter: str = "/") -> Iterator[RemoteObject | str]:
        """One level below ``prefix``: objects, and as text each folder (ending in ``/``)."""
        argument.text("delimiter", delimiter)
        return self.list(prefix).level(delimiter)

    def get_many(self, keys: Iterable[str], *, verify: bool = True) -> builtins.list[memoryview]:
        """The bytes of many keys, in their order; raises the first error there is."""
        views = []
        for part in self._read(argument.texts("keys", keys)):
            if isinstance(part, errors.MaruError):
                raise as_stated(part)
            views.append(part)
        return views

    def read_many(self, keys: Iterable[str], *, verify: bool = True) -> Parts:
        """As ``get_many``, but one bad key spares the others: its error stands in its place."""
        read = builtins.list(self._read(argument.texts("keys", keys)))
        missing = next((part for part in read if isinstance(part, errors.NoSuchBucket)), None)
        if missing is not None:
            raise missing
        return [as_stated(part) if isinstance(part, errors.MaruError) else part for part in read]

    def _read(self, keys: builtins.list[str]) -> Iterator[memoryview | errors.MaruError]:
        def ask(done: int) -> dict[str, Any]:
            return {"format": 1, "objects": [{"bucket": self.name, "keys": keys[done:]}]}

        for items in read_items(self._transport, ask):
            yield from items.parts

    def pieces(
        self, item: str | RemoteObject, *, offset: int = 0, length: int | None = None, verify: bool = True
    ) -> Iterator[memoryview]:
        """An object's bytes, or a range of them, in pieces of at most 1 MiB.

        Of an object assembled from parts, what lies before the range is sent too.
        """
        if not isinstance(item, str | RemoteObject):
            raise argument.wrong("item", item, "a key, or an object of list() or stat()")
        offset, length = argument.byte_range(offset, length)
        info = self.stat(item) if isinstance(item, str) else item
        return read_range(self._transport, info, offset, info.size if length is None else offset + length)

    def put(
        self,
        key: str,
        data: Buffer | BinaryIO,
        *,
        content_type: str | None = None,
        metadata: Mapping[str, str] | None = None,
        mtime_ns: int | None = None,
        if_match: str | None = None,
        if_none_match: bool = False,
    ) -> RemoteObject:
        """Stores an object durably; ``data`` may be an open binary file of any size.

        Of more than 60 MiB ``mtime_ns`` is set once it is stored. That needs the right to read it
        too, so the time may be missing: look at the answer's ``mtime_ns``.
        """
        argument.text("a key", key)
        given = None if metadata is None else dict(argument.mapping("metadata", metadata))
        if isinstance(data, bytes | bytearray | memoryview):
            first, stream = data, None
        elif hasattr(data, "read"):
            first, stream = _first(data)
        else:
            raise errors.InvalidInput(
                f"an object is bytes or an open binary file, not {type(data).__name__}.",
                hint="Encode text: text.encode()",
            )
        item = PutItem(key, first, content_type, given, mtime_ns, if_none_match)
        if stream is None and memoryview(first).nbytes <= WRITE_BYTES:
            return self._write([item], if_match=if_match)[0]
        made = Uploading(self._transport, self.name, item, if_match=if_match).run(stream)
        return made if mtime_ns in (None, made.mtime_ns) else self._set_time(made, mtime_ns)

    def _set_time(self, made: RemoteObject, mtime_ns: int | None) -> RemoteObject:
        """An upload in parts has no time of change of its own: it comes after, as far as it can.

        The object is durable by now, so whatever fails here is no failure of the put.
        """
        update: dict[str, Any] = {
            "key": made.key,
            "metadata": {},
            "mtime_ns": mtime_ns,
            "if_match": made.etag,
        }
        try:
            return RemoteObject.of(self._call("update", updates=[update])[0])
        except errors.MaruError:
            return made

    def put_many(
        self, items: Mapping[str, Buffer] | Iterable[tuple[str, Buffer]]
    ) -> builtins.list[RemoteObject]:
        """Stores many objects in one commit: all of them, or on an error none. At most 60 MiB."""
        return self.put_items(items_of(items))

    def put_items(self, items: Iterable[PutItem]) -> builtins.list[RemoteObject]:
        """As ``put_many``, each with its content type, metadata and time."""
        checked = checked_items(items)
        for item in checked:
            if not isinstance(item.data, bytes | bytearray | memoryview):
                raise argument.wrong(f"the data of {item.key}", item.data, "bytes")
        return self._write(checked) if checked else []

    def _write(self, items: Sequence[PutItem], *, if_match: str | None = None) -> builtins.list[RemoteObject]:
        body = encode_write(self.name, items, if_match=if_match)
        told = json.loads(self._transport.post("write", body))
        return [RemoteObject.of(each) for each in told["items"]]

    def stat(self, key: str) -> RemoteObject:
        """Size, sums, times, metadata; no byte is read."""
        found = self._stat([argument.text("a key", key)])[0]
        if found is None:
            raise self._missing(key)
        return found

    def _stat(self, keys: builtins.list[str]) -> builtins.list[RemoteObject | None]:
        told = self._call("stat", keys=keys)
        return [None if each is None else RemoteObject.of(each) for each in told]

    def copy(self, key: str, to: str, *, bucket: str | None = None) -> RemoteObject:
        """Another key (perhaps in another bucket) for the same bytes; no byte moves."""
        argument.text("a key", key)
        told = self._call("copy", key=key, to_bucket=self._other(bucket), to=argument.text("to", to))
        return RemoteObject.of(told)

    def copy_all(self, prefix: str, to: str, *, bucket: str | None = None) -> int:
        """Copies every object below ``prefix`` to ``to`` + the rest of its key, by reference; how many."""
        argument.text("prefix", prefix)
        other, to = self._other(bucket), argument.text("to", to)
        return int(self._call("copy_all", prefix=prefix, to_bucket=other, to=to))

    def delete_many(self, keys: Iterable[str]) -> builtins.list[bool]:
        """Deletes; True where there was an object. Restorable until the bucket's delay ends."""
        listed = argument.texts("keys", keys)
        # Sent twice, the second answer would say that nothing was there.
        deleted: builtins.list[bool] = self._call("delete", again=False, keys=listed)
        return deleted

    def undelete(self, key: str, version_id: str | None = None) -> RemoteObject:
        """Brings back the newest hidden version of a key, or the one named."""
        argument.text("a key", key)
        return RemoteObject.of(self._call("undelete", again=False, key=key, version_id=version_id))

    def history(self, key: str) -> builtins.list[Event]:
        """Who did what to a key, and when, the newest last."""
        from maruhub.namespace.past import Event

        return [Event(**told) for told in self._call("history", key=argument.text("a key", key))]

    def retain(self, *, until: datetime.date | None = None, for_s: float | None = None) -> datetime.datetime:
        """Lets nothing in this bucket be removed for good before a date; see the local bucket's."""
        told = self._call("retain", until=until_text(until, for_s), for_s=for_s)
        return datetime.datetime.fromisoformat(told)

    def _call(self, what: str, *, again: bool = True, **arguments: Any) -> Any:
        return self._transport.call(f"bucket.{what}", again=again, bucket=self.name, **arguments)

    def _other(self, bucket: str | None) -> str:
        return self.name if bucket is None else argument.text("bucket", bucket)

    def _missing(self, key: str) -> errors.NoSuchKey:
        return errors.NoSuchKey(f"maru://{self.name}/{key} does not exist.")


def _first(stream: BinaryIO) -> tuple[bytes, BinaryIO | None]:
    """The beginning of a file, and the file if there may be more."""
    first = stream.read(WRITE_BYTES)
    while len(first) < WRITE_BYTES and (more := stream.read(WRITE_BYTES - len(first))):
        first += more
    return first, stream if len(first) == WRITE_BYTES else None
