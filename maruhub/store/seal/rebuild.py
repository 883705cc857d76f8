"""Single strips made again: moved to other blades, or repaired where they are.

Act, name and content stay; the layout says another blade. A file whose own blade keeps it
is put right in place, the one case in which bytes are written over: only blocks that are
wrong by their sums, and only with what others agree on.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from maruhub.errors import InvalidInput
from maruhub.index.protocol import Index, IndexTxn
from maruhub.store.blade import BladeFile
from maruhub.store.blades import Blades
from maruhub.store.commit.copies import blade_error
from maruhub.store.commit.turn import CommitTurn
from maruhub.store.format.keys import layout_key
from maruhub.store.format.layout import Layout, encode_layout
from maruhub.store.format.strip import encode_strip_header, encode_trailer
from maruhub.store.seal.placement import place_one
from maruhub.store.seal.report import ActReport, Changed, Decided, Outcome
from maruhub.store.seal.source import files_of
from maruhub.store.seal.strays import Strays
from maruhub.store.seal.strip_writer import StripFiles
from maruhub.store.seal.summed import SummedStrips
from maruhub.store.seal.sums import block_sums

_WINDOW_BYTES: Final = 2 << 20


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be made again: the layout as it stands in row ``raw``, numbers and blades."""

    raw: bytes
    layout: Layout
    targets: Mapping[int, bytes]


def choose_targets(
    layout: Layout, moves: Mapping[int, bytes | None], rooms: Mapping[bytes, int]
) -> dict[int, bytes]:
    """A blade for each number that comes without one; its own where that is in ``rooms``.

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
        targets[number] = own if own in free else place_one(layout.segment, number, free, need)
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
            self._repair(strips, number, places[number], report)
        if not moved:
            return Outcome.DONE
        order = sorted(moved)
        files = StripFiles(self._blades, [(moved[n], places[n][1]) for n in order], self._strays.make_way)
        decided = Decided()
        try:
            files.create()
            for at, number in enumerate(order):
                self._write(strips, number, files, at, report)
            files.sync()
            self._publish(asked, moved, decided)
        except BaseException:
            if not decided.yes:
                files.remove()
            raise
        finally:
            files.close()
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
    def _write(strips: SummedStrips, number: int, files: StripFiles, at: int, report: ActReport) -> None:
        length = strips.header.lengths[number]
        head = encode_strip_header(replace(strips.header, number=number))
        files.write(at, 0, head)
        sums: list[int] = []
        for place in range(0, length, _WINDOW_BYTES):
            data = strips.recover(number, place, min(_WINDOW_BYTES, length - place))
            sums += block_sums(data)
            files.write(at, strips.data_at + place, data)
        trailer = encode_trailer(sums)
        files.write(at, strips.data_at + length, trailer)
        report.written_bytes += len(head) + length + len(trailer)

    def _repair(self, strips: SummedStrips, number: int, place: tuple[bytes, str], report: ActReport) -> None:
        blade = self._blades.get(place[0])
        assert blade is not None
        try:
            file = blade.open(place[1], write=True)
            try:
                self._put_right(strips, number, file, report)
                file.sync()
            finally:
                file.close()
        except OSError as error:
            raise blade_error([error], "repairing a strip") from error
        report.files += 1

    @staticmethod
    def _put_right(strips: SummedStrips, number: int, file: BladeFile, report: ActReport) -> None:
        length = strips.header.lengths[number]
        trusted = strips.is_there(number)
        sums: list[int] = []
        for place in range(0, length, _WINDOW_BYTES):
            size = min(_WINDOW_BYTES, length - place)
            data = strips.read(number, place, size)
            if data is None:
                data = strips.recover(number, place, size)
                file.write(strips.data_at + place, [data])
                report.written_bytes += size
            sums += block_sums(data)
        if not trusted:
            file.write(0, [encode_strip_header(replace(strips.header, number=number))])
            file.write(strips.data_at + length, [encode_trailer(sums)])

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
