"""A listing of a hub elsewhere, a page at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from maruhub.namespace.handed import Listed
from maruhub.remote.object import RemoteObject

if TYPE_CHECKING:
    from maruhub.remote.transport import Transport


class RemoteListing(Listed[RemoteObject]):
    """Objects in key order. Iterating again reads again; ``len`` walks all pages."""

    def __init__(self, transport: Transport, bucket: str, prefix: str) -> None:
        self._transport = transport
        self._bucket = bucket
        self._prefix = prefix

    def __iter__(self) -> Iterator[RemoteObject]:
        for page in self._pages(None):
            yield from map(RemoteObject.of, page["objects"])

    def __len__(self) -> int:
        return sum(len(page["objects"]) for page in self._pages(None))

    def level(self, delimiter: str) -> Iterator[RemoteObject | str]:
        """One level: objects, and folders as text, in order."""
        for page in self._pages(delimiter):
            named = [(told["key"], RemoteObject.of(told)) for told in page["objects"]]
            both: list[tuple[str, RemoteObject | str]] = [
                *named,
                *((name, name) for name in page["prefixes"]),
            ]
            yield from (entry for _, entry in sorted(both, key=lambda pair: pair[0].encode()))

    def _pages(self, delimiter: str | None) -> Iterator[dict[str, Any]]:
        after: str | None = ""
        while after is not None:
            page = self._transport.call(
                "bucket.page",
                bucket=self._bucket,
                prefix=self._prefix,
                delimiter=delimiter,
                start_after=after,
            )
            after = page["next_start_after"]
            yield page
