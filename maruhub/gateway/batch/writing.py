"""Many small objects in one request, one commit: all of them, or none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from maruhub import argument
from maruhub.errors import InvalidData, InvalidInput, MaruError
from maruhub.gateway.batch.fields import I63_MAX, Fields, check_texts
from maruhub.gateway.batch.rights import Allowed, make_bucket, require
from maruhub.namespace import PutItem
from maruhub.wire.stream import Begin, StreamReader, Window

if TYPE_CHECKING:
    from maruhub.namespace import Namespace, ObjectInfo

BODY_MAX: Final = 64 << 20


@dataclass(frozen=True, slots=True)
class Write:
    """Objects to be stored in one commit; ``if_match`` only of a single one."""

    bucket: str
    items: tuple[PutItem, ...]
    request: bytes
    create_bucket: bool
    if_match: str | None = None


@dataclass(frozen=True, slots=True)
class WritePart:
    """A part of an upload."""

    bucket: str
    key: str
    upload_id: str
    number: int
    data: memoryview | bytes


def parse_write(body: bytes) -> Write | WritePart:
    """A write request; InvalidInput (InvalidData for bytes that are not what they say)."""
    if len(body) > BODY_MAX:
        raise InvalidInput(f"a write has at most {BODY_MAX} bytes, not {len(body)}.", hint="Send several.")
    reader = StreamReader()
    about: dict[str, Any] = {}
    blobs: list[list[memoryview]] = [[]]
    for event in reader.feed(body):
        if isinstance(event, Begin):
            about = event.about
            check_texts(about, "the request")
        elif isinstance(event, Window):
            for part, more in zip(event.parts, event.more, strict=True):
                if isinstance(part, MaruError):
                    raise InvalidData("a write holds no failed items.")
                blobs[-1].append(part)
                if not more:
                    blobs.append([])
    if not reader.ended:
        raise InvalidData("the body is cut: its last frame is missing.", hint="Send it again.")
    return _part(about, blobs[:-1]) if "part" in about else _write(about, blobs[:-1])


def _part(about: dict[str, Any], blobs: Sequence[list[memoryview]]) -> WritePart:
    fields = Fields(about["part"], "the part")
    if len(blobs) != 1:
        raise InvalidInput(f"a part is one item, not {len(blobs)}.")
    where = (fields.text("bucket"), fields.text("key"), fields.text("upload_id"), fields.whole("number"))
    fields.done()
    return WritePart(*where, _joined(blobs[0]))


def _joined(blob: list[memoryview]) -> memoryview | bytes:
    return blob[0] if len(blob) == 1 else b"".join(blob)


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
    # Its condition is taken out of an item before the item is read.
    if_match = _if_match(items)
    write = Write(
        bucket=fields.text("bucket"),
        items=tuple(_item(item, blob) for item, blob in zip(items, blobs, strict=True)),
        if_match=if_match,
        request=request,
        create_bucket=fields.flag("create_bucket", False),
    )
    fields.done()
    return write


def _if_match(items: Sequence[object]) -> str | None:
    """The condition of a single item; taken out of it."""
    given = [item.pop("if_match") for item in items if isinstance(item, dict) and "if_match" in item]
    if not given:
        return None
    if len(items) > 1:
        raise InvalidInput("if_match is for a write of one item.")
    return argument.text("if_match", given[0])


def _item(value: object, blob: list[memoryview]) -> PutItem:
    fields = Fields(value, "an item")
    metadata = fields.take("metadata", None)
    item = PutItem(
        fields.text("key"),
        _joined(blob),
        content_type=fields.maybe_text("content_type"),
        metadata=None if metadata is None else argument.mapping("metadata", metadata),
        mtime_ns=fields.maybe_whole("mtime_ns", low=-I63_MAX, high=I63_MAX),
        if_none_match=fields.flag("if_none_match", False),
    )
    fields.done()
    return item


def put(ns: Namespace, write: Write, allowed: Allowed, *, owner: str = "") -> list[ObjectInfo]:
    """Stores the items in one commit, if the caller may put every one of them.

    A bucket that is made belongs to ``owner``, a user, or to nobody.

    Raises:
        Refused: They may not, or the bucket is not there and they may not make it.
        MaruError: As a put raises it; nothing was stored then.
    """
    if write.create_bucket:
        make_bucket(ns, write.bucket, allowed, owner)
    for item in write.items:
        require(allowed, "s3:PutObject", write.bucket, item.key)
        if write.if_match is not None:  # what comes of it tells what is there
            require(allowed, "s3:GetObject", write.bucket, item.key)
    how: dict[str, Any] = {"request": write.request}
    if write.if_match is None:
        return ns.objects.put_many(write.bucket, write.items, **how)
    (item,) = write.items
    named = {name: getattr(item, name) for name in ("content_type", "metadata", "mtime_ns", "if_none_match")}
    return [ns.objects.put(write.bucket, item.key, item.data, if_match=write.if_match, **named, **how)]


def put_part(ns: Namespace, part: WritePart, allowed: Allowed) -> str:
    """Stores a part; its ETag. Sent again it replaces itself."""
    require(allowed, "s3:PutObject", part.bucket, part.key)
    size = len(part.data)
    upload = ns.uploads.part(part.bucket, part.key, part.upload_id, part.number, size_bytes=size)
    try:
        upload.write(part.data)
        return upload.commit().etag
    except BaseException:
        upload.abort()
        raise
