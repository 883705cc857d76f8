"""Bringing the index up to the log, and the copies of a log to each other.

Runs when a hub is opened after a power cut, with a lost or an older index, and for a
rebuild. It only reads what docs/format.md, "Which batches count", says, and what it does
can be done twice, so a crash in it needs nothing but the next opening.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Final

from maruhub.errors import BladeLost, Corrupt, ReadOnly, Unavailable
from maruhub.index.protocol import Index, IndexTxn
from maruhub.store.blades import COPIES, Blades
from maruhub.store.commit.apply import apply_newer
from maruhub.store.commit.clock import read_moment
from maruhub.store.commit.turn import read_stamps
from maruhub.store.commit.unborn import Unborn
from maruhub.store.format.batch import CHECKPOINT_END, BatchHead, iter_records
from maruhub.store.format.extent import Extent
from maruhub.store.format.header import log_name
from maruhub.store.format.keys import (
    CHECKPOINT_KEY,
    OPEN_PREFIX,
    STATE_KEY,
    Tail,
    decode_tail,
    encode_tail,
    layout_key,
    segment_of,
    tail_key,
)
from maruhub.store.format.layout import Layout, decode_layout
from maruhub.store.format.liveness import extent_prefix
from maruhub.store.format.row import Row
from maruhub.store.format.state import IndexState, Moment, decode_state, encode_state
from maruhub.store.protocol import prefix_end
from maruhub.store.recover.chain import Chain
from maruhub.store.recover.checkpoint import is_complete, is_covered, read_end
from maruhub.store.recover.evidence import Evidence
from maruhub.store.recover.hearsay import require_read
from maruhub.store.recover.log_search import FoundLog, LogSearch
from maruhub.store.recover.orphans import close_all
from maruhub.store.recover.report import RecoveryReport

_BATCHES_A_TRANSACTION: Final = 256
_OPEN_LOGS_LOOKED_AT: Final = 64

_Turn = tuple[BatchHead, Chain]


class Recovery:
    """Recovery of one pool. The caller holds the recovery lock.

    Args:
        index: Brought up to the log.
        blades: Those that answer.
        pool_id: Whose logs count.
        unborn: Logs that some process has begun and may not have recorded.
    """

    def __init__(self, index: Index, blades: Blades, pool_id: bytes, unborn: Unborn) -> None:
        self._unborn = unborn
        self._index = index
        self._blades = blades
        self._pool_id = pool_id

    def needed(self) -> bool:
        """Whether anything says that the index may be behind the log."""
        state = decode_state(self._index.get_many([STATE_KEY])[0])
        if not self._belongs(state, read_moment()) or dict(state.stamps) != read_stamps(self._blades):
            return True
        marks = self._index.scan(OPEN_PREFIX, prefix_end(OPEN_PREFIX), _OPEN_LOGS_LOOKED_AT)
        looked_at = {segment_of(key) for key, _ in marks} | set(self._unborn.segments())
        return any(self._has_grown(segment) for segment in sorted(looked_at))

    def _has_grown(self, segment: int) -> bool:
        """Whether an open log that nobody writes is longer than the index knows.

        So an older copy of the index put back in place is noticed: whatever came after it
        stands in a log that it calls open, or in a file that it has no stamp of.
        """
        tail = decode_tail(self._index.get_many([tail_key(segment)])[0])
        copies = self._blades.open_copies(log_name(segment), [blade.blade_id for blade in self._blades])
        try:
            return any(copy.file.size() > tail.end and copy.file.lock() for copy in copies)
        except OSError:
            return False
        finally:
            close_all(copies)

    def _belongs(self, state: IndexState, now: Moment) -> bool:
        return (
            state.pool_id == self._pool_id
            and state.boot_id == now.boot_id
            and any(now.boot_id)
            and state.identity == self._index.identity().encode()[:32]
        )

    def run(self, *, rebuild: bool = False, accept_loss: bool = False) -> RecoveryReport:
        """Replays what counts and isn't in the index; ``rebuild`` empties the index first.

        Raises Busy (a rebuild while another process writes) or Corrupt (records that no
        copy has whole; with ``accept_loss`` that log's are left out and reported).
        """
        report = RecoveryReport()
        state = decode_state(self._index.get_many([STATE_KEY])[0])
        # An index that is empty, or of another pool, says nothing about these logs.
        known = state.counter if state.pool_id == self._pool_id else 0
        rebuild = rebuild or state.pool_id != self._pool_id
        marked = self._unborn.segments()  # before anything is listed: what is begun meanwhile stays marked
        search = LogSearch(self._index, self._blades, self._pool_id, report)
        found: list[FoundLog] = []
        try:
            found = search.run(from_start=rebuild, accept_loss=accept_loss)
            if not rebuild and _newest_checkpoint(found) > known:
                # Records that this index has not seen may have been left out since.
                _close(found)
                search.close()
                found = search.run(from_start=True, accept_loss=accept_loss)
                rebuild = True
            if search.unread:
                require_read(search.unread, _counting(found), None if rebuild else self._index)
            if rebuild:
                if not accept_loss:
                    self._require_reachable(found)
                self._index.clear()
            self._replay(found, report, rebuild=rebuild, known=known, accept_loss=accept_loss)
            search.settle_orphans(self._unborn, is_anew=rebuild)
            self._forget_born(marked, search.orphans.left)
        finally:
            search.close()
            _close(found)
        return report

    def _forget_born(self, marked: Sequence[int], stripped: Collection[int]) -> None:
        """Removes the markers of segments that are on record by now, or of which no file is left.

        ``stripped``: those of which strips were found.
        """
        for segment in marked:
            ids = [blade.blade_id for blade in self._blades]
            copies = self._blades.open_copies(log_name(segment), ids)
            is_left = bool(copies) or segment in stripped
            if not is_left or self._index.get_many([layout_key(segment)])[0] is not None:
                self._unborn.remove(segment)
            close_all(copies)

    def pending(self) -> int:
        """Turns that count and that the index has not seen; changes nothing."""
        search = LogSearch(self._index, self._blades, self._pool_id, RecoveryReport(), write=False)
        found = search.run(from_start=False)
        state = decode_state(self._index.get_many([STATE_KEY])[0])
        try:
            if search.unread:
                require_read(search.unread, _counting(found), self._index)
            return sum(head.first > state.counter for item in found for head in item.heads)
        finally:
            for item in found:
                item.chain.close()

    def _require_reachable(self, found: Sequence[FoundLog]) -> None:
        """Refuses a rebuild that can't know whether it has seen every log."""
        present = {blade.blade_id for blade in self._blades}
        named = {blade for item in found for blade in item.chain.header.blades}
        absent = ((named - present) | set(self._blades.missing)) - self._blades.removed
        if len(absent) >= min(COPIES, len(absent | present)):
            raise BladeLost(
                f"{len(absent)} blades do not answer or are not named: logs that lie on no other may be "
                "missing from an index made now.",
                hint="Bring them back. To go on without what only they hold: maru check --accept-loss.",
            )

    def _replay(
        self,
        found: Sequence[FoundLog],
        report: RecoveryReport,
        *,
        rebuild: bool,
        known: int,
        accept_loss: bool,
    ) -> None:
        """Puts all that counts into the index. ``known``: the counter it has once held whole."""
        turns = sorted(
            ((head, item.chain) for item in found for head in item.heads), key=lambda t: t[0].first
        )
        counting = _without_void([head for head, _ in turns])
        turns = [turn for turn in turns if turn[0].first in counting]
        tip = turns[-1:] if turns and turns[-1][0].last > known else []
        turns = turns[: len(turns) - len(tip)]
        if rebuild:
            turns = _since_checkpoint(turns)
        while rebuild and len(turns) > _BATCHES_A_TRANSACTION:
            with self._index.write() as txn:
                _apply(txn, turns[:_BATCHES_A_TRANSACTION])
            report.turns_replayed += _BATCHES_A_TRANSACTION
            turns = turns[_BATCHES_A_TRANSACTION:]
        with self._index.write() as txn:
            state = decode_state(txn.get_many([STATE_KEY])[0])
            # The index holds every turn that counts up to its own counter, and no other.
            turns = [turn for turn in turns if turn[0].first > state.counter]
            _apply(txn, turns)
            for head, chain in tip:
                if head.first > state.counter and self._is_proven(
                    txn, head, chain, report, accept_loss=accept_loss
                ):
                    _apply(txn, tip)
                    report.turns_replayed += 1
                else:
                    counting.discard(head.first)
            counting = {first for first in counting if first > state.counter}
            txn.put_many(_tails_after(found, counting))
            txn.put_many([(STATE_KEY, encode_state(self._fresh_state(state, found, counting)))])
        report.turns_replayed += len(turns)

    def _is_proven(
        self, txn: IndexTxn, head: BatchHead, chain: Chain, report: RecoveryReport, *, accept_loss: bool
    ) -> bool:
        """Whether the last turn's objects reached the drives; all earlier turns are in ``txn``."""

        def is_known(extent: Extent) -> bool:
            prefix = extent_prefix(extent.segment, extent.offset)
            layout = layout_of(extent.segment)
            # What an earlier turn closed was synced by it.
            return bool(txn.scan(prefix, prefix_end(prefix), 1)) or (layout is not None and layout.closed)

        def layout_of(segment: int) -> Layout | None:
            raw = txn.get_many([layout_key(segment)])[0]
            return None if raw is None else decode_layout(segment, Row(layout_key(segment), raw).payload)

        evidence = Evidence(self._blades, chain, is_known, layout_of)
        try:
            proven = evidence.confirms(head)
        except Unavailable as error:
            if not accept_loss:
                raise
            report.problems.append(error.what)
            proven = False
        report.copies_mended += evidence.mended
        return proven

    def _fresh_state(self, state: IndexState, found: Sequence[FoundLog], counting: set[int]) -> IndexState:
        """The state after replay. What was left out isn't counted: later turns pass it over."""
        now = read_moment()
        heads = [head for item in found for head in item.heads if head.first in counting]
        return replace(
            state,
            pool_id=self._pool_id,
            counter=max([state.counter, *(head.last for head in heads)]),
            pool_time_us=max([state.pool_time_at(now), *(head.pool_time_us for head in heads)]),
            boot_us=now.boot_us,
            boot_id=now.boot_id,
            identity=self._index.identity().encode()[:32],
            stamps=read_stamps(self._blades),
        )


def _tails_after(found: Sequence[FoundLog], counting: set[int]) -> list[tuple[bytes, bytes]]:
    """Tail rows of the segments of which some batch was replayed."""
    tails = []
    for item in found:
        heads = [head for head in item.heads if head.first in counting]
        if heads:
            tail = Tail(heads[-1].offset, heads[-1].end)
            tails.append((tail_key(item.chain.header.segment), encode_tail(tail)))
    return tails


def _apply(txn: IndexTxn, turns: Sequence[_Turn]) -> None:
    for head, chain in turns:
        found = chain.batch_at(head.offset)
        if found is None:
            raise Corrupt(
                f"segment {chain.header.segment:016x}: the batch at {head.offset} has just become unreadable"
            )
        apply_newer(txn, [record for record in iter_records(*found) if record[0] != CHECKPOINT_KEY])


def _since_checkpoint(turns: list[_Turn]) -> list[_Turn]:
    """Without what the newest complete checkpoint makes needless."""
    heads = [head for head, _ in turns]
    for head, chain in reversed(turns):
        found = chain.batch_at(head.offset) if head.flags & CHECKPOINT_END else None
        made = read_end(iter_records(*found)) if found else None
        if made and is_complete(made, head, heads):
            return [turn for turn in turns if not is_covered(made, turn[0])]
    return turns


def _newest_checkpoint(found: Sequence[FoundLog]) -> int:
    """The counter after which the newest complete checkpoint among the news began; 0: there is none."""
    heads = [head for item in found for head in item.heads]
    newest = 0
    for item in found:
        for head in item.heads:
            batch = item.chain.batch_at(head.offset) if head.flags & CHECKPOINT_END else None
            made = read_end(iter_records(*batch)) if batch else None
            if made and is_complete(made, head, heads):
                newest = max(newest, made.began_after)
    return newest


def _close(found: Sequence[FoundLog]) -> None:
    for item in found:
        item.chain.close()


def _counting(found: Sequence[FoundLog]) -> list[_Turn]:
    """All turns that a rebuild would replay."""
    turns = sorted(
        ((head, item.chain) for item in found for head in item.heads), key=lambda turn: turn[0].first
    )
    counting = _without_void([head for head, _ in turns])
    return _since_checkpoint([turn for turn in turns if turn[0].first in counting])


def _without_void(heads: Sequence[BatchHead]) -> set[int]:
    """Lowest counters of the batches that no later turn passed over. ``heads`` ascend."""
    counting = set()
    after = None
    for head in reversed(heads):
        if after is None or head.first <= after:
            counting.add(head.first)
            after = head.after
    return counting


def require_complete(recovery: Recovery) -> None:
    """For a pool that can't be written: refuses an index that lacks acknowledged turns."""
    pending = recovery.pending()
    if pending:
        raise ReadOnly(
            f"The index lacks {pending} acknowledged changes and this pool cannot be written.",
            hint="Open the hub once where it can be written; it recovers by itself.",
        )
