"""The scrub: every byte and every parity read, in rounds, and what is rotten put right.

A round goes through the segments in the order of their ids and remembers how far it is, so
that it goes on where it was killed. What each round found stays on record.
"""

from __future__ import annotations

import json
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from maruhub.errors import MaruError
from maruhub.store.admission import Admission, Work
from maruhub.store.format.extent import array_to_extents
from maruhub.store.format.keys import layout_key
from maruhub.store.format.layout import Layout, decode_layout
from maruhub.store.parity import code
from maruhub.store.protocol import Rows, Store, get, prefix_end, scan_all
from maruhub.store.seal.report import Changed
from maruhub.store.seal.summed import SummedStrips
from maruhub.store.store import PoolStore

ROWS: Final = b"H"
_CURSOR: Final = ROWS + b"c"
_ROUND: Final = ROWS + b"r"
_ROUND_KEY: Final = struct.Struct(">Q")
_ROUNDS_KEPT: Final = 100
_WINDOW_BYTES: Final = 1 << 20
_EXTENTS_AT_ONCE: Final = 2000


@dataclass
class ScrubRound:
    """One round, or as much of it as is done.

    ``rotten``: strips' files and extents of copies that were wrong or missing; ``mended``:
    those that are right again; ``lost``: sentences about what no others can make again.
    """

    started_us: int = 0
    ended_us: int = 0
    next_segment: int = 0
    segments: int = 0
    read_bytes: int = 0
    rotten: int = 0
    mended: int = 0
    lost: list[str] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Whether the round went through all segments."""
        return bool(self.ended_us)

    def to_json(self) -> dict[str, Any]:
        """Plain values for ``--json``."""
        return asdict(self)


class Scrub:
    """Rounds of one pool.

    Args:
        store: Its store.
        admission: Says when others are at work.
        progress: Hears of bytes read and of all there are to read.
    """

    def __init__(
        self,
        store: PoolStore,
        *,
        admission: Admission | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self._store = store
        self._admission = admission
        self._progress = progress or (lambda *_: None)

    def is_due(self, every_s: float) -> bool:
        """Whether a round is under way, or the last one (or the making of the pool) is so long ago."""
        if _cursor(self._store) is not None:
            return True
        last = self._store.scan(_ROUND, prefix_end(_ROUND), 1, reverse=True)
        since_us = _decoded(last[0].payload).ended_us if last else self._store.created_us
        return time.time_ns() // 1000 - since_us >= every_s * 1e6

    def run(self, *, goes_on: Callable[[], bool] = lambda: True) -> ScrubRound:
        """Ends the round under way, or goes through a new one; what it found is on record.

        ``goes_on`` is asked before each segment; where it says no, the round stays under way.
        """
        current = _cursor(self._store) or ScrubRound(started_us=time.time_ns() // 1000)
        layouts = sorted(self._store.layouts(), key=lambda layout: layout.segment)
        left = [layout for layout in layouts if layout.segment >= current.next_segment]
        total = sum(map(_size, layouts))
        for layout in left:
            if not goes_on():
                return current
            with self._admission.piece(Work.BACKGROUND) if self._admission else nullcontext():
                self._segment(layout, current)
            current.segments += 1
            current.next_segment = layout.segment + 1
            self._store.commit(lambda rows: rows.put(_CURSOR, _encoded(current)), actor="scrub")
            self._progress(current.read_bytes, total)
        current.ended_us = time.time_ns() // 1000
        self._store.commit(lambda rows: _record(rows, current), actor="scrub")
        return current

    def _segment(self, listed: Layout, current: ScrubRound) -> None:
        """A segment as it lies now, and again if an act moved it meanwhile: that is no loss."""
        while (layout := self._layout(listed.segment)) is not None:
            try:
                if layout.strips is None:
                    self._copies(layout, current)
                else:
                    self._strips(layout, current)
            except MaruError as error:
                if self._layout(listed.segment) != layout:
                    continue
                current.lost.append(error.what)
            return

    def _layout(self, segment: int) -> Layout | None:
        row = get(self._store, layout_key(segment))
        return None if row is None else decode_layout(segment, row.payload)

    def _require_unmoved(self, layout: Layout) -> None:
        if self._layout(layout.segment) != layout:
            raise Changed(f"segment {layout.segment:016x} was moved meanwhile")

    def _copies(self, layout: Layout, current: ScrubRound) -> None:
        extents = self._store.live_extents(layout.segment)
        for at in range(0, len(extents), _EXTENTS_AT_ONCE):
            found = self._store.audit(array_to_extents(extents[at : at + _EXTENTS_AT_ONCE]))
            current.read_bytes += found.size_bytes
            if found.bad or found.lost:
                self._require_unmoved(layout)
            current.rotten += len(found.bad)
            current.mended += self._store.heal(found.bad)
            current.lost += [
                f"segment {lost.segment:016x}, offset {lost.offset}: no right copy" for lost in found.lost
            ]

    def _strips(self, layout: Layout, current: ScrubRound) -> None:
        wrong = self._wrong_files(layout, current)
        if not wrong:
            return
        self._require_unmoved(layout)
        current.rotten += len(wrong)
        with self._store.acting() as acts:
            acts.rebuild(layout.segment, dict.fromkeys(wrong), avoid=self._store.blades.draining)
        # Looked at again: another act may have been at it, and what agrees with itself stays as it is.
        again = self._layout(layout.segment)
        left = self._wrong_files(again, current) if again and again.strips else []
        current.mended += len(set(wrong) - set(left))

    def _wrong_files(self, layout: Layout, current: ScrubRound) -> list[int]:
        """Numbers of files that are missing, wrong by their sums, or parity of something else."""
        assert layout.strips is not None
        strips = SummedStrips(self._store.blades, layout)
        numbers = range(len(layout.blades))
        wrong = {number for number in numbers if not strips.is_there(number)}
        try:
            for at in range(0, max(layout.strips.lengths), _WINDOW_BYTES):
                size = min(_WINDOW_BYTES, max(layout.strips.lengths) - at)
                read = {number: strips.read(number, at, size) for number in numbers}
                wrong |= {number for number, data in read.items() if data is None}
                data = [part for number in range(layout.strips.data) if (part := read[number]) is not None]
                if len(data) == layout.strips.data:
                    parity = code(layout.strips.data).encode(data)
                    wrong |= {
                        number
                        for number, right in enumerate(parity, layout.strips.data)
                        if number in read and (found := read[number]) is not None and found != right
                    }
        finally:
            current.read_bytes += strips.read_bytes
            strips.close()
        return sorted(wrong)


def history(store: Store) -> Iterator[ScrubRound]:
    """Rounds that went through, the oldest first."""
    for row in scan_all(store, _ROUND, prefix_end(_ROUND)):
        yield _decoded(row.payload)


def _cursor(store: Store) -> ScrubRound | None:
    row = get(store, _CURSOR)
    return None if row is None else _decoded(row.payload)


def _record(rows: Rows, done: ScrubRound) -> None:
    rows.remove(_CURSOR)
    rows.put(_ROUND + _ROUND_KEY.pack(rows.counter), _encoded(done))
    kept = rows.scan(_ROUND, prefix_end(_ROUND), _ROUNDS_KEPT + 1)
    for row in kept[: max(0, len(kept) + 1 - _ROUNDS_KEPT)]:
        rows.remove(row.key)


def _encoded(current: ScrubRound) -> bytes:
    return json.dumps(asdict(current)).encode()


def _decoded(payload: bytes) -> ScrubRound:
    return ScrubRound(**json.loads(payload))


def _size(layout: Layout) -> int:
    if layout.strips is None:
        return layout.end * len(layout.blades)
    return sum(layout.strips.lengths)
