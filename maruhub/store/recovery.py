"""Bringing the index up to the log, and the copies of a log to each other.

Runs when a hub is opened after a power cut, with a lost or an older index, and for a
rebuild. It only reads what docs/format.md, "Which batches count", says, and what it does
can be done twice, so a crash in it needs nothing but the next opening.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from maruhub.errors import Busy, Corrupt, MaruError, ReadOnly
from maruhub.index.protocol import Index, IndexTxn
from maruhub.store.apply import apply_newer
from maruhub.store.batch import CHECKPOINT_END, BatchHead, iter_records
from maruhub.store.blades import Blades
from maruhub.store.chain import Chain, read_header
from maruhub.store.checkpoint import is_complete, is_covered, read_end
from maruhub.store.clock import read_moment
from maruhub.store.copies import Copy
from maruhub.store.evidence import Evidence
from maruhub.store.header import log_name, log_segment
from maruhub.store.identity import BLOCK_BYTES
from maruhub.store.keys import (
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
from maruhub.store.layout import decode_layout
from maruhub.store.protocol import prefix_end
from maruhub.store.row import Row
from maruhub.store.state import IndexState, Moment, decode_state, encode_state
from maruhub.store.turn import read_stamps

_BATCHES_A_TRANSACTION: Final = 256
_KEYS_A_LOOKUP: Final = 1000
_OPEN_LOGS_LOOKED_AT: Final = 64

_Turn = tuple[BatchHead, Chain]


@dataclass
class RecoveryReport:
    """What recovery found and did. ``problems`` are sentences for a person."""

    segments: int = 0
    turns_replayed: int = 0
    copies_mended: int = 0
    orphans_removed: int = 0
    problems: list[str] = field(default_factory=list)


@dataclass
class _Found:
    """One segment's batches that the index may not have seen, first one first."""

    chain: Chain
    heads: list[BatchHead]


class Recovery:
    """Recovery of one pool. The caller holds the recovery lock."""

    def __init__(self, index: Index, blades: Blades, pool_id: bytes) -> None:
        self._index = index
        self._blades = blades
        self._pool_id = pool_id

    def needed(self) -> bool:
        """Whether anything says that the index may be behind the log."""
        state = decode_state(self._index.get_many([STATE_KEY])[0])
        if not self._belongs(state, read_moment()) or dict(state.stamps) != read_stamps(self._blades):
            return True
        marks = self._index.scan(OPEN_PREFIX, prefix_end(OPEN_PREFIX), _OPEN_LOGS_LOOKED_AT)
        return any(self._has_grown(segment_of(key)) for key, _ in marks)

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
            _close(copies)

    def _belongs(self, state: IndexState, now: Moment) -> bool:
        return (
            state.pool_id == self._pool_id
            and state.boot_id == now.boot_id
            and any(now.boot_id)
            and state.identity == self._index.identity().encode()[:32]
        )

    def run(self, *, rebuild: bool = False) -> RecoveryReport:
        """Replays what counts and isn't in the index; ``rebuild`` empties the index first.

        Raises Busy (a rebuild while another process writes) or Corrupt (records that no
        copy has whole).
        """
        report = RecoveryReport()
        state = decode_state(self._index.get_many([STATE_KEY])[0])
        if rebuild or state.pool_id not in (self._pool_id, bytes(16)):
            rebuild = True
            state = IndexState()
        found = self._search(report, rebuild=rebuild)
        try:
            if rebuild:
                self._index.clear()
            self._replay(found, report, rebuild=rebuild)
        finally:
            for item in found:
                item.chain.close()
        return report

    def pending(self) -> int:
        """Turns that count and that the index has not seen; changes nothing."""
        found = self._search(RecoveryReport(), rebuild=False, write=False)
        state = decode_state(self._index.get_many([STATE_KEY])[0])
        return sum(head.first > state.counter for item in found for head in item.heads)

    def _search(self, report: RecoveryReport, *, rebuild: bool, write: bool = True) -> list[_Found]:
        copies = self._listed(report)
        tails = self._tails(list(copies), rebuild=rebuild)
        found = []
        for segment, blade_ids in copies.items():
            tail = tails.get(segment)
            if tail is None:
                continue
            try:
                item = self._examine(segment, blade_ids, tail, report, write=write)
            except Busy:
                if rebuild:
                    raise
                continue
            except Corrupt as error:
                report.problems.append(str(error))
                if rebuild:
                    raise
                continue
            if item is not None:
                found.append(item)
        return found

    def _listed(self, report: RecoveryReport) -> dict[int, list[bytes]]:
        """Segments by what lies on the blades, with the blades that hold a copy."""
        listed: dict[int, list[bytes]] = {}
        for blade in self._blades:
            try:
                names = blade.names()
            except OSError as error:
                report.problems.append(f"{blade!r} cannot be listed: {error.strerror}")
                continue
            for name in names:
                segment = log_segment(name)
                if segment is not None:
                    listed.setdefault(segment, []).append(blade.blade_id)
        return listed

    def _tails(self, segments: Sequence[int], *, rebuild: bool) -> dict[int, Tail]:
        """Where to start in each segment that may hold more than the index has seen."""
        if rebuild:
            return dict.fromkeys(segments, Tail(0, 0))
        tails = {}
        for at in range(0, len(segments), _KEYS_A_LOOKUP):
            some = segments[at : at + _KEYS_A_LOOKUP]
            layouts = self._index.get_many([layout_key(s) for s in some])
            ends = self._index.get_many([tail_key(s) for s in some])
            for segment, raw, end in zip(some, layouts, ends, strict=True):
                if raw is None or not decode_layout(segment, Row(layout_key(segment), raw).payload).closed:
                    tails[segment] = decode_tail(end)
        return tails

    def _examine(
        self, segment: int, blade_ids: Sequence[bytes], tail: Tail, report: RecoveryReport, *, write: bool
    ) -> _Found | None:
        """The segment's batches behind ``tail``; its copies stay locked while replaying."""
        copies = self._blades.open_copies(log_name(segment), blade_ids, write=write)
        report.segments += 1
        try:
            if write and not all(copy.file.lock() for copy in copies):
                raise Busy(
                    f"segment {segment:016x} is being written by another process.",
                    hint="Stop the other processes that use this hub first.",
                )
            chain = Chain(read_header(copies), copies)
            if chain.header.pool_id != self._pool_id:
                raise Corrupt(f"segment {segment:016x} belongs to another pool")
            heads = self._counting(chain, tail, report, write=write)
        except MaruError as error:
            unborn = write and tail.end == 0 and bool(copies) and all(_is_unborn(c) for c in copies)
            if isinstance(error, Busy) or not unborn:
                _close(copies)
                raise
            heads = []
        if not heads and tail.end == 0 and write:
            self._remove_orphan(segment, blade_ids, report)
        if not heads:
            _close(copies)
            return None
        return _Found(chain, heads)

    def _counting(self, chain: Chain, tail: Tail, report: RecoveryReport, *, write: bool) -> list[BatchHead]:
        evidence = Evidence(self._blades, chain, write=write)
        for head in chain.candidates(tail.end):
            if evidence.confirms(head):
                report.copies_mended += evidence.mended
                return chain.back_from(head, tail.end)
        return []

    def _remove_orphan(self, segment: int, blade_ids: Sequence[bytes], report: RecoveryReport) -> None:
        """A log without one batch that counts was never acknowledged to anybody."""
        for blade_id in blade_ids:
            blade = self._blades.get(blade_id)
            assert blade is not None
            try:
                blade.remove(log_name(segment))
                blade.sync_names()
            except OSError as error:
                report.problems.append(f"{blade!r}: {log_name(segment)} cannot be removed: {error.strerror}")
        report.orphans_removed += 1

    def _replay(self, found: Sequence[_Found], report: RecoveryReport, *, rebuild: bool) -> None:
        turns = sorted(
            ((head, item.chain) for item in found for head in item.heads), key=lambda t: t[0].first
        )
        counting = _without_void([head for head, _ in turns])
        turns = [turn for turn in turns if turn[0].first in counting]
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
            counting = {first for first in counting if first > state.counter}
            _apply(txn, turns)
            txn.put_many(_tails_after(found, counting))
            txn.put_many([(STATE_KEY, encode_state(self._fresh_state(state, found)))])
        report.turns_replayed += len(turns)

    def _fresh_state(self, state: IndexState, found: Sequence[_Found]) -> IndexState:
        now = read_moment()
        heads = [head for item in found for head in item.heads]
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


def _is_unborn(copy: Copy) -> bool:
    """Whether a log's file can't hold a batch yet: its making was interrupted."""
    try:
        return copy.file.size() <= BLOCK_BYTES
    except OSError:
        return False


def _close(copies: Sequence[Copy]) -> None:
    for copy in copies:
        copy.close()


def _tails_after(found: Sequence[_Found], counting: set[int]) -> list[tuple[bytes, bytes]]:
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
        if made and is_complete(made, heads):
            return [turn for turn in turns if not is_covered(made, turn[0])]
    return turns


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
