"""Putting records into the index: the same for a turn, a replay and a rebuild.

A record sets its row, moves the reference rows that follow from it, and keeps the marks
of open segments. Knows nothing of payloads but the layouts' own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from maruhub.index.protocol import IndexTxn
from maruhub.store.format.keys import LAYOUT_PREFIX, open_key, segment_of
from maruhub.store.format.layout import decode_layout
from maruhub.store.format.liveness import reference_keys
from maruhub.store.format.row import Row

Record = tuple[bytes, bytes]
"""Key and row value."""


def apply_records(
    txn: IndexTxn, records: Mapping[bytes, bytes], *, held: Mapping[bytes, bytes | None]
) -> None:
    """Sets the rows of ``records``; ``held`` is what the index holds of them now."""
    removed: set[bytes] = set()
    added: dict[bytes, bytes] = {}
    for key, raw in records.items():
        row = Row(key, raw)
        if (old_raw := held[key]) is not None:
            removed.update(reference_keys(Row(row.key, old_raw)))
        if row.gone:
            removed.add(row.key)
        else:
            added.update(dict.fromkeys(reference_keys(row), row.key))
            added[row.key] = row.raw
        if row.key.startswith(LAYOUT_PREFIX):
            _mark_open(row, added, removed)
    if removed := removed - added.keys():
        txn.remove_many(sorted(removed))
    txn.put_many(sorted(added.items()))


def apply_newer(txn: IndexTxn, records: Sequence[Record]) -> None:
    """Replays records in order, but leaves rows alone that have a higher counter.

    Of a key that comes twice the last record counts.
    """
    last = dict(records)
    held = dict(zip(last, txn.get_many(list(last)), strict=True))
    newer = {
        key: raw
        for key, raw in last.items()
        if (present := held[key]) is None or Row(key, raw).counter >= Row(key, present).counter
    }
    apply_records(txn, newer, held=held)


def _mark_open(row: Row, added: dict[bytes, bytes], removed: set[bytes]) -> None:
    segment = segment_of(row.key)
    if row.gone or decode_layout(segment, row.payload).closed:
        removed.add(open_key(segment))
    else:
        added[open_key(segment)] = b""
