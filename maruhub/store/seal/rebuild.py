"""Single strips made again: moved to other blades, or repaired where they are.

Act, name and content stay; the layout says another blade. A file whose own blade keeps it
is put right in place, the one case in which bytes are written over: only blocks that are
wrong by their sums, and only with what others agree on.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from maruhub.errors import InvalidInput
from maruhub.index.protocol import Index, IndexTxn
from maruhub.store.blade import BladeFile
from maruhub.store.blades import Blades
from maruhub.store.commit.turn import CommitTurn
from maruhub.store.copies import blade_error
from maruhub.store.format.keys import layout_key
from maruhub.store.format.layout import Layout, encode_layout
from maruhub.store.format.strip import encode_strip_header, encode_trailer
from maruhub.store.seal.placement import place_one
from maruhub.store.seal.report import ActReport, Changed, Decided, Outcome
from maruhub.store.seal.source import files_of
from maruhub.store.seal.strays import Strays
from maruhub.store.seal.strip_writer import Breathe, StripFiles, never_wait
from maruhub.store.seal.summed import SummedStrips
from maruhub.store.seal.sums import block_sums

_WINDOW_BYTES: Final = 2 << 20


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be made again: the layout as it stands in row ``raw``, numbers and blades.

    ``breathe`` is called behind each window of a strip.
    """

    raw: bytes
    layout: Layout
    targets: Mapping[int, bytes]
    breathe: Breathe = never_wait


def choose_targets(
    layout: Layout, moves: Mapping[int, bytes | None], rooms: Mapping[bytes, int], present: Container[int]
) -> dict[int, bytes]:
    """A blade for each number that comes without one; its own where that will do.

    Args:
        layout: Of strips.
        moves: Blade by number, or None.
        rooms: Bytes that may be written on each blade that takes some.
        present: Numbers whose files are on their blades, right or wrong.

    Raises NoSpace if there is none, InvalidInput if one blade would get two files.
    """
    assert layout.strips is not None
    targets = {number: blade for number, blade in moves.items() if blade is not None}
    for number in sorted(moves.keys() - targets.keys()):
        own = layout.blades[number]
        staying = {blade for other, blade in enumerate(layout.blades) if other not in moves}
        taken = staying | set(targets.values())
        free = {blade: room for blade, room in rooms.items() if blade not in taken}
        need = layout.strips.lengths[number]
        # What is there needs no room to be put right where it is.
        stays = own in free and (number in present or free[own] >= need)
        targets[number] = own if stays else place_one(layout.segment, number, free, need)
    after = [targets.get(number, blade) for number, blade in enumerate(layout.blades)]
    if len(set(after)) < len(after):
        raise InvalidInput(f"segment {layout.segment:016x}: two of its files would be on one blade.")
    return targets


class Rebuilding:
    """Makes single strips again."""

    def __init__(self, index: Index, turn: CommitTurn, blades: Blades, strays: Strays) -> None:
        self._index = index
        self._turn = turn
        self._blades = blades
        self._strays = strays

    def run(self, asked: Asked, report: ActReport) -> Outcome:
        """Does it; raises Changed if the layout isn't the one that was asked about any more."""
        strips = SummedStrips(self._blades, asked.layout)
        try:
            return self._run(asked, strips, report)
        finally:
            report.read_bytes += strips.read_bytes
            strips.close()

    def _run(self, asked: Asked, strips: SummedStrips, report: ActReport) -> Outcome:
        places = files_of(asked.layout)
        moved = {n: blade for n, blade in asked.targets.items() if not self._stays(places[n], blade)}
        for number in asked.targets.keys() - moved.keys():
            self._repair(asked, strips, number, report)
        if not moved:
            return Outcome.DONE
        order = sorted(moved)
        files = StripFiles(self._blades, [(moved[n], places[n][1]) for n in order], self._strays.make_way)
        with files.made() as decided:
            for at, number in enumerate(order):
                report.written_bytes += self._write(asked, strips, number, partial(files.write, at))
            files.sync()
            self._publish(asked, moved, decided)
        report.files += len(order)
        left = [places[n] for n in order if places[n][0] != moved[n]]
        report.freed_bytes += self._strays.remove(left)
        self._turn.note_files()
        return Outcome.DONE

    def _stays(self, place: tuple[bytes, str], target: bytes) -> bool:
        """Whether the file is on its target already, right or wrong."""
        blade = self._blades.get(target)
        if blade is None or place[0] != target:
            return False
        with contextlib.suppress(OSError):
            blade.open(place[1]).close()
            return True
        return False

    @staticmethod
    def _write(
        asked: Asked, strips: SummedStrips, number: int, write: Callable[[int, memoryview | bytes], None]
    ) -> int:
        """Makes one strip and hands it to ``write``; the bytes of its file."""
        length = strips.header.lengths[number]
        head = encode_strip_header(replace(strips.header, number=number))
        write(0, head)
        sums: list[int] = []
        for place in range(0, length, _WINDOW_BYTES):
            data = strips.recover(number, place, min(_WINDOW_BYTES, length - place))
            sums += block_sums(data)
            write(strips.data_at + place, data)
            asked.breathe()
        trailer = encode_trailer(sums)
        write(strips.data_at + length, trailer)
        return len(head) + length + len(trailer)

    def _repair(self, asked: Asked, strips: SummedStrips, number: int, report: ActReport) -> None:
        place = files_of(asked.layout)[number]
        blade = self._blades.get(place[0])
        assert blade is not None
        try:
            file = blade.open(place[1], write=True)
            try:
                report.written_bytes += self._put_right(asked, strips, number, file)
                file.sync()
            finally:
                file.close()
        except OSError as error:
            raise blade_error([error], "repairing a strip") from error
        report.files += 1

    @staticmethod
    def _put_right(asked: Asked, strips: SummedStrips, number: int, file: BladeFile) -> int:
        """Writes what is wrong of a file; the bytes of the windows that were."""
        written = 0
        length = strips.header.lengths[number]
        trusted = strips.is_there(number)
        sums: list[int] = []
        for place in range(0, length, _WINDOW_BYTES):
            size = min(_WINDOW_BYTES, length - place)
            data = strips.read(number, place, size)
            if data is None:
                data = strips.recover(number, place, size)
                file.write(strips.data_at + place, [data])
                written += size
            sums += block_sums(data)
            asked.breathe()
        if not trusted:
            file.write(0, [encode_strip_header(replace(strips.header, number=number))])
            file.write(strips.data_at + length, [encode_trailer(sums)])
        return written

    def _publish(self, asked: Asked, moved: Mapping[int, bytes], decided: Decided) -> None:
        layout = asked.layout
        key = layout_key(layout.segment)
        blades = tuple(moved.get(number, blade) for number, blade in enumerate(layout.blades))
        after = replace(layout, generation=layout.generation + 1, blades=blades)

        def decide(txn: IndexTxn, _: int) -> Mapping[bytes, bytes | None]:
            if txn.get_many([key])[0] != asked.raw:
                raise Changed(f"segment {layout.segment:016x} was moved meanwhile")
            decided.yes = True
            return {key: encode_layout(after)}

        self._turn.restate(decide)
