"""What other logs say of a segment whose own files can't be read.

Strips of a segment that is no more may come back, with the power or with a blade that was
away when it was removed. They must not keep an index from being made.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from maruhub.index.protocol import Index
from maruhub.store.format.batch import BatchHead, iter_records
from maruhub.store.format.keys import STATE_KEY, layout_key
from maruhub.store.format.row import Row
from maruhub.store.format.state import decode_state
from maruhub.store.recover.chain import Chain
from maruhub.store.recover.log_search import Unread


def require_read(
    unread: Mapping[int, Unread], turns: Sequence[tuple[BatchHead, Chain]], index: Index | None
) -> None:
    """Raises why a segment can't be read, unless it is no more.

    The act that cut a segment stands in another one, so strips that no layout row knows are
    nobody's. A log may be the only one that knows of itself: it is passed over only where a
    turn says that its segment was removed.

    Args:
        unread: What couldn't be read.
        turns: Those that count and that no checkpoint covers, with their chains.
        index: As it is before the replay; None if it is to be made anew.
    """
    if not unread:
        return
    said = _last_words({layout_key(segment): segment for segment in unread}, turns)
    for segment, why in unread.items():
        if said.get(segment, _is_on_record(index, segment) or why.has_log):
            raise why.error


def _last_words(segments: Mapping[bytes, int], turns: Sequence[tuple[BatchHead, Chain]]) -> dict[int, bool]:
    """Whether the last turn that names a segment's layout keeps it, by segment."""
    newest: dict[int, Row] = {}
    for head, chain in turns:
        for row in _rows(chain, head.offset, segments):
            segment = segments[row.key]
            if segment not in newest or row.counter >= newest[segment].counter:
                newest[segment] = row
    return {segment: not row.gone for segment, row in newest.items()}


def _rows(chain: Chain, offset: int, keys: Collection[bytes]) -> list[Row]:
    batch = chain.batch_at(offset)
    return [Row(key, raw) for key, raw in iter_records(*batch) if key in keys] if batch else []


def _is_on_record(index: Index | None, segment: int) -> bool:
    if index is None:
        return False
    state, layout = index.get_many([STATE_KEY, layout_key(segment)])
    return layout is not None and bool(decode_state(state).counter)
