"""Which bytes a change may name, where this process's own next sync doesn't cover them.

Another process may have appended them: they count only if an earlier turn made them
durable. And whatever is named must still be there: an act may have left it out. Both are
asked inside the turn, so nothing can come between the answer and the commit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set

from maruhub.errors import Conflict, Unavailable
from maruhub.store.commit.staging import TurnRows
from maruhub.store.format.extent import Extent
from maruhub.store.format.keys import layout_key
from maruhub.store.format.layout import Layout, decode_layout
from maruhub.store.format.liveness import extent_prefix
from maruhub.store.format.row import Row
from maruhub.store.protocol import prefix_end


def require_named(
    turn: TurnRows,
    staged: Mapping[bytes, bytes],
    others: Set[int],
    *,
    is_synced: Callable[[int], bool],
) -> None:
    """Raises Unavailable if staged rows name bytes that may get lost, or are gone.

    Args:
        turn: The rows as the turn sees them.
        staged: Row values by key.
        others: Segments whose log is not this process's to sync.
        is_synced: Whether this process itself made all it appended to a segment durable.
    """
    layouts = _layouts(turn, sorted(others))
    for key, raw in staged.items():
        for extent in Row(key, raw).extents:
            if extent.segment in others:
                _require(turn, extent, layouts.get(extent.segment), is_synced)


def _require(turn: TurnRows, extent: Extent, layout: Layout | None, is_synced: Callable[[int], bool]) -> None:
    # No layout: the segment is gone, or was never on record. This process may still know of it.
    if layout is None or (layout.strips and not layout.is_unabridged and not _is_kept(turn, extent, layout)):
        raise Unavailable(
            f"Bytes in segment {extent.segment:016x} were named too late, or never kept: no segment holds them.",
            hint="Write them again.",
        )
    if layout.closed:
        return
    if not is_synced(extent.segment) and not _is_named(turn, extent):
        raise Unavailable(
            f"Bytes in segment {extent.segment:016x} were appended by another process, and nothing "
            f"says that they are durable.",
            hint="Write them again.",
        )


def require_whole(
    turn: TurnRows, whole: Sequence[tuple[Sequence[int], int]], *, is_open: Callable[[int], bool]
) -> None:
    """Raises Conflict if bytes of a segment that a row names as a whole are gone.

    ``whole``: segments, and the counter as of which what is named in them was alive.
    """
    for segments, snapshot in whole:
        layouts = _layouts(turn, segments)
        for segment in segments:
            layout = layouts.get(segment)
            lost = layout.strips is not None and layout.strips.dropped > snapshot if layout else True
            if lost and not is_open(segment):
                raise Conflict(
                    f"Segment {segment:016x} was rewritten while a version that names it was made.",
                    hint="Try again.",
                )


def _layouts(turn: TurnRows, segments: Sequence[int]) -> dict[int, Layout]:
    keys = [layout_key(segment) for segment in segments]
    rows = zip(segments, keys, turn.get_many(keys), strict=True)
    return {
        segment: decode_layout(segment, row.payload)
        for segment, key, raw in rows
        if raw is not None and not (row := Row(key, raw)).gone
    }


def _is_kept(turn: TurnRows, extent: Extent, layout: Layout) -> bool:
    """Whether acts have kept it: what nothing named is gone, or zeros beside what lives in its page."""
    return layout.range_of(extent.offset, extent.length) is not None and _is_named(turn, extent)


def _is_named(turn: TurnRows, extent: Extent) -> bool:
    """Whether a row names it already: then the turn of that row made it durable."""
    prefix = extent_prefix(extent.segment, extent.offset)
    return bool(turn.scan(prefix, prefix_end(prefix), 1, reverse=False))
