"""What a bucket holds, found by looking at everything in it."""

from __future__ import annotations

from maruhub.namespace import Namespace
from maruhub.namespace.hidden import decode_hidden, hidden_range
from maruhub.namespace.usage import Stock, Usage
from maruhub.store.protocol import scan_all


def walked_usage(ns: Namespace, bucket: str) -> Usage:
    """Its usage, by listings and decoded rows instead of the counts."""
    found = [(Stock.OBJECT, info.size) for page in ns.listing.scan(bucket) for info in page]
    for row in scan_all(ns.store, *hidden_range(ns.buckets.get(bucket), b"")):
        hidden = decode_hidden(ns.buckets.get(bucket), row)
        stock = Stock.VERSION if hidden.is_listed else Stock.HIDDEN
        found.append((Stock.MARKER, 0) if hidden.is_marker else (stock, hidden.info.size))
    for upload in ns.uploads.all(bucket):
        parts = ns.uploads.parts(bucket, upload.key, upload.upload_id)
        found += [(Stock.UPLOAD, 0), *((Stock.PART, part.size) for part in parts)]
    return Usage().plus([(share, 1) for share in found])
