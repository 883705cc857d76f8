"""Bringing a cold batch into memory: every blade's part by a hand of its own, all at once."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np

from maruhub.store.blades import Blades
from maruhub.store.format.extent import Extent, ExtentArray
from maruhub.store.read.degraded import Degraded, Stretch
from maruhub.store.read.layouts import FileKey, Places
from maruhub.store.read.mapping import MappedFile
from maruhub.store.read.patience import Errand, Patience


class Fetched(NamedTuple):
    """What bringing a cold batch into memory has led to.

    ``late``: blades that didn't answer in their time; ``views``: bytes of extents, by
    number, that lie in files without a mapping.
    """

    late: frozenset[bytes]
    views: dict[int, memoryview]


NOTHING: Final = Fetched(frozenset(), {})


class Fetching:
    """Fetches batches of one process.

    Args:
        blades: Of the pool.
        patience: The hands, and how long each blade is waited for.
        mapped: The file of a place, mapped up to an end; None if it can't be had.
        open_file: Any file, mapped up to an end; raises OSError or ValueError.
        ways: Says from what an extent would be decoded.
    """

    def __init__(
        self,
        blades: Blades,
        patience: Patience,
        mapped: Callable[[Places, int, int], MappedFile | None],
        open_file: Callable[[FileKey, int], MappedFile],
        ways: Degraded,
    ) -> None:
        self._blades = blades
        self._patience = patience
        self._mapped = mapped
        self._open_file = open_file
        self._ways = ways

    def fetch(self, extents: ExtentArray, places: Places) -> Fetched:
        """Brings extents into memory, and says who was late."""
        if len(self._blades) < 2:
            # There is nobody else to ask: whoever reads waits.
            self.announce(extents, places)
            return NOTHING
        views: dict[int, memoryview] = {}
        mine: dict[bytes, list[int]] = {}
        others: dict[bytes, list[Stretch]] = {}
        for i, number in enumerate(places.files.tolist()):
            if number >= 0 and self._answers(places.keys[number].blade_id):
                mine.setdefault(places.keys[number].blade_id, []).append(i)
            elif number >= 0:
                # It will be decoded: what from is asked for now, of all blades together.
                for stretch in self._ways.sources(extent_at(extents, i), self._answers):
                    others.setdefault(stretch.file.blade_id, []).append(stretch)
        errands = {
            blade_id: self._errand(extents, places, mine.get(blade_id, []), others.get(blade_id, []), views)
            for blade_id in mine.keys() | others.keys()
        }
        return Fetched(frozenset(self._patience.run(errands)), views)

    def _answers(self, blade_id: bytes) -> bool:
        return self._blades.get(blade_id) is not None

    def _errand(
        self,
        extents: ExtentArray,
        places: Places,
        mine: Sequence[int],
        others: Sequence[Stretch],
        views: dict[int, memoryview],
    ) -> Errand:
        size = int(extents["length"][mine].sum(dtype=np.int64)) + sum(one.length for one in others)

        def run() -> None:
            for file, place, length in others:
                with contextlib.suppress(OSError, ValueError):
                    read_ahead(self._open_file(file, place + length), place, length)
            self._bring(extents, places, mine, views)

        return Errand(run, len(mine) + len(others) + size / (1 << 20))

    def _bring(
        self, extents: ExtentArray, places: Places, mine: Sequence[int], views: dict[int, memoryview]
    ) -> None:
        """One blade's part: announced, then populated; where nothing is mapped, read into ``views``."""
        part = Places(places.files[mine], places.offsets[mine], places.keys)
        self.announce(extents[mine], part)
        ends = (part.offsets + extents["length"][mine]).tolist()
        for i, number, start, end in zip(mine, part.files.tolist(), part.offsets.tolist(), ends, strict=True):
            mapped = self._mapped(places, number, end)
            # An error shows again when it is looked at, and sends the reader to others.
            with contextlib.suppress(OSError):
                view = mapped.view_cold(start, end) if mapped is not None else None
                if view is not None and mapped is not None and mapped.window is None:
                    views[i] = view

    def announce(self, extents: ExtentArray, places: Places) -> None:
        """Asks the kernel to read extents ahead."""
        ends = (places.offsets + extents["length"]).tolist()
        lengths = extents["length"].tolist()
        for number, start, end, length in zip(
            places.files.tolist(), places.offsets.tolist(), ends, lengths, strict=True
        ):
            mapped = self._mapped(places, number, end)
            if mapped is not None:
                read_ahead(mapped, start, length)


def extent_at(extents: ExtentArray, i: int) -> Extent:
    """One of ``EXTENT_DTYPE[n]``."""
    segment, offset, length, _, checksum = extents[i].tolist()
    return Extent(segment, offset, length, checksum)


def read_ahead(mapped: MappedFile, start: int, length: int) -> None:
    """Asks the kernel to read a range of a file ahead."""
    descriptor = mapped.descriptor
    if descriptor >= 0:
        os.posix_fadvise(descriptor, start, length, os.POSIX_FADV_WILLNEED)
