"""An object that is too large for one request: sent in parts, named at the end."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from maruhub.errors import MaruError
from maruhub.namespace import PutItem
from maruhub.remote.object import RemoteObject
from maruhub.remote.putting import WRITE_BYTES, encode_part

if TYPE_CHECKING:
    from maruhub.remote.transport import Transport

_PART_BYTES: Final = WRITE_BYTES


class Uploading:
    """One upload.

    Args:
        transport: Where to.
        bucket: Which; it is made if it is not there.
        item: Key and what else is to be known; its data are the beginning of the object.
        if_match: Only if the current ETag is this one.
    """

    def __init__(self, transport: Transport, bucket: str, item: PutItem, *, if_match: str | None) -> None:
        self._transport = transport
        self._where: dict[str, Any] = {"bucket": bucket, "key": item.key}
        self._item = item
        self._conditions = {"if_match": if_match, "if_none_match": item.if_none_match}

    def run(self, stream: BinaryIO | None) -> RemoteObject:
        """Sends the beginning, then what ``stream`` still gives; nothing stays of it on an error."""
        item = self._item
        upload_id = self._call(
            "begin",
            content_type=item.content_type,
            metadata=None if item.metadata is None else dict(item.metadata),
        )
        try:
            etags = self._send(upload_id, stream)
            return RemoteObject.of(
                self._call("complete", upload_id=upload_id, etags=etags, **self._conditions)
            )
        except BaseException:
            with contextlib.suppress(MaruError):
                self._call("abort", upload_id=upload_id)
            raise

    def _send(self, upload_id: str, stream: BinaryIO | None) -> list[str]:
        first = memoryview(self._item.data).cast("B")
        etags: list[str] = []
        for at in range(0, len(first), _PART_BYTES):
            etags.append(self._part(upload_id, len(etags) + 1, first[at : at + _PART_BYTES]))
        while stream is not None and (data := _read(stream)):
            etags.append(self._part(upload_id, len(etags) + 1, memoryview(data)))
        return etags

    def _part(self, upload_id: str, number: int, data: memoryview) -> str:
        where = {**self._where, "upload_id": upload_id, "number": number}
        return str(json.loads(self._transport.post("write", encode_part(where, data)))["etag"])

    def _call(self, what: str, **arguments: Any) -> Any:
        return self._transport.call(f"upload.{what}", **self._where, **arguments)


def _read(stream: BinaryIO) -> bytes:
    """A whole part of what is left."""
    data = stream.read(_PART_BYTES)
    while data and len(data) < _PART_BYTES and (more := stream.read(_PART_BYTES - len(data))):
        data += more
    return data
