"""The segment an act begins from: its batches, from full copies of its log or from strips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from maruhub.errors import Corrupt
from maruhub.store.blades import Blades
from maruhub.store.copies import descriptors_for
from maruhub.store.format.batch import BatchHead
from maruhub.store.format.header import log_name
from maruhub.store.format.keys import Tail
from maruhub.store.format.layout import Layout
from maruhub.store.format.strip import StripName
from maruhub.store.recover.chain import Chain, read_header
from maruhub.store.recover.orphans import close_all
from maruhub.store.recover.strip_search import find_strips


@dataclass(frozen=True, slots=True)
class Source:
    """An open segment's chain, and how its files are called on which blade."""

    chain: Chain
    files: tuple[tuple[bytes, str], ...]

    def batches(self, tail: Tail, layout: Layout, covered: int) -> list[BatchHead]:
        """The chain's batches that have to stay, first one first.

        Those at its beginning go that end at or below counter ``covered``.
        Raises Corrupt where one is damaged in every copy.
        """
        floor = layout.strips.floor if layout.strips else 1
        if not tail.batch or not floor:
            return []
        last = self.chain.batch_at(tail.batch)
        if last is None:
            raise Corrupt(
                f"{self.chain.damage_at(tail.batch)}.", hint="Bring missing blades back; see `maru check`."
            )
        heads = self.chain.back_from(last[0], floor)
        kept = next((at for at, head in enumerate(heads) if head.last > covered), len(heads))
        return heads[kept:]

    def batch(self, offset: int) -> bytes:
        """The bytes of a batch, whole by their sum; raises Corrupt."""
        found = self.chain.batch_at(offset)
        if found is None:
            raise Corrupt(
                f"{self.chain.damage_at(offset)}.", hint="Bring missing blades back; see `maru check`."
            )
        return found[1]

    def close(self) -> None:
        """Closes the files."""
        self.chain.close()


def files_of(layout: Layout) -> tuple[tuple[bytes, str], ...]:
    """(blade id, name) of every file of a layout, in the order of their numbers."""
    if layout.strips is None:
        return tuple((blade, log_name(layout.segment)) for blade in layout.blades)
    act = layout.strips.act
    return tuple(
        (blade, str(StripName(layout.segment, act, number))) for number, blade in enumerate(layout.blades)
    )


def open_source(blades: Blades, layout: Layout) -> Source:
    """Opens a segment's files; raises what is wrong if too few can be read."""
    with descriptors_for("reading a segment"):
        return _open_source(blades, layout)


def _open_source(blades: Blades, layout: Layout) -> Source:
    if layout.strips is not None:
        found = find_strips(blades, _listed(layout, layout.strips.act))
        return Source(Chain(found.segment_header(), found.copies), files_of(layout))
    copies = blades.open_copies(log_name(layout.segment), layout.blades)
    try:
        return Source(Chain(read_header(copies), copies), files_of(layout))
    except BaseException:
        close_all(copies)
        raise


def _listed(layout: Layout, act: int) -> Sequence[tuple[bytes, StripName]]:
    return [(blade, StripName(layout.segment, act, number)) for number, blade in enumerate(layout.blades)]
