"""Whether the last turn before a crash reached the drives together with its objects.

Its batch may have been whole when the power went, its objects not: then it was never
acknowledged and doesn't count. (All earlier turns were synced before it began.) If it
counts, copies that lack right bytes get them, and all is synced before anyone sees it. Only
those that the layout names: a copy that was given up lacks what came since, and a batch
behind that gap would lead whoever has this copy alone to one that it never had.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import xxhash

from maruhub.errors import Unavailable
from maruhub.store.blades import Blades
from maruhub.store.copies import Copy, blade_error, sync_error
from maruhub.store.format.batch import BatchHead, iter_records
from maruhub.store.format.extent import Extent
from maruhub.store.format.header import log_name
from maruhub.store.format.keys import LAYOUT_PREFIX, segment_of
from maruhub.store.format.layout import Layout, decode_layout
from maruhub.store.format.row import Row
from maruhub.store.recover.chain import Chain


class Evidence:
    """Checks one turn's batch. ``mended`` counts ranges put right in some copy.

    Args:
        blades: Where the objects' logs are.
        chain: The batch's own log.
        is_known: Whether an earlier turn names this extent already: those were synced, and
            if they rotted since, that is no reason to doubt this turn.
        layout_of: Where a segment lay before this turn; None: nobody knows.
    """

    def __init__(
        self,
        blades: Blades,
        chain: Chain,
        is_known: Callable[[Extent], bool],
        layout_of: Callable[[int], Layout | None],
    ) -> None:
        self._blades = blades
        self._chain = chain
        self._is_known = is_known
        self._layout_of = layout_of
        self._stated: dict[int, Layout] = {}
        self._copies: dict[int, list[Copy]] = {}
        self._sound: dict[int, list[Copy]] = {}
        self.mended = 0

    def confirms(self, head: BatchHead) -> bool:
        """Whether every extent that is news in the batch is whole in some copy.

        If so, all of it is durable when this returns. Raises Unavailable if a read error
        leaves it open: what can't be read may have been acknowledged.
        """
        found = self._chain.batch_at(head.offset)
        if found is None:
            raise Unavailable(
                f"segment {self._chain.header.segment:016x}: the batch at {head.offset} has just become unreadable.",
                hint="Try again.",
            )
        _, data = found
        rows = [Row(key, raw) for key, raw in iter_records(head, data)]
        self._stated = _layouts_in(rows)
        extents = {extent for row in rows for extent in row.extents}
        try:
            news = sorted(extent for extent in extents if not self._is_known(extent))
            whole = all(self._settle_extent(extent) for extent in news)
            if whole:
                self._settle(self._chain.header.segment, head.offset, data)
                self._sync()
        finally:
            self._close()
        return whole

    def _settle_extent(self, extent: Extent) -> bool:
        unreadable = None
        for copy in self._copies_of(extent.segment):
            try:
                data = copy.read(extent.offset, extent.length)
            except OSError as error:
                unreadable = error
                continue
            if len(data) == extent.length and xxhash.xxh3_64_intdigest(data) == extent.checksum:
                self._settle(extent.segment, extent.offset, data)
                return True
        if unreadable is not None:
            raise Unavailable(
                f"segment {extent.segment:016x}, offset {extent.offset}: {unreadable.strerror}, so nobody can "
                f"tell whether the last change was made.",
                hint="Try again. To go on without that change: maru check --accept-loss.",
            )
        return False

    def _sync(self) -> None:
        for copies in self._sound.values():
            errors = [error for copy in copies if (error := sync_error(copy.file))]
            if len(errors) == len(copies):
                raise blade_error(errors, "making a dead writer's last change durable")

    def _settle(self, segment: int, offset: int, data: bytes) -> None:
        """Sees to it that the segment's sound copies hold ``data``."""
        for copy in self._sound_copies(segment):
            if copy.read_or_nothing(offset, len(data)) == data:
                continue
            try:
                copy.file.write(offset, [data])
                self.mended += 1
            except OSError:
                # It stays bad; reads of it go to another.
                self._sound[segment].remove(copy)

    def _sound_copies(self, segment: int) -> tuple[Copy, ...]:
        """Those that the layout names, as this turn leaves it, and that took all they lacked."""
        if segment not in self._sound:
            copies = self._copies_of(segment)
            layout = self._stated.get(segment) or self._layout_of(segment)
            self._sound[segment] = [
                copy for copy in copies if layout is None or copy.blade.blade_id in layout.blades
            ]
        return tuple(self._sound[segment])

    def _copies_of(self, segment: int) -> list[Copy]:
        if segment == self._chain.header.segment:
            return self._chain.copies
        if segment not in self._copies:
            ids = [blade.blade_id for blade in self._blades]
            self._copies[segment] = self._blades.open_copies(log_name(segment), ids, write=True)
        return self._copies[segment]

    def _close(self) -> None:
        for copies in self._copies.values():
            for copy in copies:
                copy.close()
        self._copies.clear()
        self._sound.clear()


def _layouts_in(rows: Sequence[Row]) -> dict[int, Layout]:
    """The layouts that a turn's rows state, by segment."""
    return {
        segment_of(row.key): decode_layout(segment_of(row.key), row.payload)
        for row in rows
        if row.key.startswith(LAYOUT_PREFIX) and not row.gone
    }
