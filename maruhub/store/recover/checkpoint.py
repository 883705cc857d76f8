"""Checkpoints: all rows logged again, so that a rebuild may begin at the newest one.

Written a page a turn beside the writers. Rows changed while it is written have later
records behind it, so the whole is complete although it is of no single moment. Its last
part says at which counter it began and how many parts it has; one without it, or that
lacks a part, counts for nothing but its rows.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from maruhub.index.protocol import AFTER_ALL, IndexTxn
from maruhub.store.commit.apply import Record
from maruhub.store.commit.turn import CommitTurn
from maruhub.store.format.batch import CHECKPOINT, CHECKPOINT_END, BatchHead
from maruhub.store.format.keys import BLADE_PREFIX, CHECKPOINT_KEY, LAYOUT_PREFIX, STATE_KEY
from maruhub.store.format.row import Row, encode_row
from maruhub.store.format.state import decode_state
from maruhub.store.protocol import prefix_end

_ROWS_A_PART: Final = 4096
_LOGGED: Final = (
    (LAYOUT_PREFIX, prefix_end(LAYOUT_PREFIX)),
    (BLADE_PREFIX, prefix_end(BLADE_PREFIX)),
    (b"\x02", AFTER_ALL),
)
"""Keys of the rows that are logged: of the store's own only layouts and states of blades."""
_PAYLOAD: Final = struct.Struct("<QQQ")


class Checkpoint(NamedTuple):
    """``began_after``: the highest counter when it began; every earlier record is in it."""

    began_after: int
    parts: int
    rows: int


def write_checkpoint(turn: CommitTurn) -> Checkpoint:
    """Writes a complete checkpoint; returns what its last part says of it."""
    began: list[int] = []
    parts = rows = 0
    for start, stop in _LOGGED:
        at = start
        while True:
            picked: list[Record] = []

            def pick(
                txn: IndexTxn, at: bytes = at, stop: bytes = stop, picked: list[Record] = picked
            ) -> list[Record]:
                if not began:
                    began.append(decode_state(txn.get_many([STATE_KEY])[0]).counter)
                picked += txn.scan(at, stop, _ROWS_A_PART)
                return picked

            if not turn.relog(pick, CHECKPOINT):
                break
            parts += 1
            rows += len(picked)
            at = picked[-1][0] + b"\0"
    made = Checkpoint(began[0], parts, rows)
    turn.relog(lambda txn: [_end_record(txn, made)], CHECKPOINT | CHECKPOINT_END)
    return made


def _end_record(txn: IndexTxn, made: Checkpoint) -> Record:
    counter = decode_state(txn.get_many([STATE_KEY])[0]).counter
    return CHECKPOINT_KEY, encode_row(_PAYLOAD.pack(*made), counter=counter, time_us=0)


def read_end(records: Iterable[Record]) -> Checkpoint | None:
    """What the last part of a checkpoint says, from its batch's records."""
    for key, raw in records:
        if key == CHECKPOINT_KEY:
            return Checkpoint(*_PAYLOAD.unpack(Row(key, raw).payload))
    return None


def is_complete(made: Checkpoint, end: BatchHead, heads: Sequence[BatchHead]) -> bool:
    """Whether all parts of the checkpoint whose last batch is ``end`` are among ``heads``.

    Those of a later one, which may never have been finished, are not counted.
    """
    parts = [head for head in heads if head.flags == CHECKPOINT and made.began_after < head.first < end.first]
    return len(parts) == made.parts


def is_covered(made: Checkpoint, head: BatchHead) -> bool:
    """Whether a rebuild that has the checkpoint may pass this batch over."""
    return head.last <= made.began_after
