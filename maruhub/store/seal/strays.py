"""Files that no layout names: what an act left behind that was killed, or couldn't unlink.

A file is a stray only if it is certain: its segment is on record and closed, its layout
names other files, nobody has it locked, and a turn was committed since. (A turn that died
between its sync and its commit may still turn out to count, until a later one passes it
over; a file that it names must be there then.) Or it is a strip of a bulk write that died
before its segment was on record: that one is marked as unborn.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterable
from dataclasses import dataclass

from maruhub.index.protocol import Index, IndexTxn
from maruhub.store.blade import Blade
from maruhub.store.blades import Blades
from maruhub.store.commit.apply import Record
from maruhub.store.commit.turn import CommitTurn
from maruhub.store.commit.unborn import Unborn
from maruhub.store.format.header import log_segment
from maruhub.store.format.keys import layout_key
from maruhub.store.format.layout import decode_layout
from maruhub.store.format.row import Row
from maruhub.store.format.strip import parse_strip_name
from maruhub.store.seal.source import files_of


@dataclass(slots=True)
class SweepReport:
    """Files removed and their bytes; blades that couldn't be listed."""

    files: int = 0
    freed_bytes: int = 0
    skipped_blades: int = 0


class Strays:
    """Finds and removes strays; see the head of this file for what is one."""

    def __init__(self, index: Index, turn: CommitTurn, blades: Blades, unborn: Unborn) -> None:
        self._unborn = unborn
        self._index = index
        self._turn = turn
        self._blades = blades

    def sweep(self) -> SweepReport:
        """Removes all strays on the blades that answer; what is in doubt stays."""
        report = SweepReport()
        found = [(blade, name) for blade in self._blades for name in self._suspects(blade, report)]
        settled: set[int] = set()
        for blade, name in found:
            segment = _segment_of(name)
            assert segment is not None
            if segment not in settled:
                self._settle(segment)
                settled.add(segment)
            with contextlib.suppress(OSError):
                report.freed_bytes += self._remove_stray(blade, name)
                report.files += 1
        if report.files:
            self._sync_names({blade.blade_id for blade, _ in found})
            self._turn.note_files()
        return report

    def make_way(self, blade: Blade, name: str) -> None:
        """Removes a file whose name a new act needs; raises OSError if it may not go."""
        segment = _segment_of(name)
        if segment is None or not self._is_stray(blade, name):
            raise OSError(errno.EEXIST, "a file is in the way", name)
        self._settle(segment)
        self._remove_stray(blade, name)

    def remove(self, files: Iterable[tuple[bytes, str]]) -> int:
        """Unlinks files that have just stopped to count, where their blades answer.

        Returns their bytes. What can't be removed now is swept later.
        """
        freed = 0
        touched = set()
        for blade_id, name in files:
            blade = self._blades.get(blade_id)
            with contextlib.suppress(OSError):
                if blade is not None:
                    freed += _unlink(blade, name)
                    touched.add(blade_id)
        self._sync_names(touched)
        return freed

    def _suspects(self, blade: Blade, report: SweepReport) -> list[str]:
        try:
            return [name for name in blade.names() if self._is_stray(blade, name)]
        except OSError:
            report.skipped_blades += 1
            return []

    def _is_stray(self, blade: Blade, name: str) -> bool:
        """Whether the layout on record is closed and names other files, or there never was one."""
        segment = _segment_of(name)
        raw = self._index.get_many([layout_key(segment)])[0] if segment is not None else None
        if segment is None or raw is None:
            return segment in self._unborn.segments() and parse_strip_name(name) is not None
        layout = decode_layout(segment, Row(layout_key(segment), raw).payload)
        return layout.closed and (blade.blade_id, name) not in files_of(layout)

    def _settle(self, segment: int) -> None:
        """Commits a turn: whichever died uncommitted before it is void now."""

        def pick(txn: IndexTxn) -> list[Record]:
            raw = txn.get_many([layout_key(segment)])[0]
            return [] if raw is None else [(layout_key(segment), raw)]

        def state_gone(txn: IndexTxn, counter: int) -> dict[bytes, bytes | None]:
            return {layout_key(segment): None} if not pick(txn) else {}

        if not self._turn.relog(pick, 0):
            self._turn.restate(state_gone)

    def _remove_stray(self, blade: Blade, name: str) -> int:
        file = blade.open(name, write=True)
        try:
            # An act lets go of its files when they count: so ask again once it is known that it has.
            if not file.lock() or not self._is_stray(blade, name):
                raise OSError(errno.EBUSY, "a file is in use", name)
            size = file.size()
            blade.remove(name)
            return size
        finally:
            file.close()

    def _sync_names(self, blade_ids: Iterable[bytes]) -> None:
        for blade_id in blade_ids:
            blade = self._blades.get(blade_id)
            with contextlib.suppress(OSError):
                if blade is not None:
                    blade.sync_names()


def _segment_of(name: str) -> int | None:
    strip = parse_strip_name(name)
    return log_segment(name) if strip is None else strip.segment


def _unlink(blade: Blade, name: str) -> int:
    file = blade.open(name)
    try:
        size = file.size()
    finally:
        file.close()
    blade.remove(name)
    return size
