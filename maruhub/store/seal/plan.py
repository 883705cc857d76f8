"""The plan of an act: what is copied to where. Pure.

Every piece (an extent, or a batch of records) is copied into each range that touches it:
where two strips share a page, both hold all of it that lives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from maruhub.store.format.batch import BatchHead
from maruhub.store.format.cutting import cut_into_strips, page_runs, units_of
from maruhub.store.format.extent import ExtentArray
from maruhub.store.format.layout import Layout, Range, StripsLayout
from maruhub.store.format.strip import strip_header_bytes
from maruhub.store.seal.placement import Scheme

I64 = npt.NDArray[np.int64]


class Pieces(NamedTuple):
    """What is copied, ``int64[n]`` each, sorted by start.

    ``source``: from 0 on the number of an extent, from −1 downwards that of a batch.
    """

    start: I64
    end: I64
    source: I64

    @property
    def kept_bytes(self) -> int:
        """Bytes of the pages that they touch."""
        return _page_bytes(self.start, self.end)

    @property
    def records_bytes(self) -> int:
        """Bytes of the pages that batches alone touch."""
        extents = self.source >= 0
        return self.kept_bytes - _page_bytes(self.start[extents], self.end[extents])


def _page_bytes(start: I64, end: I64) -> int:
    runs = page_runs(np.column_stack((start, end)))
    return int((runs[:, 1] - runs[:, 0]).sum())


class Copying(NamedTuple):
    """Parts of pieces, ``int64[n]`` each, sorted by file and place.

    ``length`` bytes from ``skip`` of piece ``piece`` go to ``place`` of the data of ``file``.
    """

    file: I64
    place: I64
    length: I64
    piece: I64
    skip: I64


@dataclass(frozen=True, slots=True)
class Cut:
    """How strips are cut: ranges whose places count from the files' beginnings."""

    scheme: Scheme
    ranges: tuple[Range, ...]
    lengths: tuple[int, ...]
    data_at: int


def make_pieces(extents: ExtentArray, batches: Sequence[BatchHead]) -> Pieces:
    """Pieces of live extents and of batches that stay."""
    start = np.concatenate((extents["offset"].astype(np.int64), [head.offset for head in batches]))
    length = np.concatenate((extents["length"].astype(np.int64), [head.size for head in batches]))
    source = np.concatenate((np.arange(len(extents)), -1 - np.arange(len(batches))))
    order = np.argsort(start, kind="stable")
    start = start[order].astype(np.int64)
    return Pieces(start, start + length[order].astype(np.int64), source[order])


def make_cut(pieces: Pieces, owners: I64, scheme: Scheme) -> Cut:
    """Cuts pieces into strips; ``owners`` are those of the extents, by number."""
    units = make_units(pieces, owners, -(-pieces.kept_bytes // scheme.data))
    cutting = cut_into_strips(units, scheme.data)
    data_at = strip_header_bytes(scheme.files, len(cutting.ranges))
    ranges = tuple(part._replace(place=part.place + data_at) for part in cutting.ranges)
    lengths = cutting.lengths + (max(cutting.lengths),) * scheme.parity
    return Cut(scheme, ranges, lengths, data_at)


def make_units(pieces: Pieces, owners: I64, strip_bytes: int) -> I64:
    """What must not be cut; an array at once where no object has several pieces."""
    if not len(pieces.start):
        return np.zeros((0, 2), np.int64)
    own = np.where(pieces.source >= 0, np.append(owners, 0)[np.maximum(pieces.source, -1)], pieces.source)
    touching = (pieces.start[1:] == pieces.end[:-1]) & (own[1:] == own[:-1])
    if not (touching | (pieces.start[1:] < pieces.end[:-1])).any():
        return np.column_stack((pieces.start, pieces.end))
    return units_of(
        list(zip(*(part.tolist() for part in (pieces.start, pieces.end, own)), strict=True)), strip_bytes
    )


def make_copying(pieces: Pieces, cut: Cut) -> Copying:
    """What goes where: every range gets what it touches of every piece."""
    table = np.array(list(cut.ranges), np.int64).reshape(-1, 4)
    start, end = table[:, 0], table[:, 0] + table[:, 1]
    reach = np.maximum.accumulate(pieces.end) if len(pieces.end) else pieces.end
    low = np.searchsorted(reach, start, side="right")
    counts = np.maximum(np.searchsorted(pieces.start, end, side="left") - low, 0)
    part = np.repeat(np.arange(len(table)), counts)
    piece = np.arange(len(part)) - np.repeat(np.cumsum(counts) - counts, counts) + low[part]
    begin, stop = np.maximum(pieces.start[piece], start[part]), np.minimum(pieces.end[piece], end[part])
    place = table[part, 2] - cut.data_at + begin - start[part]
    found = Copying(table[part, 3], place, stop - begin, piece, begin - pieces.start[piece])
    kept = np.flatnonzero(found.length > 0)
    order = kept[np.lexsort((found.place[kept], found.file[kept]))]
    return Copying(*(column[order] for column in found))


def next_layout(layout: Layout, cut: Cut, blades: tuple[bytes, ...], pieces: Pieces, *, floor: int) -> Layout:
    """Where the segment lies once the act is on record; ``floor``: of the first batch that stays."""
    generation = layout.generation + 1
    strips = StripsLayout(
        data=cut.scheme.data,
        act=generation,
        data_at=cut.data_at,
        lengths=cut.lengths,
        dropped=0,
        floor=floor,
        records_kib=-(-pieces.records_bytes // 1024),
    )
    return replace(layout, generation=generation, blades=blades, ranges=cut.ranges, strips=strips)
