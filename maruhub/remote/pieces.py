"""One object of any size, piece by piece, over any number of cuts."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from maruhub.errors import Conflict, MaruError
from maruhub.remote.reading import Answer, read_to_end
from maruhub.wire.stream import Event, Window

if TYPE_CHECKING:
    from maruhub.remote.object import RemoteObject
    from maruhub.remote.transport import Transport


_EXTENT_BYTES: Final = 1 << 20
"""Where extents of an object begin that was put in one piece; a stream begins at one."""


def read_range(transport: Transport, info: RemoteObject, start: int, stop: int) -> Iterator[memoryview]:
    """Bytes ``start … stop`` of exactly this version, in pieces of at most 1 MiB.

    Raises:
        Unavailable: The hub did not answer for as long as patience lasts.
        MaruError: What the hub says of it, such as that the version is gone.
    """
    stop = min(stop, info.size)
    if start >= stop:
        return
    assembled = "-" in info.etag
    at = 0 if assembled else start - start % _EXTENT_BYTES
    with contextlib.closing(read_to_end(transport, lambda done: _Answer(info, done), at)) as pieces:
        for piece in pieces:
            if cut := piece[max(start - at, 0) : stop - at]:
                yield cut
            at += len(piece)
            if at >= stop:
                return
    raise Conflict(
        f"maru://{info.bucket}/{info.key} has {at} bytes, not {info.size}.", hint="Ask for it anew."
    )


class _Answer(Answer[memoryview]):
    """The bytes from ``done`` on, where an extent begins."""

    def __init__(self, info: RemoteObject, done: int) -> None:
        named = {"bucket": info.bucket, "keys": [info.key], "version_ids": [info.version_id]}
        super().__init__({"format": 1, "objects": [named], "skip_bytes": done})

    def heard(self, event: Event) -> Iterator[memoryview]:
        if isinstance(event, Window):
            for part in event.parts:
                if isinstance(part, MaruError):
                    raise part
                yield part
