"""Files that nobody may have named: of logs that were never begun, of bulk writes that died.

A log without a batch may hold objects, its layout stands in another log's then; so may that
of strips. Which of them are nobody's is known once all is replayed. Of strips not even then: a
turn that names them may count yet, or stand in a log on a blade that nobody has named. So
they are never removed here; where the index is an old one, which knows every blade, they are
marked for the sweep, which voids such a turn first.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Final

from maruhub.index.protocol import Index
from maruhub.store.blades import Blades
from maruhub.store.commit.unborn import Unborn
from maruhub.store.copies import Copy
from maruhub.store.format.header import log_name
from maruhub.store.format.keys import LAYOUT_PREFIX, layout_key, segment_of
from maruhub.store.format.layout import decode_layout
from maruhub.store.format.row import Row
from maruhub.store.format.strip import StripName, pool_of_strip
from maruhub.store.protocol import prefix_end
from maruhub.store.recover.report import RecoveryReport
from maruhub.store.recover.strip_search import Listed

_POOL_END: Final = 32
_PAGE: Final = 4096


class Orphans:
    """Collects such files during a search, and removes or marks them after the replay.

    ``left``: segments of strips that were found, whoever's they are.
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

    def settle(self, unborn: Unborn, *, may_mark: bool) -> None:
        """Removes logs that no layout row knows, and marks strips that none does; nothing in doubt.

        ``may_mark``: whether all logs were read, and this index has not just been made anew.
        """
        sure = not self._blades.missing and not self._report.problems
        logs, self._logs = self._logs, []
        for segment, copies in logs:
            if sure and not self._is_on_record(segment):
                self._remove(log_name(segment), copies)
            close_all(copies)
        self._report.problems += [why for s, why in self._damaged.items() if self._is_on_record(s)]
        self.left = {name.segment for _, name in self._strips}
        if sure and may_mark and self.left and self._sees_all_blades():
            foreign = {name.segment for blade_id, name in self._strips if not self._is_ours(blade_id, name)}
            for segment in self.left - foreign:
                if not self._is_on_record(segment):
                    with contextlib.suppress(OSError):
                        unborn.add(segment)

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

    def _is_ours(self, blade_id: bytes, name: StripName) -> bool:
        """Whether a strip is this pool's, as far as it can tell."""
        copies = self._blades.open_copies(str(name), [blade_id])
        try:
            return all(
                pool_of_strip(copy.read_or_nothing(0, _POOL_END)) in (None, self._pool_id) for copy in copies
            )
        finally:
            close_all(copies)

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
