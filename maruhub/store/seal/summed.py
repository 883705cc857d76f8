"""The strips of one act, block by block: what is right by its CRC-32, else decoded.

For moving and making again whole strips, where nobody asks what lives in them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from maruhub.errors import Corrupt, MaruError
from maruhub.store.blade import BladeFile
from maruhub.store.blades import Blades
from maruhub.store.format.layout import Layout
from maruhub.store.format.strip import (
    SUM_BLOCK_BYTES,
    StripHeader,
    StripName,
    decode_trailer,
    encode_strip_header,
    trailer_bytes,
)
from maruhub.store.parity import code
from maruhub.store.recover.strip_search import find_strips
from maruhub.store.seal.source import files_of
from maruhub.store.seal.sums import block_sums

_HINT: Final = "Bring missing blades back; see `maru check`."


class _Strip:
    """One file of the act that has the right header; without its sums nothing of it is right."""

    def __init__(self, file: BladeFile, length: int, data_at: int) -> None:
        self.file = file
        self._length = length
        self._data_at = data_at
        self.sums = self._read_sums()

    def _read_sums(self) -> tuple[int, ...] | None:
        raw = _read(self.file, self._data_at + self._length, trailer_bytes(self._length))
        try:
            return decode_trailer(raw, where="a strip") if raw is not None else None
        except MaruError:
            return None

    def read(self, at: int, size: int) -> memoryview | None:
        """Whole blocks from ``at``, zeros behind the end; None if one of them is wrong."""
        buffer = memoryview(bytearray(size))
        inside = max(0, min(size, self._length - at))
        if not inside:
            return buffer
        try:
            if self.sums is None or self.file.read_into(self._data_at + at, buffer[:inside]) < inside:
                return None
        except OSError:
            return None
        first = at // SUM_BLOCK_BYTES
        found = block_sums(buffer[:inside])
        return buffer if found == list(self.sums[first : first + len(found)]) else None


class SummedStrips:
    """All files of an act that can be opened.

    Args:
        blades: Of the pool.
        layout: Of strips.

    Raises:
        Corrupt or Unavailable: Fewer than k files of one act are there.
    """

    def __init__(self, blades: Blades, layout: Layout) -> None:
        assert layout.strips is not None
        act = layout.strips.act
        listed = [(blade, StripName(layout.segment, act, n)) for n, blade in enumerate(layout.blades)]
        found = find_strips(blades, listed)
        for copy in found.copies:
            copy.close()
        self.header: StripHeader = found.header
        self.data_at = layout.strips.data_at
        self.read_bytes = 0
        self._segment = layout.segment
        self._strips: dict[int, _Strip] = {}
        for number, (blade_id, name) in enumerate(files_of(layout)):
            blade = blades.get(blade_id)
            try:
                file = blade.open(name) if blade else None
            except OSError:
                continue
            if file is not None:
                self._add(number, file)

    def _add(self, number: int, file: BladeFile) -> None:
        wanted = encode_strip_header(replace(self.header, number=number))
        if _read(file, 0, len(wanted)) == wanted:
            self._strips[number] = _Strip(file, self.header.lengths[number], self.data_at)
        else:
            file.close()

    def is_there(self, number: int) -> bool:
        """Whether the file has the right header and whole sums."""
        return number in self._strips and self._strips[number].sums is not None

    def read(self, number: int, at: int, size: int) -> memoryview | None:
        """Bytes of a file's data that are right by their sums; None if they aren't."""
        strip = self._strips.get(number)
        found = strip.read(at, size) if strip is not None else None
        self.read_bytes += size if found is not None else 0
        return found

    def recover(self, number: int, at: int, size: int) -> memoryview:
        """Bytes of a file's data, from itself or from k others; raises Corrupt."""
        found = self.read(number, at, size)
        return found if found is not None else self._decode(number, at, size)

    def _decode(self, number: int, at: int, size: int) -> memoryview:
        # The others may go on behind the end of this one: their sums are of whole blocks.
        whole = size + -size % SUM_BLOCK_BYTES
        have: dict[int, memoryview] = {}
        for other in range(len(self.header.lengths)):
            if other != number and len(have) < self.header.data:
                found = self.read(other, at, whole)
                if found is not None:
                    have[other] = found
        if len(have) == self.header.data:
            return code(self.header.data).decode(have, [number])[0][:size]
        if size <= SUM_BLOCK_BYTES:
            raise Corrupt(
                f"segment {self._segment:016x}: block {at // SUM_BLOCK_BYTES} of strip {number} is lost: "
                f"{len(have)} others have theirs whole, {self.header.data} are needed.",
                hint=_HINT,
            )
        # Damage that lies apart in several strips is no loss where no block is hit too often.
        blocks = range(at, at + size, SUM_BLOCK_BYTES)
        parts = [self.recover(number, block, min(SUM_BLOCK_BYTES, at + size - block)) for block in blocks]
        return memoryview(bytearray(b"".join(parts)))

    def close(self) -> None:
        """Closes the files."""
        for strip in self._strips.values():
            strip.file.close()


def _read(file: BladeFile, offset: int, size: int) -> bytes | None:
    buffer = bytearray(size)
    try:
        count = file.read_into(offset, memoryview(buffer))
    except OSError:
        return None
    return bytes(buffer) if count == size else None
