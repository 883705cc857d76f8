"""A bucket as a mapping from key to bytes, and what a mapping has no word for.

No rule about names, versions or deletes is here; those are the namespace's.
"""

from __future__ import annotations

import builtins
import datetime
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, BinaryIO

from maruhub import argument, errors
from maruhub.namespace import PutItem
from maruhub.namespace.handed import Listed, checked_items, items_of
from maruhub.namespace.key_error import NoSuchBucket, as_key_error, as_stated
from maruhub.namespace.reads import no_such_key
from maruhub.namespace.retention import Term, wall_moment
from maruhub.store.protocol import Buffer

if TYPE_CHECKING:
    from maruhub.namespace import Namespace, ObjectInfo
    from maruhub.namespace.past import Event


class Listing(Listed["ObjectInfo"]):
    """Objects in key order, read a page at a time while you iterate.

    Iterating again reads again. ``len`` walks all pages; ``[i]`` walks to the i-th.
    """

    def __init__(self, namespace: Namespace, bucket: str, prefix: str) -> None:
        self._namespace = namespace
        self._bucket = bucket
        self._prefix = prefix

    def __iter__(self) -> Iterator[ObjectInfo]:
        for page in self._namespace.listing.scan(self._bucket, self._prefix):
            yield from page

    def __len__(self) -> int:
        return sum(len(page) for page in self._namespace.listing.scan(self._bucket, self._prefix))


class BucketView(MutableMapping[str, memoryview]):
    """One bucket. It is made by the first put; reading one that is not there raises NoSuchBucket.

    Values are read-only memoryviews, checked against their sums in the very call; they
    stay valid as long as you hold them. ``bytes(view)`` copies.
    """

    def __init__(self, namespace: Namespace, name: str) -> None:
        self.name = argument.text("a bucket's name", name)
        self._namespace = namespace
        self._objects = namespace.objects

    def __repr__(self) -> str:
        return f"<bucket {self.name!r}>"

    def __reduce__(self) -> tuple[Any, ...]:
        raise errors.InvalidInput(
            "a bucket can't be handed to another process.",
            hint="Hand over the hub (there it opens itself anew), and ask it for the bucket.",
        )

    def __getitem__(self, key: str) -> memoryview:
        try:
            return self.get_many([_key(key)])[0]
        except errors.NoSuchBucket as missing:
            raise NoSuchBucket(missing.what, hint=missing.hint) from None

    def __setitem__(self, key: str, data: Buffer) -> None:
        self.put(key, data)

    def __delitem__(self, key: str) -> None:
        if not self._objects.delete_many(self.name, [_key(key)])[0]:
            raise as_key_error(no_such_key(self.name, key))

    def __contains__(self, key: object) -> bool:
        try:
            return isinstance(key, str) and self._objects.head_many(self.name, [key])[0] is not None
        except errors.NoSuchBucket:  # not made yet: the first put does
            return False

    def __iter__(self) -> Iterator[str]:
        """All keys in byte order, a page at a time."""
        return (info.key for info in self.list())

    def __len__(self) -> int:
        """How many objects: walks the whole listing, so it costs time in step with it."""
        return len(self.list())

    def list(self, prefix: str = "") -> Listing:
        """The objects whose key starts with ``prefix``, read as you iterate."""
        return Listing(self._namespace, self.name, _prefix(prefix))

    def folders(self, prefix: str = "", *, delimiter: str = "/") -> Iterator[ObjectInfo | str]:
        """One level below ``prefix``: objects, and as text each folder (ending in ``/``)."""
        argument.text("delimiter", delimiter)
        _prefix(prefix)
        after: str | None = ""
        while after is not None:
            page = self._namespace.listing.page(
                self.name, prefix=prefix, delimiter=delimiter, start_after=after, limit=1000
            )
            level = [(info.key, info) for info in page.objects] + [(name, name) for name in page.prefixes]
            yield from (entry for _, entry in sorted(level, key=lambda pair: pair[0].encode()))
            after = page.next_start_after

    def get_many(self, keys: Iterable[str], *, verify: bool = True) -> builtins.list[memoryview]:
        """The bytes of many keys, in their order; raises the first error there is."""
        found = self._objects.read_many(self.name, argument.texts("keys", keys), verify=verify)
        views = [one for one in found if isinstance(one, memoryview)]
        if len(views) < len(found):
            first = next(one for one in found if isinstance(one, errors.MaruError))
            raise as_key_error(first) if isinstance(first, errors.NoSuchKey) else first
        return views

    def read_many(
        self, keys: Iterable[str], *, verify: bool = True
    ) -> builtins.list[memoryview | errors.MaruError]:
        """As ``get_many``, but one bad key spares the others: its error stands in its place."""
        found = self._objects.read_many(self.name, argument.texts("keys", keys), verify=verify)
        return [one if isinstance(one, memoryview) else as_stated(one) for one in found]

    def pieces(
        self, item: str | ObjectInfo, *, offset: int = 0, length: int | None = None, verify: bool = True
    ) -> Iterator[memoryview]:
        """An object's bytes in pieces of at most 1 MiB, for objects larger than memory.

        ``item`` is a key, or what ``list`` or ``stat`` said of it (saves a look-up). Only
        ``length`` bytes from ``offset`` on (None: to the end): of what lies outside, nothing is read.
        """
        if not isinstance(item, str) and not hasattr(item, "extents_raw"):
            raise argument.wrong("item", item, "a key, or an object of list() or stat()")
        offset, length = argument.byte_range(offset, length)
        info = self.stat(item) if isinstance(item, str) else item
        return self._objects.chunks(info, offset=offset, length=length, verify=verify)

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
    ) -> ObjectInfo:
        """Stores an object durably; ``data`` may be an open binary file of any size.

        Raises:
            PreconditionFailed: the key's ETag is not ``if_match``, or with
                ``if_none_match`` the key exists.
        """
        _key(key)
        how: dict[str, Any] = {
            "content_type": content_type,
            "metadata": None if metadata is None else argument.mapping("metadata", metadata),
            "mtime_ns": mtime_ns,
            "if_match": if_match,
            "if_none_match": if_none_match,
            "create_bucket": True,
        }
        if isinstance(data, bytes | bytearray | memoryview):
            return self._objects.put(self.name, key, data, **how)
        if hasattr(data, "read"):
            return self._objects.put_stream(self.name, key, data, **how)
        raise errors.InvalidInput(
            f"an object is bytes or an open binary file, not {type(data).__name__}.",
            hint="Encode text: text.encode()",
        )

    def put_many(
        self, items: Mapping[str, Buffer] | Iterable[tuple[str, Buffer]]
    ) -> builtins.list[ObjectInfo]:
        """Stores many objects in one commit: all of them, or on an error none."""
        return self.put_items(items_of(items))

    def put_items(self, items: Iterable[PutItem]) -> builtins.list[ObjectInfo]:
        """As ``put_many``, each with its content type, metadata and time."""
        return self._objects.put_many(self.name, checked_items(items), create_bucket=True)

    def stat(self, key: str) -> ObjectInfo:
        """Size, sums, times, metadata; no byte is read."""
        return self._objects.head(self.name, _key(key))

    def copy(self, key: str, to: str, *, bucket: str | None = None) -> ObjectInfo:
        """Another key (perhaps in another bucket) for the same bytes; no byte moves."""
        return self._objects.copy(self.name, _key(key), self._other(bucket), _key(to), create_bucket=True)

    def copy_all(self, prefix: str, to: str, *, bucket: str | None = None) -> int:
        """Copies every object below ``prefix`` to ``to`` + the rest of its key, by reference; how many."""
        other = self._other(bucket)
        return self._objects.copy_prefix(
            self.name, _prefix(prefix), other, argument.text("to", to), create_bucket=True
        )

    def delete_many(self, keys: Iterable[str]) -> builtins.list[bool]:
        """Deletes; True where there was an object. Restorable until the bucket's delay ends."""
        return self._objects.delete_many(self.name, argument.texts("keys", keys))

    def undelete(self, key: str, version_id: str | None = None) -> ObjectInfo:
        """Brings back the newest hidden version of a key, or the one named."""
        if version_id is not None:
            argument.text("version_id", version_id)
        return self._namespace.past.undelete(self.name, _key(key), version_id)

    def history(self, key: str) -> builtins.list[Event]:
        """Who did what to a key, and when, the newest last."""
        return self._namespace.past.history(self.name, _key(key))

    def retain(self, *, until: datetime.date | None = None, for_s: float | None = None) -> datetime.datetime:
        """Lets nothing in this bucket, nor the bucket, be removed for good before a date; when it ends.

        ``until`` is a date or a datetime, ``for_s`` seconds from now. Deleting still hides, and
        can be undone until then. Once set it can be made longer, by nobody shorter.
        """
        bucket = self._namespace.buckets.retain(self.name, Term.of(until, for_s))
        return wall_moment(bucket.retain_until_us, self._namespace.store.pool_time_us())

    def _other(self, bucket: str | None) -> str:
        return self.name if bucket is None else argument.text("bucket", bucket)


def _key(key: str) -> str:
    return argument.text("a key", key)


def _prefix(prefix: str) -> str:
    return argument.text("prefix", prefix)
