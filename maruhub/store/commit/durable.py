"""Whether bytes that a change names are durable, where this process can't sync them itself.

Another process appended them: no sync of this turn's covers them. They count only if an
earlier turn made them durable.
"""

from __future__ import annotations

from collections.abc import Mapping, Set

from maruhub.errors import Unavailable
from maruhub.store.commit.staging import TurnRows
from maruhub.store.format.extent import Extent
from maruhub.store.format.keys import layout_key
from maruhub.store.format.layout import decode_layout
from maruhub.store.format.liveness import extent_prefix
from maruhub.store.format.row import Row
from maruhub.store.protocol import prefix_end


def require_durable(turn: TurnRows, staged: Mapping[bytes, bytes], foreign: Set[int]) -> None:
    """Raises Unavailable if staged rows name bytes in ``foreign`` segments that may get lost."""
    closed = _closed(turn, foreign)
    for key, raw in staged.items():
        for extent in Row(key, raw).extents:
            if extent.segment in foreign and extent.segment not in closed and not _is_named(turn, extent):
                raise Unavailable(
                    f"Bytes in segment {extent.segment:016x} were appended by another process, and nothing "
                    f"says that they are durable.",
                    hint="Write them again.",
                )


def _closed(turn: TurnRows, segments: Set[int]) -> set[int]:
    """Segments that are on record as closed: all in them was synced before."""
    listed = sorted(segments)
    keys = [layout_key(segment) for segment in listed]
    raws = turn.get_many(keys)
    return {
        segment
        for segment, key, raw in zip(listed, keys, raws, strict=True)
        if raw is not None and decode_layout(segment, Row(key, raw).payload).closed
    }


def _is_named(turn: TurnRows, extent: Extent) -> bool:
    """Whether a row names it already: then the turn of that row made it durable."""
    prefix = extent_prefix(extent.segment, extent.offset)
    return bool(turn.scan(prefix, prefix_end(prefix), 1, reverse=False))
