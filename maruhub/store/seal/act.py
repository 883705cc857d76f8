"""The act itself: a segment's live bytes in new files, and the turn that says so.

Order: look at what lives, write and sync new files beside the old ones, ask again inside
the turn and put the new layout on record, unlink the old files. Up to the turn's sync the
old files count and the new ones are strays; behind it the other way round.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, NamedTuple

from maruhub.errors import Busy, InvalidInput
from maruhub.index.protocol import Index, IndexTxn
from maruhub.store.blades import Blades
from maruhub.store.commit.holds import Holds
from maruhub.store.commit.turn import CommitTurn
from maruhub.store.commit.unborn import Unborn
from maruhub.store.format.batch import BatchHead
from maruhub.store.format.keys import decode_tail, layout_key, tail_key
from maruhub.store.format.layout import Layout, decode_layout, encode_layout
from maruhub.store.format.row import Row
from maruhub.store.format.strip import StripHeader, strip_header_bytes
from maruhub.store.parity import MAX_DATA, PARITY
from maruhub.store.read.reader import Reader
from maruhub.store.seal.act_lock import ActLocks
from maruhub.store.seal.content import Content, LivePieces
from maruhub.store.seal.live import Live, Resolve, find_live, is_still_live_within
from maruhub.store.seal.placement import place
from maruhub.store.seal.plan import Cut, Pieces, make_copying, make_cut, make_pieces, next_layout
from maruhub.store.seal.rebuild import Asked, Rebuilding, choose_targets
from maruhub.store.seal.report import ActReport, Changed, Decided, Outcome
from maruhub.store.seal.source import Source, files_of, open_source
from maruhub.store.seal.strays import Strays, SweepReport
from maruhub.store.seal.strip_writer import (
    WINDOW_BYTES,
    Breathe,
    StripFiles,
    StripWriter,
    never_wait,
    rooms_for_strips,
)

__all__ = ["ActReport", "Acts", "Outcome", "SweepReport"]

_TRIES: Final = 3
_CHECKPOINT: Final = 0
"""No segment has this number: there are 2^64 to draw from."""


class _Manner(NamedTuple):
    """How an act is done: see the arguments of ``recut``."""

    covered: int
    avoid: Collection[bytes]
    breathe: Breathe


@dataclass(frozen=True, slots=True)
class _Begun:
    """What an act began from."""

    raw: bytes
    layout: Layout
    live: Live
    batches: list[BatchHead]
    source: Source
    manner: _Manner


class Acts:
    """Acts of one process. Any thread may call; two acts never work on one segment.

    Args:
        index: Of the pool.
        turn: Publishes.
        blades: Of the pool.
        reader: Reads live bytes from wherever they are whole.
        holds: Of all processes.
        unborn: Marks segments of bulk writes that may have died.
        folder: For the locks of segments under way, beside the index.
        pool_id: Goes into the headers.
        resolve: What the bytes of rows with a segment list point to.
    """

    def __init__(
        self,
        index: Index,
        turn: CommitTurn,
        blades: Blades,
        reader: Reader,
        holds: Holds,
        *,
        unborn: Unborn,
        folder: Path,
        pool_id: bytes,
        resolve: Resolve,
        window_bytes: int = WINDOW_BYTES,
    ) -> None:
        self._index = index
        self._turn = turn
        self._blades = blades
        self._reader = reader
        self._holds = holds
        self._locks = ActLocks(folder)
        self._pool_id = pool_id
        self._resolve = resolve
        self._window_bytes = window_bytes
        self._strays = Strays(index, turn, blades, unborn)
        self._rebuilding = Rebuilding(index, turn, blades, self._strays)

    def recut(
        self,
        segment: int,
        *,
        covered: int = 0,
        avoid: Collection[bytes] = (),
        breathe: Breathe = never_wait,
    ) -> ActReport:
        """Writes what lives in a segment anew, in strips over the blades that there are now.

        Args:
            segment: Its id; an open or held one is left alone.
            covered: Batches of turns up to this counter stand in a complete checkpoint.
            avoid: Blades that get nothing: they are being drained.
            breathe: Called again and again on the way; may wait, so that others go first.

        Raises:
            Corrupt: An extent that lives, or a batch, has no intact copy left.
            Unavailable: What lives can't be told, or blades failed (NoSpace, BladeLost).
        """
        manner = _Manner(covered, avoid, breathe)
        return self._act(segment, lambda report: self._recut(segment, manner, report))

    def rebuild(
        self,
        segment: int,
        moves: Mapping[int, bytes | None],
        *,
        avoid: Collection[bytes] = (),
        breathe: Breathe = never_wait,
    ) -> ActReport:
        """Makes single files of a segment again, each on the blade named for its number.

        A file that is there and is to stay is put right where it is. A segment in full
        copies is cut anew instead.

        Args:
            segment: Its id.
            moves: Blade by file number; None: its own if that will do, else one that is chosen.
            avoid: Blades that are not chosen.
            breathe: As for ``recut``.

        Raises:
            Corrupt: Blocks of it can't be had from any k files.
            Unavailable: Blades failed (NoSpace, BladeLost), or too few files can be read.
        """
        manner = _Manner(0, avoid, breathe)
        return self._act(segment, lambda report: self._rebuild(segment, moves, manner, report))

    @contextmanager
    def checkpointing(self) -> Iterator[None]:
        """While nobody else writes a checkpoint; raises Busy if another process does."""
        with self._locks.held(_CHECKPOINT) as mine:
            if not mine:
                raise Busy("Another process writes a checkpoint.", hint="Try again.")
            yield

    def await_free(self, segment: int, seconds: float) -> bool:
        """Waits until no other act is at the segment, so long at most; whether none is."""
        return self._locks.await_free(segment, seconds)

    def sweep(self) -> SweepReport:
        """Removes what acts left behind that were killed; whatever is in doubt stays."""
        return self._strays.sweep()

    def _act(self, segment: int, work: Callable[[ActReport], Outcome]) -> ActReport:
        """Does ``work`` alone on the segment, a few times if things change under it."""
        began = time.perf_counter()
        report = ActReport(segment, Outcome.CHANGED)
        with self._locks.held(segment) as mine:
            if not mine:
                report.outcome = Outcome.BUSY
            for _ in range(_TRIES if mine else 0):
                try:
                    report.outcome = work(report)
                    break
                except Changed:
                    continue
        report.seconds = time.perf_counter() - began
        return report

    def _rebuild(
        self, segment: int, moves: Mapping[int, bytes | None], manner: _Manner, report: ActReport
    ) -> Outcome:
        raw = self._index.get_many([layout_key(segment)])[0]
        if raw is None:
            return Outcome.GONE
        layout = decode_layout(segment, Row(layout_key(segment), raw).payload)
        if layout.strips is None:
            return self._recut(segment, manner, report)
        if not moves.keys() <= set(range(len(layout.blades))):
            raise InvalidInput(
                f"segment {segment:016x} has {len(layout.blades)} files, not {max(moves) + 1}."
            )
        present = {number for number, file in enumerate(files_of(layout)) if self._is_there(*file)}
        rooms = self._rooms(manner.avoid, layout.strips.data_at)
        targets = choose_targets(layout, moves, rooms, present)
        return self._rebuilding.run(Asked(raw, layout, targets, manner.breathe), report)

    def _is_there(self, blade_id: bytes, name: str) -> bool:
        blade = self._blades.get(blade_id)
        try:
            return blade is not None and name in blade.names()
        except OSError:
            return False

    def _recut(self, segment: int, manner: _Manner, report: ActReport) -> Outcome:
        raw = self._index.get_many([layout_key(segment)])[0]
        if raw is None:
            return Outcome.GONE
        layout = decode_layout(segment, Row(layout_key(segment), raw).payload)
        if not layout.closed:
            return Outcome.OPEN
        # Once it is closed nobody begins to hold it, so this answer stays true.
        if self._holds.is_held(segment):
            return Outcome.HELD
        live = find_live(self._index, segment, self._resolve)
        tail = decode_tail(self._index.get_many([tail_key(segment)])[0])
        source = open_source(self._blades, layout)
        try:
            batches = source.batches(tail, layout, manner.covered)
            return self._rewrite(_Begun(raw, layout, live, batches, source, manner), report)
        finally:
            source.close()

    def _rewrite(self, begun: _Begun, report: ActReport) -> Outcome:
        pieces = make_pieces(begun.live.extents, begun.batches)
        if not len(pieces.start):
            self._publish(begun, None)
            self._drop_old(begun, report)
            return Outcome.REMOVED
        header_bytes = strip_header_bytes(MAX_DATA + PARITY, len(pieces.start))
        rooms = self._rooms(begun.manner.avoid, header_bytes)
        placement = place(begun.layout.segment, rooms, pieces.kept_bytes)
        cut = make_cut(pieces, begun.live.owners, placement.scheme)
        floor = begun.batches[0].offset if begun.batches else 0
        after = next_layout(begun.layout, cut, placement.blades, pieces, floor=floor)
        files = StripFiles(self._blades, files_of(after), self._strays.make_way)
        with files.made() as decided:
            self._write(begun, pieces, cut, files, report)
            self._publish(begun, after, decided)
        report.files = len(files.places)
        self._drop_old(begun, report)
        return Outcome.DONE

    def _rooms(self, avoid: Collection[bytes], header_bytes: int) -> dict[bytes, int]:
        """Bytes for strips on each blade in service; 0 on those that take nothing now."""
        # Strips over as many blades as there are: what lies narrower is written twice.
        self._blades.await_late()
        return rooms_for_strips(self._blades, header_bytes, avoid=avoid, essential=True)

    def _write(self, begun: _Begun, pieces: Pieces, cut: Cut, files: StripFiles, report: ActReport) -> None:
        read = LivePieces(self._reader, begun.source, begun.live.extents, begun.batches)
        content = Content(read, pieces=pieces, copying=make_copying(pieces, cut))
        breathe = begun.manner.breathe
        writer = StripWriter(files, cut, window_bytes=self._window_bytes, breathe=breathe)
        try:
            writer.write(self._header(begun, cut), content.fill)
        finally:
            report.read_bytes += content.read_bytes
            report.written_bytes += writer.written_bytes

    def _header(self, begun: _Begun, cut: Cut) -> StripHeader:
        layout, batches = begun.layout, begun.batches
        tail = decode_tail(self._index.get_many([tail_key(layout.segment)])[0])
        return StripHeader(
            pool_id=self._pool_id,
            segment=layout.segment,
            segment_class=layout.segment_class,
            number=0,
            act=layout.generation + 1,
            act_id=secrets.token_bytes(16),
            marker=begun.source.chain.header.marker,
            created_us=time.time_ns() // 1000,
            end=layout.end,
            last_batch=tail.batch,
            tail_end=tail.end,
            floor=batches[0].offset if batches else 0,
            epoch=layout.epoch,
            data=cut.scheme.data,
            lengths=cut.lengths,
            ranges=cut.ranges,
        )

    def _publish(self, begun: _Begun, after: Layout | None, decided: Decided | None = None) -> None:
        """The turn in which the new files begin to count; raises ``Changed`` if they may not."""
        segment = begun.layout.segment

        def decide(txn: IndexTxn, counter: int) -> Mapping[bytes, bytes | None]:
            if txn.get_many([layout_key(segment)])[0] != begun.raw:
                raise Changed(f"segment {segment:016x} was moved meanwhile")
            if not is_still_live_within(txn, segment, begun.live):
                raise Changed(f"segment {segment:016x}: more lives in it than did before")
            if decided is not None:
                decided.yes = True
            if after is None or after.strips is None:
                txn.remove_many([tail_key(segment)])
                return {layout_key(segment): None}
            stated = replace(after, strips=replace(after.strips, dropped=counter))
            return {layout_key(segment): encode_layout(stated)}

        self._turn.restate(decide)

    def _drop_old(self, begun: _Begun, report: ActReport) -> None:
        report.freed_bytes += self._strays.remove(files_of(begun.layout))
        self._turn.note_files()
