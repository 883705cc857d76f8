"""The last report of each source, kept in the hub: rows ``I``.

Key: ``I``, then the first 16 bytes of the SHA-256 of bucket, prefix and source joined by
NUL. Payload: a version byte, 1. The row's extents hold the report as JSON (UTF-8), in a
``meta`` segment; they live as long as the row.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import Final

from maruhub.errors import Corrupt, UnsupportedFormat
from maruhub.ingest.opening import source_name
from maruhub.ingest.report import Report
from maruhub.namespace import Namespace
from maruhub.store.format.extent import Blob
from maruhub.store.format.row import Row
from maruhub.store.format.segment_class import SegmentClass
from maruhub.store.protocol import Rows, get, prefix_end, read, scan_all

_FIRST: Final = b"I"
_VERSION: Final = b"\x01"


class Reports:
    """Reports of the ingests of a hub.

    Args:
        ns: The hub's names; its store keeps the rows.
    """

    def __init__(self, ns: Namespace) -> None:
        self._store = ns.store
        self._actor = ns.actor

    def keep(self, report: Report) -> None:
        """Puts ``report`` in the place of the last one of its source, bucket and prefix."""
        blob = self._append(report.to_json().encode())
        key = _key(report.source, report.bucket, report.prefix)

        def change(rows: Rows) -> None:
            rows.put(key, _VERSION, extents=blob)

        self._store.commit(change, actor=self._actor)

    def _append(self, data: bytes) -> Blob:
        return self._store.append([data], SegmentClass.META)[0]

    def last(self, source: str, bucket: str, prefix: str = "") -> Report | None:
        """The last report of one source into one place, None if it was never ingested."""
        row = get(self._store, _key(source_name(source), bucket, prefix))
        return None if row is None else self._read(row)

    def all(self) -> list[Report]:
        """The last report of every source, newest first; one that can't be read is passed over."""
        reports = []
        for row in scan_all(self._store, _FIRST, prefix_end(_FIRST)):
            with suppress(Corrupt, UnsupportedFormat):
                reports.append(self._read(row))
        return sorted(reports, key=lambda each: -each.started_us)

    def _read(self, row: Row) -> Report:
        if row.payload[:1] != _VERSION:
            raise UnsupportedFormat("an ingest's report has an unknown version.", hint="Upgrade MaruHub.")
        return Report.from_json(bytes(read(self._store, row.extents)))


def _key(source: str, bucket: str, prefix: str) -> bytes:
    place = "\0".join((bucket, prefix, source)).encode()
    return _FIRST + hashlib.sha256(place).digest()[:16]
