"""One object of any size, piece by piece, over any number of cuts."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any, Final

from maruhub.errors import Conflict, InvalidData, MaruError
from maruhub.remote.transport import Cut
from maruhub.wire.frame import Buffer
from maruhub.wire.stream import StreamReader, Window

if TYPE_CHECKING:
    from maruhub.remote.object import RemoteObject
    from maruhub.remote.transport import Transport


_EXTENT_BYTES: Final = 1 << 20
"""Where extents of an object begin that was put in one piece; a stream begins at one."""


def read_range(transport: Transport, info: RemoteObject, start: int, stop: int) -> Iterator[memoryview]:
    """Bytes ``start … stop`` of exactly this version, in pieces of at most 1 MiB.

    Raises:
        MaruError: What the hub says of it, such as that the version is gone.
    """
    stop = min(stop, info.size)
    if start >= stop:
        return
    assembled = "-" in info.etag
    at = 0 if assembled else start - start % _EXTENT_BYTES
    with contextlib.closing(_read_from(transport, info, at)) as pieces:
        for piece in pieces:
            if cut := piece[max(start - at, 0) : stop - at]:
                yield cut
            at += len(piece)
            if at >= stop:
                return


def _read_from(transport: Transport, info: RemoteObject, done: int) -> Generator[memoryview]:
    """The bytes from ``done`` on, where an extent begins, each piece verified."""
    patience, checked = transport.patience(), False
    while True:
        reader = StreamReader()
        try:
            with transport.stream(_request(info, done), checked=checked) as chunks:
                for chunk in chunks:
                    for part in _parts(reader, chunk):
                        done += len(part)
                        patience.progress()
                        yield part
            if reader.ended:
                break
            cut: Exception = Cut("the answer was cut")
        except (Cut, InvalidData) as error:
            cut = error
        if done == info.size:
            break
        if isinstance(cut, InvalidData) and not checked:
            checked = True
        elif not patience.failed():
            raise transport.give_up(cut) from cut
    if done != info.size:
        raise Conflict(
            f"maru://{info.bucket}/{info.key} has {done} bytes, not {info.size}.", hint="Ask for it anew."
        )


def _request(info: RemoteObject, done: int) -> dict[str, Any]:
    named = {"bucket": info.bucket, "keys": [info.key], "version_ids": [info.version_id]}
    return {"format": 1, "objects": [named], "skip_bytes": done}


def _parts(reader: StreamReader, chunk: Buffer) -> Iterator[memoryview]:
    for event in reader.feed(chunk):
        if isinstance(event, Window):
            for part in event.parts:
                if isinstance(part, MaruError):
                    raise part
                yield part
