"""Uploads in parts, as S3's multipart uploads: parts in any order, from many processes.

What is uploaded counts towards no listing before it is completed. Until then its parts are
kept like anything that a row names; an abort lets go of them at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from maruhub.errors import InvalidInput, InvalidPart, NoSuchUpload, PartTooSmall
from maruhub.namespace.assembly import Assembled, assemble
from maruhub.namespace.bucket import Bucket, find_bucket, find_or_stage_bucket
from maruhub.namespace.digests import Digest
from maruhub.namespace.fields import Fields, check_fields, pack_tail, with_user_fields
from maruhub.namespace.hidden import decode_hidden, hidden_range
from maruhub.namespace.names import encode_key, encode_text
from maruhub.namespace.object import (
    ObjectInfo,
    encode_payload,
    object_prefix,
)
from maruhub.namespace.part import (
    PART_NUMBER_MAX,
    MultipartUpload,
    PartInfo,
    decode_part,
    decode_upload,
    encode_part,
    encode_upload,
    pack_sizes,
    parse_upload_id,
    remove_upload,
    upload_row_key,
)
from maruhub.namespace.put import UNCONDITIONAL, Condition, NewVersion, place
from maruhub.namespace.quotas import EARLY_BYTES, check_room
from maruhub.namespace.stream import Readable, Upload, pour
from maruhub.namespace.tally import counted
from maruhub.namespace.trail import Trail
from maruhub.namespace.upload_listing import UploadPage, UploadWalk, all_uploads
from maruhub.store.format.extent import Blob
from maruhub.store.format.row import Row
from maruhub.store.protocol import Rows, Store, get, prefix_end

PART_BYTES_MIN: Final = 5 << 20
"""Least size of every part but the last, as S3 has it."""

_RETRY_DEPTH: Final = 8


class Uploads:
    """All uploads in parts of a hub. Safe from many threads and processes."""

    def __init__(self, store: Store, actor: str = "") -> None:
        self._store = store
        self._actor = actor

    def begin(
        self,
        bucket: str,
        key: str,
        *,
        content_type: str | None = None,
        metadata: Mapping[str, str] | None = None,
        fields: Fields | None = None,
        create_bucket: bool = False,
    ) -> MultipartUpload:
        """Begins an upload to a key.

        Args:
            bucket: Where; NoSuchBucket unless it exists or ``create_bucket``.
            key: 1 to 1,024 bytes of UTF-8.
            content_type: Of the object to be.
            metadata: The user's own fields of the object to be.
            fields: Further named fields of its row.
            create_bucket: Make the bucket with its defaults if there is none.
        """
        raw_key = encode_key(key)
        tail = with_user_fields(check_fields(fields), content_type, metadata)
        payload = encode_upload(tail)

        def change(rows: Rows) -> MultipartUpload:
            found = find_or_stage_bucket(rows, bucket, create=create_bucket)
            rows.put(upload_row_key(found, raw_key, rows.counter), payload)
            return MultipartUpload(bucket, key, rows.counter, self._actor, rows.time_us, tail)

        return self._store.commit(counted(change), actor=self._actor)

    def get(self, bucket: str, key: str, upload_id: str) -> MultipartUpload:
        """The upload; raises NoSuchUpload, NoSuchBucket."""
        found = find_bucket(self._store, bucket)
        row = get(self._store, upload_row_key(found, encode_key(key), parse_upload_id(upload_id)))
        if row is None:
            raise _no_upload(bucket, key, upload_id)
        return decode_upload(found, row)

    def part(
        self,
        bucket: str,
        key: str,
        upload_id: str,
        number: int,
        *,
        fields: Fields | None = None,
        size_bytes: int = 0,
    ) -> Upload[PartInfo]:
        """Begins part ``number``: ``write`` its bytes, then ``commit``; it replaces one of that number.

        ``fields`` are named fields of its row; ``size_bytes`` is how much will come at least.
        """
        if not 1 <= number <= PART_NUMBER_MAX:
            raise InvalidInput(f"a part has a number of 1 to {PART_NUMBER_MAX}, not {number}.")
        self.get(bucket, key, upload_id)
        raw_key, upload = encode_key(key), parse_upload_id(upload_id)
        if size_bytes >= EARLY_BYTES:
            check_room(self._store, bucket, [], size_bytes)

        def finish(digest: Digest, size: int, blob: Blob, more: Fields) -> PartInfo:
            payload = encode_part(size, digest, {**(fields or {}), **more})

            def change(rows: Rows) -> Row:
                trail.end(rows)
                found = find_bucket(rows, bucket)
                if get(rows, upload_row_key(found, raw_key, upload)) is None:
                    raise _no_upload(bucket, key, upload_id)
                row_key = upload_row_key(found, raw_key, upload, number)
                rows.put(row_key, payload, extents=blob)
                row = get(rows, row_key)
                assert row is not None
                return row

            return decode_part(self._store.commit(counted(change), actor=self._actor))

        trail = Trail(self._store, self._actor)
        return Upload(self._store, finish, trail, expected_bytes=size_bytes)

    def put_part(
        self, bucket: str, key: str, upload_id: str, number: int, stream: Readable, **how: Any
    ) -> PartInfo:
        """Uploads what ``stream.read(n)`` gives as a part; see :meth:`part`."""
        return pour(stream, self.part(bucket, key, upload_id, number, **how))

    def parts(
        self, bucket: str, key: str, upload_id: str, *, after: int = 0, limit: int = 1000
    ) -> list[PartInfo]:
        """At most ``limit`` parts with a number above ``after``, in order; raises NoSuchUpload."""
        self.get(bucket, key, upload_id)
        found = find_bucket(self._store, bucket)
        base = upload_row_key(found, encode_key(key), parse_upload_id(upload_id))[:-2]
        start = base + (min(max(after, 0), PART_NUMBER_MAX) + 1).to_bytes(2, "big")
        return [decode_part(row) for row in self._store.scan(start, prefix_end(base), limit)]

    def all(self, bucket: str, prefix: str = "") -> Iterator[MultipartUpload]:
        """Uploads under way to keys with a prefix: by key, and the oldest first."""
        found = find_bucket(self._store, bucket)
        return all_uploads(self._store, found, encode_text(prefix, "prefix"))

    def page(
        self,
        bucket: str,
        *,
        prefix: str = "",
        delimiter: str = "",
        key_marker: str = "",
        upload_marker: str = "",
        limit: int = 1000,
    ) -> UploadPage:
        """Uploads under way behind ``key_marker`` (and of that key behind ``upload_marker``).

        A key's uploads come oldest first. Keys that hold ``delimiter`` after the prefix are
        rolled up as in a listing.
        """
        if limit < 0:
            raise InvalidInput(f"a page cannot have {limit} entries.", hint="Use a limit of 0 or more.")
        found = find_bucket(self._store, bucket)
        walk = UploadWalk(
            self._store, found, encode_text(prefix, "prefix"), encode_text(delimiter, "delimiter")
        )
        return walk.page(encode_text(key_marker, "key_marker"), parse_upload_id(upload_marker), limit)

    def abort(self, bucket: str, key: str, upload_id: str) -> None:
        """Ends an upload; its bytes are let go of at once. Raises NoSuchUpload."""
        raw_key, upload = encode_key(key), parse_upload_id(upload_id)

        def change(rows: Rows) -> None:
            found = find_bucket(rows, bucket)
            if not remove_upload(rows, found, raw_key, upload):
                raise _no_upload(bucket, key, upload_id)

        self._store.commit(counted(change), actor=self._actor)

    def complete(
        self,
        bucket: str,
        key: str,
        upload_id: str,
        parts: Sequence[tuple[int, str]],
        *,
        if_match: str | None = None,
        if_none_match: bool = False,
        fields: Fields | None = None,
        part_bytes_min: int = PART_BYTES_MIN,
    ) -> ObjectInfo:
        """Makes the object of the parts named, and ends the upload; durable when this returns.

        A second call whose first answer was lost finds the object that the first one made.

        Args:
            bucket: Its bucket.
            key: Its key.
            upload_id: As ``begin`` told.
            parts: Number and ETag of each part, numbers ascending. Others are let go of.
            if_match: Condition on what the key holds, as for a put.
            if_none_match: As well.
            fields: Further named fields of the object's row.
            part_bytes_min: Least size of every part but the last.

        Raises:
            NoSuchUpload: There is none.
            InvalidPart: A part is missing or has another ETag; PartTooSmall.
            PreconditionFailed: The condition fails; the upload goes on.
        """
        raw_key, number = encode_key(key), parse_upload_id(upload_id)
        found = find_bucket(self._store, bucket)
        row = get(self._store, upload_row_key(found, raw_key, number))
        if row is None:
            return self._completed_before(found, key, upload_id)
        tail = decode_upload(found, row).tail | check_fields(fields)
        free = if_match is None and not if_none_match
        condition = UNCONDITIONAL if free else Condition(if_match, if_none_match)
        try:
            rows, infos = self._parts_named(found, raw_key, number, parts, part_bytes_min)
            whole = assemble(self._store, infos)
            new = NewVersion(key, raw_key, _payload_of(whole, infos, tail), whole.blob, condition)
            return self._place(found, number, new, rows)
        except InvalidPart:
            # Another try of the same call, sent again by who had waited too long, may have been faster.
            if get(self._store, row.key) is not None:
                raise
            return self._completed_before(found, key, upload_id)

    def _place(self, bucket: Bucket, number: int, new: NewVersion, rows: Sequence[Row]) -> ObjectInfo:
        """Puts the object of these parts in the upload's place. Raises InvalidPart if they are not what they were."""
        request = _request(number)

        def change(rows_now: Rows) -> ObjectInfo:
            bucket_now = find_bucket(rows_now, bucket.name)
            now = rows_now.get_many([row.key for row in rows])
            if any(one is None or one.counter != row.counter for one, row in zip(now, rows, strict=True)):
                raise InvalidPart(
                    f"maru://{bucket.name}/{new.key}: a part was replaced meanwhile.", hint="Try again."
                )
            if not remove_upload(rows_now, bucket_now, new.raw_key, number):
                raise _no_upload(bucket.name, new.key, f"{number:016x}")
            row_key = object_prefix(bucket_now) + new.raw_key
            return place(rows_now, bucket_now, new, row_key, get(rows_now, row_key), request=request)

        return self._store.commit(counted(change), actor=self._actor, request=request)

    def _parts_named(
        self, bucket: Bucket, raw_key: bytes, number: int, named: Sequence[tuple[int, str]], least: int
    ) -> tuple[list[Row], list[PartInfo]]:
        if not named:
            raise InvalidPart("an upload is completed with one part at least.")
        numbers = [part for part, _ in named]
        if numbers != sorted(set(numbers)) or not 1 <= numbers[0] <= numbers[-1] <= PART_NUMBER_MAX:
            raise InvalidPart("parts must be named once each, in ascending order of their numbers.")
        found = self._store.get_many([upload_row_key(bucket, raw_key, number, part) for part in numbers])
        rows, infos = [], []
        for (part, etag), row in zip(named, found, strict=True):
            info = None if row is None else decode_part(row)
            if row is None or info is None or etag.strip('"') != info.etag:
                raise InvalidPart(f"part {part} was not uploaded, or its ETag is not {etag:.80}.")
            if info.size < least and part != numbers[-1]:
                raise PartTooSmall(f"part {part} has {info.size} bytes; all but the last need {least}.")
            rows.append(row)
            infos.append(info)
        return rows, infos

    def _completed_before(self, bucket: Bucket, key: str, upload_id: str) -> ObjectInfo:
        """The version that an earlier try made; raises NoSuchUpload."""
        request = _request(parse_upload_id(upload_id))
        current = get(self._store, object_prefix(bucket) + encode_key(key))
        if current is not None and current.request == request:
            return ObjectInfo.of_row(bucket.name, current, key)
        start, stop = hidden_range(bucket, encode_key(key), exactly=True)
        for row in self._store.scan(start, stop, _RETRY_DEPTH):
            hidden = decode_hidden(bucket, row)
            if hidden.request == request:
                return hidden.info
        raise _no_upload(bucket.name, key, upload_id)


def _payload_of(whole: Assembled, infos: Sequence[PartInfo], tail: dict[str, Any]) -> bytes:
    opaque = hashlib.md5(b"".join(info.digest.md5 for info in infos), usedforsecurity=False).digest()
    parts = pack_sizes([info.size for info in infos])
    named = tail | ({"parts": parts} if parts else {})
    return encode_payload(Digest(opaque, whole.sha256), whole.size, parts=len(infos), tail=pack_tail(named))


def _request(number: int) -> bytes:
    return b"upload " + number.to_bytes(8, "big")


def _no_upload(bucket: str, key: str, upload_id: str) -> NoSuchUpload:
    return NoSuchUpload(
        f"there is no upload {upload_id:.40} to maru://{bucket}/{key}.",
        hint="It was completed or aborted, or never begun.",
    )
