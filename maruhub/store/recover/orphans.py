"""Files that nobody may have named: of logs that were never begun, of bulk writes that died.

A log without a batch may hold objects, its layout stands in another log's then; so may that
of strips. Which of them are nobody's is known once all is replayed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from maruhub.index.protocol import Index
from maruhub.store.blades import Blades
from maruhub.store.commit.copies import Copy
from maruhub.store.format.header import log_name
from maruhub.store.format.keys import LAYOUT_PREFIX, layout_key, segment_of
from maruhub.store.format.layout import decode_layout
from maruhub.store.format.row import Row
from maruhub.store.format.strip import StripName, pool_of_strip
from maruhub.store.protocol import prefix_end
from maruhub.store.recover.chain import read_at
from maruhub.store.recover.report import RecoveryReport
from maruhub.store.recover.strip_search import Listed

_POOL_END: Final = 32
_PAGE: Final = 4096


class Orphans:
    """Collects such files during a search, and removes those that are nobody's after the replay.

    ``left``: segments of which strips stay although no layout names them.
    """

    def __init__(self, index: Index, blades: Blades, pool_id: bytes, report: RecoveryReport) -> None:
        self._index = index
        self._pool_id = pool_id
        self._blades = blades
        self._report = report
        self._logs: list[tuple[int, list[Copy]]] = []
        self._strips: list[Listed] = []
        self._damaged: dict[int, str] = {}
        self.left: set[int] = set()

    def add_log(self, segment: int, copies: list[Copy]) -> None:
        """Copies of a log without a batch, open and locked; closed by this from now on."""
        self._logs.append((segment, copies))

    def add_strips(self, strips: Sequence[Listed], damage: str = "") -> None:
        """A segment's strips, without a batch or unreadable; ``damage``: what to say if they count."""
        self._strips += strips
        if strips and damage:
            self._damaged[strips[0][1].segment] = damage

    def remove(self, *, all_read: bool) -> None:
        """Removes what no layout row knows; nothing while a blade is missing or something is wrong.

        ``all_read``: whether all logs were; what an unread one says of strips isn't known.
        """
        sure = not self._blades.missing and not self._report.problems
        logs, self._logs = self._logs, []
        for segment, copies in logs:
            if sure and not self._is_on_record(segment):
                self._remove(log_name(segment), copies)
            close_all(copies)
        self._report.problems += [why for s, why in self._damaged.items() if self._is_on_record(s)]
        may_go = bool(self._strips) and sure and all_read and self._sees_all_blades()
        for blade_id, name in self._strips:
            if not (may_go and self._remove_strip(blade_id, name)):
                self.left.add(name.segment)

    def _sees_all_blades(self) -> bool:
        """Whether no layout names a blade that the hub doesn't: one made of some blades lacks others' logs."""
        known = {blade.blade_id for blade in self._blades} | self._blades.removed
        start = LAYOUT_PREFIX
        while page := self._index.scan(start, prefix_end(LAYOUT_PREFIX), _PAGE):
            for key, raw in page:
                if not known.issuperset(decode_layout(segment_of(key), Row(key, raw).payload).blades):
                    return False
            start = page[-1][0] + b"\0"
        return True

    def _is_on_record(self, segment: int) -> bool:
        return self._index.get_many([layout_key(segment)])[0] is not None

    def _remove_strip(self, blade_id: bytes, name: StripName) -> bool:
        """Removes a strip of a bulk write that died, unless its writer lives; whether it did.

        The layout is asked for under the strip's lock: a writer lets go of it once it is on record.
        """
        copies = self._blades.open_copies(str(name), [blade_id], write=True)
        ours = all(pool_of_strip(read_at(copy, 0, _POOL_END)) in (None, self._pool_id) for copy in copies)
        is_locked = ours and all(copy.file.lock() for copy in copies)
        is_nobodys = is_locked and not self._is_on_record(name.segment)
        if is_nobodys:
            self._remove(str(name), copies)
        close_all(copies)
        return is_nobodys

    def _remove(self, name: str, copies: Sequence[Copy]) -> None:
        for copy in copies:
            try:
                copy.blade.remove(name)
                copy.blade.sync_names()
            except OSError as error:
                self._report.problems.append(f"{copy.blade!r}: {name} cannot be removed: {error.strerror}")
        self._report.orphans_removed += 1

    def close(self) -> None:
        """Lets go of the logs."""
        for _, copies in self._logs:
            close_all(copies)
        self._logs, self._strips, self._damaged = [], [], {}


def close_all(copies: Sequence[Copy]) -> None:
    """Closes files, and with them their locks."""
    for copy in copies:
        copy.close()
