"""Whether the last batch of a log reached the drives together with its objects.

The last batch may have been whole when the power went, its objects not: then it was never
acknowledged and doesn't count. If it counts, copies that lack right bytes get them.
"""

from __future__ import annotations

import contextlib

import xxhash

from maruhub.store.batch import BatchHead, iter_records
from maruhub.store.blades import Blades
from maruhub.store.chain import Chain, read_at
from maruhub.store.copies import Copy
from maruhub.store.extent import Extent
from maruhub.store.header import log_name
from maruhub.store.row import Row


class Evidence:
    """Checks one log's last batch. ``mended`` counts ranges put right in some copy."""

    def __init__(self, blades: Blades, chain: Chain, *, write: bool) -> None:
        self._blades = blades
        self._chain = chain
        self._write = write
        self._others: dict[int, list[Copy]] = {}
        self.mended = 0

    def confirms(self, head: BatchHead) -> bool:
        """Whether every extent that the batch's rows name is whole in some copy."""
        found = self._chain.batch_at(head.offset)
        if found is None:
            return False
        _, data = found
        extents = {e for key, raw in iter_records(head, data) for e in Row(key, raw).extents}
        try:
            whole = all(self._settle_extent(extent) for extent in sorted(extents))
        finally:
            self._close_others()
        if whole and self._write:
            self._settle(self._chain.copies, head.offset, data)
            self._sync()
        return whole

    def _settle_extent(self, extent: Extent) -> bool:
        copies = self._copies_of(extent.segment)
        for copy in copies:
            data = read_at(copy, extent.offset, extent.length)
            if len(data) == extent.length and xxhash.xxh3_64_intdigest(data) == extent.checksum:
                if self._write and extent.segment == self._chain.header.segment:
                    self._settle(copies, extent.offset, data)
                return True
        return False

    def _sync(self) -> None:
        for copy in self._chain.copies:
            with contextlib.suppress(OSError):
                copy.file.sync()

    def _settle(self, copies: list[Copy], offset: int, data: bytes) -> None:
        for copy in copies:
            if read_at(copy, offset, len(data)) != data:
                # A copy that can't be mended stays bad; reads of it go to another.
                with contextlib.suppress(OSError):
                    copy.file.write(offset, [data])
                    self.mended += 1

    def _copies_of(self, segment: int) -> list[Copy]:
        if segment == self._chain.header.segment:
            return self._chain.copies
        if segment not in self._others:
            ids = [blade.blade_id for blade in self._blades]
            self._others[segment] = self._blades.open_copies(log_name(segment), ids)
        return self._others[segment]

    def _close_others(self) -> None:
        for copies in self._others.values():
            for copy in copies:
                copy.close()
        self._others.clear()
