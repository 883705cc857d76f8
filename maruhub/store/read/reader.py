"""Reading extents: views of mapped memory, checked, from another copy where one is bad.

A healthy read touches one blade. A missing file, a read error or a wrong sum sends just
that extent to the other copies and is counted; wrong bytes are never returned.
"""

from __future__ import annotations

import errno
import functools
import itertools
import mmap
import os
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import xxhash

from maruhub.errors import MaruError, Unavailable
from maruhub.store.blade import OUT_OF_DESCRIPTORS, BladeFile, Buffer
from maruhub.store.blades import Blades
from maruhub.store.format.extent import Blobs, Extent, ExtentArray
from maruhub.store.read.answers import Answers, no_intact_copy
from maruhub.store.read.checking import all_right, is_right
from maruhub.store.read.degraded import Degraded
from maruhub.store.read.doubt import PROBES, Doubt, major_faults
from maruhub.store.read.fetching import NOTHING, Fetched, Fetching, extent_at
from maruhub.store.read.layouts import FileKey, Layouts, Places, segment_of_file
from maruhub.store.read.mapping import MappedFile, MappedFiles, populate_many
from maruhub.store.read.patience import Errand, Patience

_TIDY_SECONDS: Final = 1.0
_LAST_SECONDS: Final = 30.0
"""A late blade's time where there is no other way to bytes."""
_TOGETHER: Final = 4
"""Fewer extents are read faster one by one."""


@dataclass
class ReadCounts:
    """What this process has read since it opened the store; approximate under threads.

    ``degraded`` counts extents for which the first copy failed, ``bad_copies`` failures a
    blade (key: blade id).
    """

    extents: int = 0
    size_bytes: int = 0
    degraded: int = 0
    lost: int = 0
    bad_copies: Counter[bytes] = field(default_factory=Counter)


class Reader:
    """Reads of one process. Any thread may call; views handed out live on their own."""

    def __init__(self, layouts: Layouts, blades: Blades) -> None:
        self._layouts = layouts
        self._blades = blades
        self._files = MappedFiles(self._open)
        self._ways = Degraded(layouts, self._read_file, self._count_bad)
        patient = functools.partial(self._read_file, least_s=_LAST_SECONDS)
        self._last_ways = Degraded(layouts, patient, self._count_bad)
        self._timeouts = 0
        self.counts = ReadCounts()
        self._patience = Patience()
        self._doubt = Doubt()
        self._fetching = Fetching(blades, self._patience, self._mapped, self._files.get, self._ways)
        self._tidy_at = 0.0

    def _open(self, key: FileKey) -> BladeFile:
        blade = self._blades.get(key.blade_id)
        if blade is None:
            raise OSError(errno.ENODEV, "the blade is missing")
        return blade.open(key.name)

    def read_many(self, blobs: Blobs, *, verify: bool) -> list[memoryview | MaruError]:
        """Each blob's bytes, or its error; see ``Store.read_many``."""
        extents = blobs.extents
        if time.monotonic() >= self._tidy_at:
            self._tidy()
        places = self._layouts.locate(extents)
        fetched = NOTHING
        if not self._is_warm(extents, probes=PROBES):
            self._doubt.note(waited=True)
            fetched = self._fetching.fetch(extents, places)
        parts = self._read_extents(extents, places, fetched, verify=verify)
        self.counts.extents += len(extents)
        self.counts.size_bytes += int(extents["length"].sum(dtype=np.int64))
        if len(blobs) == len(extents) and bool((blobs.starts[1:] > blobs.starts[:-1]).all()):
            return parts
        starts = blobs.starts.tolist()
        offsets = places.offsets.tolist()
        pairs = itertools.pairwise(starts)
        return [parts[a] if b - a == 1 else _joined(parts[a:b], offsets[a:b]) for a, b in pairs]

    def _tidy(self) -> None:
        """Lets go of files that acts have replaced, and looks where their bytes are now."""
        self._tidy_at = time.monotonic() + _TIDY_SECONDS
        for segment in {segment_of_file(key.name) for key in self._files.drop_removed()}:
            self._layouts.refresh(segment)

    def _read_extents(
        self, extents: ExtentArray, places: Places, fetched: Fetched, *, verify: bool
    ) -> list[memoryview | MaruError]:
        """Every extent on its own merits; the common case is settled for all at once."""
        alone = len(extents) < _TOGETHER or bool(fetched.views)
        together = None if alone or fetched.late else self._read_together(extents, places)
        if together is not None and (not verify or all_right(together, extents["checksum"].tolist())):
            return [*together]
        apart = None if alone else self._read_apart(extents, places, fetched, verify=verify)
        return self._read_singly(extents, places, fetched, verify=verify) if apart is None else apart

    def _read_apart(
        self, extents: ExtentArray, places: Places, fetched: Fetched, *, verify: bool
    ) -> list[memoryview | MaruError] | None:
        """Where some files can't be had: what is in the others together; None if that doesn't help."""
        files = places.files.tolist()
        numbers = set(files)
        lost = [number for number in numbers if not self._is_there(places, number, fetched)]
        if len(lost) in (0, len(numbers)):
            return None
        there = ~np.isin(places.files, lost)
        rest = Places(places.files[there], places.offsets[there], places.keys)
        found = iter(self._read_extents(extents[there], rest, NOTHING, verify=verify))
        return [
            next(found) if here else self._degraded(extents, i, places, files[i])
            for i, here in enumerate(there.tolist())
        ]

    def _is_there(self, places: Places, number: int, fetched: Fetched) -> bool:
        late = number >= 0 and places.keys[number].blade_id in fetched.late
        return not late and self._mapped(places, number, 0) is not None

    def _read_together(self, extents: ExtentArray, places: Places) -> list[memoryview] | None:
        """Views of all extents, unchecked; None if any of them needs to be looked at."""
        starts, ends = places.offsets, places.offsets + extents["length"]
        files = places.files.tolist()
        numbers = set(files)
        if min(numbers) < 0:
            return None
        last = np.zeros(len(places.keys), np.int64)
        np.maximum.at(last, places.files, ends)
        addresses = np.zeros(len(places.keys), np.int64)
        views: dict[int, memoryview] = {}
        for number in numbers:
            mapped = self._mapped(places, number, int(last[number]))
            window = mapped.window if mapped is not None else None
            if window is None:
                return None
            views[number], addresses[number] = window.view, window.address
        faults = major_faults()
        populated = populate_many(addresses[places.files] + starts, ends - starts)
        self._doubt.note(waited=major_faults() != faults)
        if not populated:
            return None
        runs = zip(files, starts.tolist(), ends.tolist(), strict=True)
        return [views[number][start:end] for number, start, end in runs]

    def _read_singly(
        self, extents: ExtentArray, places: Places, fetched: Fetched, *, verify: bool
    ) -> list[memoryview | MaruError]:
        files, starts = places.files.tolist(), places.offsets.tolist()
        ends = (places.offsets + extents["length"]).tolist()
        sums = extents["checksum"].tolist()
        opened: dict[int, MappedFile | None] = {}
        parts: list[memoryview | MaruError] = []
        for i, (number, start, end) in enumerate(zip(files, starts, ends, strict=True)):
            late = number >= 0 and places.keys[number].blade_id in fetched.late
            mapped = opened.get(number)
            if not late and (mapped is None or mapped.size < end):
                mapped = opened[number] = self._mapped(places, number, end)
            try:
                if mapped is None or late:
                    part: memoryview | MaruError = self._degraded(extents, i, places, number)
                else:
                    view = fetched.views.get(i)
                    part = mapped.view(start, end) if view is None else view
                    if verify and not is_right(part, sums[i]):
                        part = self._degraded(extents, i, places, number)
            except OSError:
                part = self._degraded(extents, i, places, number)
            parts.append(part)
        return parts

    def _mapped(self, places: Places, number: int, end: int) -> MappedFile | None:
        return None if number < 0 else self._mapped_file(places.keys[number], end)

    def _mapped_file(self, key: FileKey, end: int) -> MappedFile | None:
        """A file, mapped up to ``end``; None where its blade is late or doesn't give it."""
        if self._patience.is_late(key.blade_id):
            return None
        try:
            return self._files.get(key, end)
        except (OSError, ValueError) as error:
            _require_descriptors(error)
            return None

    def _degraded(self, extents: ExtentArray, i: int, places: Places, number: int) -> memoryview | MaruError:
        """One extent from wherever else it can be had, always checked."""
        extent = extent_at(extents, i)
        failed = places.keys[number] if number >= 0 else None
        if failed is not None:
            self._files.drop(failed)
        self.counts.degraded += 1
        timeouts = self._timeouts
        answers: Answers = {}
        data = self._ways.read(extent, failed, answers)
        if data is None and self._timeouts != timeouts:
            # Late is not lost: where nobody else has the bytes, it is waited for.
            data = self._last_ways.read(extent, failed, answers)
        if data is not None:
            return data
        self.counts.lost += 1
        return no_intact_copy(extent, self._ways.wrong(extent, answers))

    def _count_bad(self, blade_id: bytes) -> None:
        self.counts.bad_copies[blade_id] += 1

    def _read_file(self, key: FileKey, offset: int, length: int, *, least_s: float = 0.0) -> Buffer:
        """Bytes of any file, a copy where they are in memory; raises OSError.

        In the blade's time, or ``least_s`` if that is more: one that is late is taken for one
        that doesn't answer.
        """
        resident = self._files.read_resident(key, offset, length)
        if resident is not None:
            return resident
        found: list[Buffer | OSError] = []

        def read() -> None:
            try:
                found.append(self._files.get(key, offset + length).view_cold(offset, offset + length))
            except (OSError, ValueError) as error:
                found.append(OSError(getattr(error, "errno", errno.ENODATA), str(error)))

        if self._blades.get(key.blade_id) is None:
            # Known at once: a hand would be asked for nothing, once for each object.
            raise OSError(errno.ENODEV, "the blade is missing")
        if self._patience.run({key.blade_id: Errand(read, 1 + length / (1 << 20))}, least_s=least_s):
            self._timeouts += 1
            raise OSError(errno.ETIMEDOUT, "the blade doesn't answer in its time")
        if isinstance(found[0], OSError):
            _require_descriptors(found[0])
            self._files.drop(key)
            raise found[0]
        return found[0]

    def announce(self, extents: ExtentArray) -> None:
        """Asks the kernel to read extents ahead, unless they seem to be in memory.

        Errors show when they are read. Advice costs as much as a read from memory; an
        extent that was wrongly taken to be there is read when it is asked for.
        """
        if not self._is_warm(extents, probes=self._doubt.probes):
            self._fetching.announce(extents, self._layouts.locate(extents))

    def read_at_once(self, extent: Extent, buffer: bytearray | None = None) -> bytearray | None:
        """A copy of one extent, checked, if it is in memory where it is read from; else None.

        The copy is made in ``buffer``, where that has the extent's length.

        Never waits for a drive, opens no file and looks nowhere else: whoever gets None calls
        :meth:`read_many`, which does.
        """
        if time.monotonic() >= self._tidy_at:
            self._tidy()
        place = self._layouts.place_of(extent.segment, extent.offset, extent.length)
        if place is None or self._patience.is_late(place[0].blade_id):
            return None
        data = self._files.read_resident(*place, extent.length, buffer)
        if data is None or xxhash.xxh3_64_intdigest(data) != extent.checksum:
            return None
        self.counts.extents += 1
        self.counts.size_bytes += extent.length
        return data

    def drop_from_memory(self, extents: ExtentArray) -> None:
        """Forgets this process's mappings of the extents' files, and asks the kernel to."""
        places = self._layouts.locate(extents)
        for number in set(places.files.tolist()) - {-1}:
            mapped = self._mapped(places, number, 0)
            self._files.drop(places.keys[number])
            if mapped is not None and mapped.descriptor >= 0:
                mapped.release()
                os.posix_fadvise(mapped.descriptor, 0, 0, os.POSIX_FADV_DONTNEED)

    def _is_warm(self, extents: ExtentArray, *, probes: int) -> bool:
        """Whether a few extents of the batch are in memory; a guess that costs microseconds."""
        count = len(extents)
        places = {count * probe // probes for probe in range(probes)} if count else set[int]()
        return all(self._is_resident(extents, i) for i in places)

    def _is_resident(self, extents: ExtentArray, i: int) -> bool:
        """Whether one extent's end is in memory; True too where it can't be had at all."""
        segment, offset, length, _, _ = extents[i].tolist()
        place = self._layouts.place_of(segment, offset, length)
        if place is None:
            self._layouts.locate(extents[i : i + 1])  # learns the segment, if there is one
            place = self._layouts.place_of(segment, offset, length)
        if place is None:
            return True
        mapped = self._mapped_file(place[0], place[1] + length)
        return mapped is None or mapped.is_resident(place[1] + length - 1)

    def close(self) -> None:
        """Forgets open files; views live on."""
        self._files.close()
        self._patience.close()


def _require_descriptors(error: Exception) -> None:
    """Running out of descriptors says nothing about a copy: it must not count as a bad one."""
    if isinstance(error, OSError) and error.errno in OUT_OF_DESCRIPTORS:
        raise Unavailable(
            "This process has no file descriptors left.", hint="Raise the limit (ulimit -n)."
        ) from error


def _joined(parts: list[memoryview | MaruError], offsets: list[int]) -> memoryview | MaruError:
    """One blob of its extents' bytes: no copy where they lie together in one mapped file."""
    good: list[memoryview] = []
    for part in parts:
        if isinstance(part, MaruError):
            return part
        good.append(part)
    mapped = good[0].obj if good else None
    ends = [offset + len(part) for part, offset in zip(good, offsets, strict=True)]
    if (
        isinstance(mapped, mmap.mmap)
        and offsets[1:] == ends[:-1]
        and all(part.obj is mapped for part in good)
    ):
        return memoryview(mapped)[offsets[0] : ends[-1]]
    return memoryview(b"".join(good))
