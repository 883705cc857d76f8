"""Where extents lie now: layouts of this process's segments, resolved many at once.

A cache of layout rows as one sorted table of ranges. Resolving a batch is one
searchsorted, with no look-up per object; only segments not met before are fetched.
"""

from __future__ import annotations

import bisect
import threading
from collections.abc import Callable, Collection, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from maruhub.index.protocol import Index
from maruhub.store.format.extent import ExtentArray
from maruhub.store.format.header import log_name, log_segment
from maruhub.store.format.keys import LAYOUT_PREFIX, layout_key, segment_of
from maruhub.store.format.layout import Layout, decode_layout
from maruhub.store.format.row import Row
from maruhub.store.format.strip import StripName, parse_strip_name
from maruhub.store.protocol import prefix_end

_OFFSET_BITS: Final = 40
SEGMENT_BYTES_MAX: Final = (1 << 40) - (1 << 32)
_COPY_STRIPE_BITS: Final = 22
"""Reads go round the copies each 4 MiB: spread over blades, yet one copy warm in memory."""
_PAGE: Final = 4096

U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]


class FileKey(NamedTuple):
    """One file of a segment: its name, and the blade it is on."""

    name: str
    blade_id: bytes


class _Table(NamedTuple):
    segments: U64  # sorted
    ranks: U64  # ordinal of the segment << 40 | range start, sorted
    ends: U64  # ordinal << 40 | range end
    shift: I64  # place - start of each range
    first_file: I64
    copies: I64
    files: tuple[FileKey, ...]
    columns: tuple[memoryview, ...]  # the arrays above: one number of them is had faster so

    @classmethod
    def of(cls, segments: U64, ranges: Sequence[tuple[int, ...]], files: Sequence[FileKey]) -> _Table:
        """The table of sorted segments, and of their ranges: rank, end, shift, first file, copies."""
        given = list(zip(*ranges, strict=True)) or [()] * 5
        ranks, ends = (np.array(column, np.uint64) for column in given[:2])
        shift, first_file, copies = (np.array(column, np.int64) for column in given[2:])
        columns = tuple(column.data for column in (segments, ranks, ends, shift, first_file, copies))
        return cls(segments, ranks, ends, shift, first_file, copies, tuple(files), columns)


_EMPTY: Final = _Table.of(np.zeros(0, np.uint64), [], [])


class Places(NamedTuple):
    """Resolved extents: ``files[i]`` (index into ``keys``, −1: there is no such place), ``offsets[i]``."""

    files: I64
    offsets: I64
    keys: tuple[FileKey, ...]


class Layouts:
    """The cache; safe from many threads.

    Args:
        index: Holds the layout rows.
        answering: Ids of the blades to read from, while there are others.
        changes: A number that goes up when blades come or go.
    """

    def __init__(
        self, index: Index, answering: Collection[bytes], changes: Callable[[], int] = lambda: 0
    ) -> None:
        self._index = index
        self._changes = changes
        self._made_at = changes()
        self._answering = answering
        self._known: dict[int, Layout] = {}
        self._all_fetched = False
        self._table = _EMPTY
        self._lock = threading.Lock()

    def locate(self, extents: ExtentArray) -> Places:
        """Where each of ``EXTENT_DTYPE[n]`` starts; which copy is a function of its offset."""
        table = self._current_table()
        segments, offsets = extents["segment"], extents["offset"]
        ordinals = self._ordinals(table, segments)
        unknown = segments[ordinals < 0]
        if len(unknown):
            table = self._learn(sorted(set(unknown.tolist())))
            ordinals = self._ordinals(table, segments)
        # No segment is that long: an address that no writer made must not lead into another.
        ordinals = np.where(offsets < np.uint64(SEGMENT_BYTES_MAX), ordinals, -1)
        offsets = np.minimum(offsets, np.uint64(SEGMENT_BYTES_MAX))
        if not len(table.ranks):
            return Places(np.full(len(extents), -1), np.zeros(len(extents), np.int64), ())
        wanted = (np.maximum(ordinals, 0).astype(np.uint64) << np.uint64(_OFFSET_BITS)) | offsets
        ranges = np.searchsorted(table.ranks, wanted, side="right") - 1
        # Of another segment, before the first range, or behind its own: what no range holds whole is nowhere.
        inside = (ordinals >= 0) & (ranges >= 0) & (wanted + extents["length"] <= table.ends[ranges])
        stripe = (offsets >> np.uint64(_COPY_STRIPE_BITS)).astype(np.int64)
        files = table.first_file[ranges] + stripe % table.copies[ranges]
        places = offsets.astype(np.int64) + table.shift[ranges]
        return Places(np.where(inside, files, -1), places, table.files)

    def place_of(self, segment: int, offset: int, length: int) -> tuple[FileKey, int] | None:
        """Where one extent starts, as :meth:`locate` has it; None if that isn't known here by now.

        An array of one costs :meth:`locate` ten times what the look-up does.
        """
        table = self._current_table()
        segments, ranks, ends, shift, first_file, copies = table.columns
        ordinal = bisect.bisect_left(segments, segment)
        if ordinal >= len(segments) or segments[ordinal] != segment:
            return None
        wanted = (ordinal << _OFFSET_BITS) | offset
        at = bisect.bisect_right(ranks, wanted) - 1
        if offset >= SEGMENT_BYTES_MAX or at < 0 or wanted + length > ends[at]:
            return None
        stripe = (offset >> _COPY_STRIPE_BITS) % copies[at]
        return table.files[first_file[at] + stripe], offset + shift[at]

    def _current_table(self) -> _Table:
        """The table, made anew when blades have come or gone."""
        if self._changes() != self._made_at:
            with self._lock:
                self._made_at = self._changes()
                self._table = _build_table(self._known, self._answering)
        return self._table

    @staticmethod
    def _ordinals(table: _Table, segments: U64) -> I64:
        """Ordinal of each segment in the table, −1 where it isn't known."""
        if not len(table.segments):
            return np.full(len(segments), -1, np.int64)
        at = np.minimum(np.searchsorted(table.segments, segments), len(table.segments) - 1)
        return np.where(table.segments[at] == segments, at, -1).astype(np.int64)

    def _learn(self, segments: Sequence[int]) -> _Table:
        """Fetches these layouts; a process that comes a second time wants many, and gets all."""
        keys = [layout_key(segment) for segment in segments]
        items = [(key, raw) for key, raw in zip(keys, self._index.get_many(keys), strict=True) if raw]
        if self._known and not self._all_fetched:
            items += self._fetch_all()
        read = {segment_of(key): decode_layout(segment_of(key), Row(key, raw).payload) for key, raw in items}
        gone = [segment for segment in segments if segment in self._known and segment not in read]
        with self._lock:
            if gone or any(self._known.get(segment) != layout for segment, layout in read.items()):
                self._known.update(read)
                for segment in gone:
                    self._known.pop(segment, None)
                self._table = _build_table(self._known, self._answering)
            return self._table

    def _fetch_all(self) -> list[tuple[bytes, bytes]]:
        self._all_fetched = True
        items: list[tuple[bytes, bytes]] = []
        start = LAYOUT_PREFIX
        while page := self._index.scan(start, prefix_end(LAYOUT_PREFIX), _PAGE):
            items += page
            start = page[-1][0] + b"\0"
        return items

    def known(self, segment: int) -> Layout | None:
        """A segment's layout as this process has it, perhaps not the newest; None: it has none."""
        return self._known.get(segment)

    def refresh(self, segment: int) -> Layout | None:
        """Reads a segment's layout again; None if the index has none."""
        self._learn([segment])
        return self._known.get(segment)


def _build_table(known: dict[int, Layout], answering: Collection[bytes]) -> _Table:
    layouts = [known[segment] for segment in sorted(known)]
    ranges: list[tuple[int, ...]] = []
    files: list[FileKey] = []
    for ordinal, layout in enumerate(layouts):
        keys = files_of(layout)
        if layout.strips is None or layout.strips.data == 1:
            # Every file holds everything: those count that answer, if any does.
            keys = tuple(key for key in keys if key.blade_id in answering) or keys
        alike = len(keys) if layout.strips is None or layout.strips.data == 1 else 1
        base = ordinal << _OFFSET_BITS
        for part in layout.ranges:
            end = base + min(part.start + part.length, SEGMENT_BYTES_MAX)
            first_file = len(files) + (part.file if alike == 1 else 0)
            ranges.append((base | part.start, end, part.place - part.start, first_file, alike))
        files += keys
    return _Table.of(np.array([layout.segment for layout in layouts], np.uint64), ranges, files)


def segment_of_file(name: str) -> int:
    """The segment that a file of a layout belongs to, by its name."""
    strip = parse_strip_name(name)
    segment = log_segment(name) if strip is None else strip.segment
    assert segment is not None, "no layout names such a file"
    return segment


def files_of(layout: Layout) -> tuple[FileKey, ...]:
    """The files that a layout names, in the order of their numbers."""
    act = None if layout.strips is None else layout.strips.act
    return _files(layout.segment, act, layout.blades)


@lru_cache(maxsize=1024)
def _files(segment: int, act: int | None, blades: tuple[bytes, ...]) -> tuple[FileKey, ...]:
    """Kept: making the names anew took as long as half of decoding an object of 50 KB."""
    if act is None:
        return tuple(FileKey(log_name(segment), blade) for blade in blades)
    names = (str(StripName(segment, act, number)) for number in range(len(blades)))
    return tuple(map(FileKey, names, blades))
