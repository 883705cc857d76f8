"""Uploads into buckets that were deleted meanwhile: nobody can complete or abort them any more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from maruhub.care.reclaim.objects import bucket_hold, bucket_of
from maruhub.care.reclaim.part import Finding
from maruhub.namespace.part import uploads_range
from maruhub.namespace.tally import counted
from maruhub.store.protocol import Change, Rows, Store, scan_all


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

        def change(rows: Rows) -> list[bytes]:
            bucket_keys = list(dict.fromkeys(finding.basis[0] for finding in found))
            there = zip(bucket_keys, rows.get_many(bucket_keys), strict=True)
            buckets = {key: bucket_of(row) for key, row in there if row is not None}
            removed = []
            for finding, row in zip(found, rows.get_many([f.key for f in found]), strict=True):
                bucket = buckets.get(finding.basis[0])
                if row is None or bucket is None or row.key[1:9] != bucket.id_bytes:
                    continue
                if not bucket_hold(bucket, rows.pool_time_us):
                    rows.remove(row.key)
                    removed.append(row.key)
            return removed

        return counted(change)
