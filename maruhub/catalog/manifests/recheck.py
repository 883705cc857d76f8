"""Whether what a draft points to still lives, where segments were rewritten since its snapshot.

An act on a segment doesn't say which bytes it left out, only that it did. Bytes that a row
of an object names now were never left out: nothing dead is ever named again. So a draft
that was overtaken by acts is looked over, instead of being made anew.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
import numpy.typing as npt

from maruhub.catalog.manifests.fragment import Fragment
from maruhub.catalog.manifests.pointing import blob_extents
from maruhub.store.format.keys import layout_key
from maruhub.store.format.layout import decode_layout
from maruhub.store.format.liveness import REFERENCE_PREFIX
from maruhub.store.protocol import Store, get, prefix_end, scan_all

_OFFSET: Final = slice(10, 18)
_PAGE: Final = 5000


def later_snapshot(store: Store, fragments: Iterable[Fragment], since: int) -> int | None:
    """A counter as of which all that new fragments point to was alive; None: it isn't, or who knows.

    Args:
        store: Where they were appended.
        fragments: Of the draft.
        since: Its snapshot so far.
    """
    snapshot = store.commit(lambda rows: rows.counter)
    alive: dict[int, npt.NDArray[np.uint64] | None] = {}
    for fragment in fragments:
        if fragment.blob is None or not fragment.segments:
            continue
        extents = blob_extents(store, fragment.blob)
        if extents is None:
            return None
        for segment in fragment.segments:
            if segment not in alive:
                alive[segment] = _named(store, segment) if _was_rewritten(store, segment, since) else None
            named = alive[segment]
            if named is not None:
                offsets = extents["offset"][extents["segment"] == segment]
                if not np.isin(offsets, named).all():
                    return None
    return snapshot


def _was_rewritten(store: Store, segment: int, since: int) -> bool:
    row = get(store, layout_key(segment))
    if row is None:
        return True
    strips = decode_layout(segment, row.payload).strips
    return strips is not None and strips.dropped > since


def _named(store: Store, segment: int) -> npt.NDArray[np.uint64]:
    """Offsets in a segment that rows name themselves."""
    start = REFERENCE_PREFIX + segment.to_bytes(8, "big")
    rows = scan_all(store, start, prefix_end(start), page=_PAGE)
    offsets = b"".join([row.key[_OFFSET] for row in rows])
    return np.frombuffer(offsets, ">u8").astype(np.uint64)
