"""The commit turn: the one way in which the state of a hub changes.

Draw counters, run the waiting changes, append the batch, sync, commit the index,
acknowledge: in this order, inside the index's write transaction, so that the index is
never ahead of the log and nobody sees a write that isn't durable. One turn serves all
threads that wait (group commit). docs/format.md, "The commit turn", is its law.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from maruhub.errors import MaruError, Unavailable
from maruhub.index.protocol import Index, IndexTxn
from maruhub.store.blades import Blades
from maruhub.store.commit.apply import Record
from maruhub.store.commit.clock import CounterMark, read_moment
from maruhub.store.commit.durable import require_named, require_whole
from maruhub.store.commit.job import Batch, Job, Party
from maruhub.store.commit.log import Log
from maruhub.store.commit.signals import deferred_signals
from maruhub.store.commit.staging import StagedRows, TurnRows
from maruhub.store.commit.waiting import Take, Waiting
from maruhub.store.commit.writer import Writer
from maruhub.store.format.batch import BatchPlace
from maruhub.store.format.keys import STATE_KEY, Tail, decode_tail, encode_tail, layout_key, tail_key
from maruhub.store.format.layout import encode_layout
from maruhub.store.format.row import Row, encode_row
from maruhub.store.format.segment_class import SegmentClass
from maruhub.store.format.state import IndexState, Moment, decode_state, encode_state
from maruhub.store.protocol import Proposal, T

Decide = Callable[[IndexTxn, int], Mapping[bytes, bytes | None]]
"""Decides on the store's own rows: from the transaction and their counter, payload by key (None: gone)."""


class CommitTurn:
    """Turns of one process. ``commit`` is safe from any thread."""

    def __init__(
        self, index: Index, writer: Writer, blades: Blades, mark: CounterMark, *, pool_id: bytes
    ) -> None:
        self._index = index
        self._pool_id = pool_id
        self._writer = writer
        self._blades = blades
        self._mark = mark
        self._identity = index.identity().encode()[:32]
        self._turn_lock = threading.Lock()
        self._waiting = Waiting(self._turn)

    def commit(self, proposal: Proposal[T]) -> T:
        """Waits for a turn that carries a change; returns its result, durable."""
        party = Party([proposal])
        self._waiting.serve(party)
        result: T = party.jobs[0].settled()
        return result

    def commit_each(self, proposals: Sequence[Proposal[T]]) -> list[T | Exception]:
        """The same for several of one thread, together; each has an outcome of its own."""
        party = Party(proposals)
        self._waiting.serve(party)
        return [job.outcome() for job in party.jobs]

    def _turn(self, take: Take) -> None:
        with self._turn_lock, deferred_signals():
            with self._index.write() as txn:
                settle = self._carry(txn, take())
            for action in settle:
                action()

    def _carry(self, txn: IndexTxn, jobs: Sequence[Job]) -> list[Callable[[], None]]:
        """Runs the changes of a turn and writes it; returns what to do once it is committed."""
        state = self._complete_state(txn)
        base = self._mark.draw(state.counter, len(jobs) + self._own_counters())
        batch = Batch(state, base, len(jobs))
        now = read_moment()
        state = self._state_at(state, now)
        turn = TurnRows(txn)
        for number, job in enumerate(jobs):
            rows = StagedRows(
                turn,
                actor=job.actor,
                request=job.request,
                counter=base + 1 + number,
                time_us=now.wall_us,
                pool_time_us=state.pool_time_us,
            )
            self._decide(turn, job, rows, batch)
        return self._write(txn, turn, batch, state) if batch.records else []

    def relog(self, pick: Callable[[IndexTxn], list[Record]], flags: int) -> int:
        """A turn that logs rows as they stand, with their own counters (checkpoints).

        ``pick`` chooses them inside the turn. Returns how many there were.
        """

        def fill(txn: IndexTxn, _: TurnRows, batch: Batch) -> None:
            batch.records = list(pick(txn))
            batch.flags = flags

        return self._own_turn(fill)

    def restate(self, decide: Decide) -> None:
        """A turn that sets rows of the store itself: layouts, states of blades.

        What ``decide`` raises is raised here, and nothing of it is kept. Files that came or
        went on the blades are taken note of.
        """

        def fill(txn: IndexTxn, turn: TurnRows, batch: Batch) -> None:
            rows = {
                key: encode_row(payload, counter=batch.own_counter, time_us=0)
                for key, payload in decide(txn, batch.own_counter).items()
            }
            turn.set(rows)
            batch.records = list(rows.items())

        self._own_turn(fill)
        self.note_files()

    def record_closed(self) -> None:
        """Puts on record that logs are closed that the writer has retired."""
        if self._writer.retired():
            self._own_turn(lambda *_: None, even_if_empty=True)

    def note_files(self) -> None:
        """Says in the index that the blades' folders are known as they are now."""
        with self._turn_lock, deferred_signals(), self._index.write() as txn:
            state = self._complete_state(txn)
            stamps = read_stamps(self._blades)
            if stamps != state.stamps:
                txn.put_many([(STATE_KEY, encode_state(replace(state, stamps=stamps)))])

    def _own_turn(
        self, fill: Callable[[IndexTxn, TurnRows, Batch], None], *, even_if_empty: bool = False
    ) -> int:
        """A turn without writers; returns how many records ``fill`` has put into the batch."""
        with self._turn_lock, deferred_signals():
            with self._index.write() as txn:
                state = self._complete_state(txn)
                batch = Batch(state, self._mark.draw(state.counter, self._own_counters()), 0)
                turn = TurnRows(txn)
                fill(txn, turn, batch)
                filled = len(batch.records)
                state = self._state_at(state, read_moment())
                settle = self._write(txn, turn, batch, state) if filled or even_if_empty else []
            for action in settle:
                action()
        return filled

    def _own_counters(self) -> int:
        """For a turn's own layout records, and those that follow each mending of a copy."""
        return 2 + len(self._blades)

    def _complete_state(self, txn: IndexTxn) -> IndexState:
        """The index's state; refuses one that a rebuild left unfinished.

        A turn that began with it would call all turns void that aren't in it.
        """
        state = decode_state(txn.get_many([STATE_KEY])[0])
        if state.pool_id != self._pool_id:
            raise Unavailable("The index of this hub is not complete.", hint="Open the hub again.")
        return state

    def _state_at(self, state: IndexState, now: Moment) -> IndexState:
        return replace(
            state,
            pool_time_us=state.pool_time_at(now),
            boot_us=now.boot_us,
            boot_id=now.boot_id,
            identity=self._identity,
        )

    def _decide(self, turn: TurnRows, job: Job, rows: StagedRows, batch: Batch) -> None:
        """Runs one change; what it staged counts only if it didn't raise."""
        try:
            job.result = job.change(rows)
            others = {segment for segment in rows.segments if not self._writer.holds(segment)}
            if others:
                require_named(turn, rows.staged, others, is_synced=self._writer.knows)
            require_whole(turn, rows.whole, is_open=self._writer.holds)
        except Exception as error:  # noqa: BLE001 - the change is a caller's, and so is its error
            job.refuse(error)
            return
        # Bytes whose log failed or was let go before they were synced: no later sync covers them.
        if not rows.segments.isdisjoint(self._writer.given_up):
            job.error = self._writer.loss(Row(key, raw) for key, raw in rows.staged.items())
            if job.error is not None:
                return
        turn.set(rows.staged)
        turn.extents += rows.extents
        batch.records += rows.staged.items()
        batch.segments |= rows.segments

    def _write(
        self, txn: IndexTxn, turn: TurnRows, batch: Batch, state: IndexState
    ) -> list[Callable[[], None]]:
        """Makes the turn durable and the index say so; returns what to do once it is committed."""
        carrier = self._carrier(batch)
        # The carrier may have filled up since it was chosen; it is closed by the next turn.
        retired = [log for log in self._writer.retired() if log is not carrier]
        named = [log for log in self._writer.logs(batch.segments) if log is not carrier]
        logs = [carrier, *(log for log in named if log not in retired)]
        try:
            for log in retired:
                _finish(log)
                self._writer.mend(log)
            fresh = any(log.unrecorded for log in (*logs, *retired))
            self._record_layouts(turn, batch, [*logs, *retired])
            # From the index, not from memory: whatever befell the last writer, this is what counts.
            before = decode_tail(txn.get_many([tail_key(carrier.segment)])[0])
            last = self._append(carrier, batch, state, previous=before.batch)
            for log in logs:
                log.sync()
            mended = [self._writer.mend(log) for log in logs]
            while any(mended):
                batch = self._mended(turn, batch, logs)
                last = self._append(carrier, batch, state, previous=last.offset)
                carrier.sync()
                mended = [self._writer.mend(carrier)]
        except MaruError:
            for log in (*logs, *retired):
                if not log.copies.good:
                    self._writer.abandon(log)
            raise
        turn.flush()
        if fresh:
            state = replace(state, stamps=read_stamps(self._blades))
        tail = Tail(last.offset, carrier.end)
        txn.put_many(
            [
                (tail_key(carrier.segment), encode_tail(tail)),
                (STATE_KEY, encode_state(state, counter=last.last)),
            ]
        )
        return [
            *(lambda log=log: self._writer.recorded(log) for log in (*logs, *retired)),
            lambda: self._writer.settled(turn.extents),
            *(lambda log=log: self._writer.forget(log) for log in retired),
        ]

    def _carrier(self, batch: Batch) -> Log:
        """The raw log if this turn's bytes are there, so that one sync does; else meta."""
        for log in self._writer.logs(batch.segments):
            if log.layout.segment_class == SegmentClass.RAW and not log.full:
                return log
        return self._writer.log_for(SegmentClass.META)

    @staticmethod
    def _record_layouts(turn: TurnRows, batch: Batch, logs: Sequence[Log]) -> None:
        records = [
            (
                layout_key(log.segment),
                encode_row(encode_layout(log.layout), counter=batch.own_counter, time_us=0),
            )
            for log in logs
            if log.unrecorded
        ]
        turn.set(dict(records))
        batch.records += records

    @staticmethod
    def _append(carrier: Log, batch: Batch, state: IndexState, *, previous: int) -> BatchPlace:
        place = BatchPlace(
            offset=0,
            previous=previous,
            epoch=0,
            first=batch.first,
            last=batch.own_counter,
            after=batch.after,
            pool_time_us=state.pool_time_us,
            flags=batch.flags,
        )
        return carrier.append_batch(place, batch.records)

    def _mended(self, turn: TurnRows, batch: Batch, logs: Sequence[Log]) -> Batch:
        """The batch written so far is good; another one follows with the new layouts."""
        follow = Batch(IndexState(counter=batch.own_counter), batch.own_counter, 0)
        self._record_layouts(turn, follow, logs)
        return follow


def _finish(log: Log) -> None:
    """Syncs a full log and says in its layout where it ends."""
    if log.layout.closed:
        return
    with log.alone():
        log.sync()
        log.layout = replace(log.layout, closed=True, end=log.end)
        log.unrecorded = True


def read_stamps(blades: Blades) -> dict[bytes, int]:
    """Each blade's folder stamp; a blade that doesn't answer has none."""
    stamps = {}
    for blade in blades:
        try:
            stamps[blade.blade_id] = blade.names_stamp()
        except OSError:
            continue
    return stamps
