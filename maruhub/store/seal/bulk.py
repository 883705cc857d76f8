"""Bulk writing: so much at once that it goes straight into strips, without full copies first.

Order: new files written and synced with their names, then a turn that says where the segment
lies, then addresses for the caller, whose own turn names them. Until it has, the segment is
held like a log's. A process that dies before the first turn leaves files that no layout
names; what fails before it leaves nothing, and the bytes go into a log instead.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from maruhub.errors import MaruError
from maruhub.index.protocol import IndexTxn
from maruhub.store.blade import Blade
from maruhub.store.blades import Blades
from maruhub.store.commit.turn import CommitTurn
from maruhub.store.commit.unborn import Unborn
from maruhub.store.commit.writer import Writer
from maruhub.store.copies import blade_error
from maruhub.store.format.extent import BLOCK_BYTES, Extent, extents_to_array
from maruhub.store.format.keys import layout_key
from maruhub.store.format.layout import BORN, Layout, encode_layout
from maruhub.store.format.packing import Load, Piece, extents_at
from maruhub.store.format.segment_class import SegmentClass
from maruhub.store.format.strip import StripHeader, strip_header_bytes
from maruhub.store.parity import MAX_DATA, PARITY
from maruhub.store.seal.content import Content
from maruhub.store.seal.placement import place, scheme
from maruhub.store.seal.plan import I64, Cut, Pieces, make_copying, make_cut, make_pieces, next_layout
from maruhub.store.seal.source import files_of
from maruhub.store.seal.strip_writer import StripFiles, StripWriter, rooms_for_strips

SYNC_SECONDS: Final = 10.0
"""A blade's time for syncing a strip, as for a log: somebody waits."""
_MARKER_BYTES: Final = 16
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Planned:
    """A segment that is about to be written."""

    layout: Layout
    cut: Cut
    pieces: Pieces


class BulkWriter:
    """Writes shares of large loads as segments of their own. Any thread may call.

    Args:
        writer: Holds the segments until their bytes are named.
        turn: Puts them on record.
        blades: Of the pool.
        unborn: Marks files that are not on record yet.
        pool_id: Goes into the headers.
        segment_bytes: A segment is hardly longer.
        least_bytes: Nor shorter than this: each is ``k + 2`` files.
    """

    def __init__(
        self,
        writer: Writer,
        turn: CommitTurn,
        blades: Blades,
        unborn: Unborn,
        *,
        pool_id: bytes,
        segment_bytes: int,
        least_bytes: int,
    ) -> None:
        self._writer = writer
        self._turn = turn
        self._blades = blades
        self._unborn = unborn
        self._pool_id = pool_id
        self._segment_bytes = segment_bytes
        self._least_bytes = least_bytes

    def append(self, load: Load, segment_class: SegmentClass) -> list[int]:
        """Writes a load, durable when it returns; what can't be written like this now stays in it.

        Returns the segments that were made of it, which are held.
        """
        made: list[int] = []
        for share in shares(load.pieces, least_bytes=self._least_bytes, most_bytes=self._segment_bytes):
            try:
                placed = self._write(share, segment_class)
            except MaruError as error:
                _log.info("%d pieces go into a log for now: %s", len(load.pieces), error)
                placed = None
            if placed is None:
                break
            load.place(placed)
            made.append(placed[0].segment)
        return made

    def forget(self, segments: Sequence[int]) -> None:
        """Lets go of segments whose addresses nobody got: nothing will name them."""
        for segment in segments:
            self._writer.let_go(segment)

    def _write(self, share: Sequence[Piece], segment_class: SegmentClass) -> list[Extent] | None:
        """Where the pieces are; None where there are too few blades for strips."""
        segment = secrets.randbits(64)
        offsets, end = _offsets(share)
        rooms = rooms_for_strips(self._blades, strip_header_bytes(MAX_DATA + PARITY, len(share)))
        # A blade that is merely late will have its share of what a log's act cuts later.
        if scheme(len(rooms)).data == 1 or any(map(self._blades.is_stalling, rooms)):
            return None
        layout = Layout(segment, segment_class, closed=True, generation=BORN - 1, epoch=1, end=end, blades=())
        extents = extents_at(segment, share, offsets)
        owners = np.array([piece.blob for piece in share], np.int64)
        planned = _plan(layout, extents, owners, rooms)
        self._writer.hold(segment, set(offsets))
        try:
            self._make(planned, share)
        except BaseException:
            self._writer.let_go(segment)
            raise
        self._writer.finished(segment)
        return extents

    def _make(self, planned: _Planned, share: Sequence[Piece]) -> None:
        """Files, then the turn."""
        layout, cut = planned.layout, planned.cut
        files = StripFiles(self._blades, files_of(layout), _no_way, sync_seconds=SYNC_SECONDS)

        def decide(txn: IndexTxn, counter: int) -> Mapping[bytes, bytes | None]:
            decided.yes = True
            return {layout_key(layout.segment): encode_layout(layout)}

        def read(sources: I64) -> list[memoryview]:
            return [share[source].data for source in sources.tolist()]

        self._mark(layout.segment)
        try:
            with files.made() as decided:
                content = Content(read, pieces=planned.pieces, copying=make_copying(planned.pieces, cut))
                StripWriter(files, cut).write(self._header(layout, cut), content.fill)
                self._turn.restate(decide)
        except BaseException:
            if files.gone:
                self._unborn.remove(layout.segment)
            raise
        self._unborn.remove(layout.segment)

    def _mark(self, segment: int) -> None:
        try:
            self._unborn.add(segment)
        except OSError as error:
            raise blade_error([error], "opening a new segment") from error

    def _header(self, layout: Layout, cut: Cut) -> StripHeader:
        return StripHeader(
            pool_id=self._pool_id,
            segment=layout.segment,
            segment_class=layout.segment_class,
            number=0,
            act=layout.generation,
            act_id=secrets.token_bytes(16),
            marker=secrets.token_bytes(_MARKER_BYTES),
            created_us=time.time_ns() // 1000,
            end=layout.end,
            last_batch=0,
            tail_end=0,
            floor=0,
            epoch=layout.epoch,
            data=cut.scheme.data,
            lengths=cut.lengths,
            ranges=cut.ranges,
        )


def _plan(layout: Layout, extents: Sequence[Extent], owners: I64, rooms: Mapping[bytes, int]) -> _Planned:
    pieces = make_pieces(extents_to_array(extents), ())
    placement = place(layout.segment, rooms, pieces.kept_bytes)
    cut = make_cut(pieces, owners, placement.scheme)
    return _Planned(next_layout(layout, cut, placement.blades, pieces, floor=0), cut, pieces)


def shares(pieces: Sequence[Piece], *, least_bytes: int, most_bytes: int) -> list[list[Piece]]:
    """A load in equal shares, a segment each; none where they would be too small."""
    total = sum(map(_span, pieces))
    count = -(-total // most_bytes)
    if total < max(1, least_bytes) * count:
        return []
    found: list[list[Piece]] = []
    taken = 0
    for piece in pieces:
        if taken * count >= total * len(found):
            found.append([])
        found[-1].append(piece)
        taken += _span(piece)
    return found


def _span(piece: Piece) -> int:
    """Bytes that it takes in a segment, at most."""
    return len(piece.data) + (-len(piece.data) % BLOCK_BYTES if piece.aligned else 0)


def _offsets(share: Sequence[Piece]) -> tuple[list[int], int]:
    """Where pieces go, as in a log, and where they end."""
    offsets = []
    end = BLOCK_BYTES
    for piece in share:
        offsets.append(piece.offset(end))
        end = offsets[-1] + len(piece.data)
    return offsets, end


def _no_way(blade: Blade, name: str) -> None:
    """A new segment's name is taken: of 2^64 somebody drew the same."""
    raise FileExistsError(f"{name} is there already")
