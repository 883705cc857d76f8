"""Uploads into buckets that were deleted meanwhile: nobody can complete or abort them any more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from maruhub.care.reclaim.objects import bucket_hold, bucket_of, removal_below
from maruhub.care.reclaim.part import Finding
from maruhub.namespace.part import uploads_range
from maruhub.store.protocol import Change, Store, scan_all


class StrandedUploads:
    """Rows ``U`` below a deleted bucket; they stay for as long as the bucket can be brought back."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def findings(self) -> Iterator[Finding]:
        """See ``Part.findings``."""
        for bucket_row in scan_all(self._store, b"B\0", b"B\1"):
            bucket = bucket_of(bucket_row)
            if bucket is None:
                continue
            hold = bucket_hold(bucket, self._store.pool_time_us())
            until_us = max(bucket.eradicate_at_us, bucket.retain_until_us)
            for row in scan_all(self._store, *uploads_range(bucket)):
                yield Finding(
                    "upload", f"maru://{bucket.name}", row.key, row.extents_raw, row.time_us, until_us, hold,
                    "", (bucket_row.key,),
                )  # fmt: skip

    def removal(self, found: Sequence[Finding]) -> Change[list[bytes]]:
        """See ``Part.removal``; once a bucket is back, its row is not where it was."""
        return removal_below(found, lambda bucket, _row, now_us: bucket_hold(bucket, now_us))
