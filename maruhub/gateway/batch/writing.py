"""Many small objects in one request, one commit: all of them, or none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from maruhub import argument
from maruhub.errors import InvalidData, InvalidInput, MaruError, NoSuchBucket
from maruhub.gateway.batch.fields import I63_MAX, Fields
from maruhub.gateway.batch.rights import Allowed, require
from maruhub.namespace import PutItem
from maruhub.wire.stream import Begin, StreamReader, Window

if TYPE_CHECKING:
    from maruhub.namespace import Namespace, ObjectInfo

BODY_MAX: Final = 64 << 20


@dataclass(frozen=True, slots=True)
class Write:
    """A write request, whole and verified."""

    bucket: str
    items: tuple[PutItem, ...]
    request: bytes
    create_bucket: bool


def parse_write(body: bytes) -> Write:
    """A write request; InvalidInput (InvalidData for bytes that are not what they say)."""
    if len(body) > BODY_MAX:
        raise InvalidInput(f"a write has at most {BODY_MAX} bytes, not {len(body)}.", hint="Send several.")
    reader = StreamReader()
    about: dict[str, Any] = {}
    blobs: list[list[memoryview]] = [[]]
    for event in reader.feed(body):
        if isinstance(event, Begin):
            about = event.about
        elif isinstance(event, Window):
            for part, more in zip(event.parts, event.more, strict=True):
                if isinstance(part, MaruError):
                    raise InvalidData("a write holds no failed items.")
                blobs[-1].append(part)
                if not more:
                    blobs.append([])
    if not reader.ended:
        raise InvalidData("the body is cut: its last frame is missing.", hint="Send it again.")
    return _write(about, blobs[:-1])


def _write(about: dict[str, Any], blobs: Sequence[list[memoryview]]) -> Write:
    fields = Fields(about, "the request")
    fields.whole("format")
    items = fields.items("items")
    if len(items) != len(blobs):
        raise InvalidInput(f"the request names {len(items)} items, and holds {len(blobs)}.")
    try:
        request = bytes.fromhex(fields.text("request", ""))
    except ValueError:
        raise InvalidInput("request must be hex digits.") from None
    write = Write(
        bucket=fields.text("bucket"),
        items=tuple(_item(item, blob) for item, blob in zip(items, blobs, strict=True)),
        request=request,
        create_bucket=fields.flag("create_bucket", False),
    )
    fields.done()
    return write


def _item(value: object, blob: list[memoryview]) -> PutItem:
    fields = Fields(value, "an item")
    metadata = fields.take("metadata", None)
    item = PutItem(
        fields.text("key"),
        blob[0] if len(blob) == 1 else b"".join(blob),
        content_type=fields.maybe_text("content_type"),
        metadata=None if metadata is None else argument.mapping("metadata", metadata),
        mtime_ns=fields.maybe_whole("mtime_ns", low=-I63_MAX, high=I63_MAX),
        if_none_match=fields.flag("if_none_match", False),
    )
    fields.done()
    return item


def put(ns: Namespace, write: Write, allowed: Allowed) -> list[ObjectInfo]:
    """Stores the items in one commit, if the caller may put every one of them.

    Raises:
        Refused: They may not, or the bucket is not there and they may not make it.
        MaruError: As a put raises it; nothing was stored then.
    """
    for item in write.items:
        require(allowed, "s3:PutObject", write.bucket, item.key)
    if write.create_bucket:
        try:
            ns.buckets.get(write.bucket)
        except NoSuchBucket:
            require(allowed, "s3:CreateBucket", write.bucket)
    return ns.objects.put_many(
        write.bucket, write.items, request=write.request, create_bucket=write.create_bucket
    )
