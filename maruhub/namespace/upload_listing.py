"""Listing uploads under way, by key and age, as S3's ListMultipartUploads.

A seek an upload: its parts, up to ten thousand rows, and what lies below a common prefix are
passed over.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from maruhub.namespace.bucket import Bucket
from maruhub.namespace.names import KEY_BYTES_MAX
from maruhub.namespace.part import (
    MultipartUpload,
    decode_upload,
    split_row_key,
    upload_row_key,
    uploads_range,
)
from maruhub.store.protocol import Store, prefix_end


@dataclass(frozen=True, slots=True)
class UploadPage:
    """A page of uploads under way.

    Args:
        uploads: By key, the oldest first.
        prefixes: Common prefixes, each once.
        next_key: ``key_marker`` of the next page, empty if this was the last.
        next_upload: ``upload_marker`` of the next page; empty behind a common prefix.
    """

    uploads: list[MultipartUpload]
    prefixes: list[str]
    next_key: str = ""
    next_upload: str = ""


def all_uploads(store: Store, bucket: Bucket, prefix: bytes = b"") -> Iterator[MultipartUpload]:
    """All uploads into a bucket to keys with a prefix, one after the other."""
    start, stop = uploads_range(bucket, prefix)
    while rows := store.scan(start, stop, 1):
        yield decode_upload(bucket, rows[0])
        start = prefix_end(rows[0].key[:-2])


class UploadWalk:
    """One page in the making."""

    def __init__(self, store: Store, bucket: Bucket, prefix: bytes, delimiter: bytes) -> None:
        self._store = store
        self._bucket = bucket
        self._prefix = prefix
        self._delimiter = delimiter

    def page(self, key_marker: bytes, upload_marker: int, limit: int) -> UploadPage:
        """The page behind an upload of a key; behind all of them if ``upload_marker`` is 0."""
        uploads: list[MultipartUpload] = []
        prefixes: list[str] = []
        start, stop = uploads_range(self._bucket, self._prefix)
        cursor = max(start, self._behind(key_marker[:KEY_BYTES_MAX], upload_marker))
        last = ("", "")
        while cursor < stop and limit and (rows := self._store.scan(cursor, stop, 1)):
            if len(uploads) + len(prefixes) == limit:
                return UploadPage(uploads, prefixes, *last)
            row = rows[0]
            common = self._common(split_row_key(row.key)[0])
            if common is not None:
                prefixes.append(common.decode())
                last = (prefixes[-1], "")
                cursor = uploads_range(self._bucket, common)[1]
            else:
                uploads.append(upload := decode_upload(self._bucket, row))
                last = (upload.key, upload.upload_id)
                cursor = prefix_end(row.key[:-2])
        return UploadPage(uploads, prefixes)

    def _behind(self, key: bytes, upload: int) -> bytes:
        """Where rows begin that may be shown."""
        if not key:
            return b""
        common = self._common(key) if key.startswith(self._prefix) else None
        if common is not None:
            return uploads_range(self._bucket, common)[1]
        if upload:
            return prefix_end(upload_row_key(self._bucket, key, upload)[:-2])
        # No row of the key itself goes on with a byte above the 0 that ends it.
        return uploads_range(self._bucket, key + b"\0")[0]

    def _common(self, key: bytes) -> bytes | None:
        """The common prefix that stands for ``key``, None if it stands for itself."""
        if not self._delimiter:
            return None
        at = key.find(self._delimiter, len(self._prefix))
        return None if at < 0 else key[: at + len(self._delimiter)]
