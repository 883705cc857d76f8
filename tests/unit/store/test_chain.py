"""The chain of a log's batches over copies in memory, whole, torn and rotten."""

from __future__ import annotations

import random
import tracemalloc

import pytest

from maruhub.errors import BladeLost, Corrupt, Unavailable
from maruhub.store.copies import Copy
from maruhub.store.format.batch import BatchHead, BatchPlace, encode_batch
from maruhub.store.format.header import SegmentHeader, encode_header
from maruhub.store.format.segment_class import SegmentClass
from maruhub.store.recover.chain import Chain, read_header

MARKER = b"0123456789abcdef"
HEADER = SegmentHeader(b"p" * 16, 5, SegmentClass.RAW, 1, 0, 1 << 20, MARKER, (b"a" * 16, b"b" * 16))


class MemoryFile:
    """A ``BladeFile`` that can be read; ``dead``: every call fails."""

    def __init__(self, data: bytes, *, dead: bool = False) -> None:
        self.data = bytearray(data)
        self.dead = dead

    def read_into(self, offset: int, buffer: memoryview) -> int:
        if self.dead:
            raise OSError(5, "read error")
        part = self.data[offset : offset + len(buffer)]
        buffer[: len(part)] = part
        return len(part)

    def size(self) -> int:
        if self.dead:
            raise OSError(5, "read error")
        return len(self.data)

    def close(self) -> None: ...


class Made:
    """A log of batches with objects between them; ``heads`` are its batches."""

    def __init__(self, sizes: list[int], *, seed: int = 1) -> None:
        chance = random.Random(seed)
        self.data = bytearray(encode_header(HEADER))
        self.heads: list[BatchPlace] = []
        for number, size in enumerate(sizes):
            self.data += chance.randbytes(size)
            self.data += bytes(-len(self.data) % 8)
            previous = self.heads[-1].offset if self.heads else 0
            first = 2 * number + 2
            place = BatchPlace(len(self.data), previous, 1, first, first + 1, first - 1, 0)
            self.data += encode_batch(MARKER, place, [(b"K%d" % number, chance.randbytes(50 + size % 7000))])
            self.heads.append(place)

    @property
    def offsets(self) -> list[int]:
        return [head.offset for head in self.heads]


@pytest.fixture
def made() -> Made:
    return Made([0, 5, 100, 8000, 3, (1 << 20) - 4000, 1 << 20, 77])


def chain_of(*datas: bytes | MemoryFile) -> Chain:
    files = [data if isinstance(data, MemoryFile) else MemoryFile(data) for data in datas]
    return Chain(HEADER, [Copy(None, file) for file in files])  # type: ignore[arg-type]


def offsets(heads) -> list[int]:
    return [head.offset for head in heads]


def last(chain: Chain, floor: int = 0) -> BatchHead:
    return next(chain.candidates(floor))


def test_batches_are_found_from_the_end_backwards(made: Made):
    chain = chain_of(bytes(made.data))
    assert offsets(chain.candidates(0)) == made.offsets[::-1]
    assert offsets(chain.back_from(last(chain), 0)) == made.offsets


def test_a_floor_hides_what_is_before_it(made: Made):
    chain = chain_of(bytes(made.data))
    floor = made.offsets[3]
    assert offsets(chain.candidates(floor)) == made.offsets[:2:-1]
    assert offsets(chain.back_from(last(chain), floor)) == made.offsets[3:]
    assert list(chain.candidates(len(made.data))) == []


@pytest.mark.parametrize("shift", range(-20, 21, 4))
def test_a_marker_across_the_border_of_a_window_is_found(shift: int):
    """Windows are 1 MiB from the end; the marker may begin in one and end in the next."""
    made = Made([100])
    behind = (1 << 20) - (len(made.data) - made.offsets[0]) + shift
    assert offsets(chain_of(bytes(made.data) + bytes(behind)).candidates(0)) == made.offsets


def test_a_log_cut_anywhere_gives_the_batches_before_the_cut():
    made = Made([0, 300, 5])
    ends = [*made.offsets[1:], len(made.data)]
    for size in range(4096, len(made.data) + 1):
        found = offsets(chain_of(bytes(made.data[:size])).candidates(0))
        whole = [offset for offset, end in zip(made.offsets, ends, strict=True) if size >= end]
        # Between a batch's last byte and the next batch lie only dead bytes.
        assert found[::-1][: len(whole)] == whole
        assert len(found) <= len(whole) + 1


def test_the_longest_copy_counts(made: Made):
    short = bytes(made.data[: made.offsets[5]])
    chain = chain_of(short, bytes(made.data))
    assert offsets(chain.back_from(last(chain), 0)) == made.offsets


def test_each_batch_is_read_from_whichever_copy_has_it(made: Made):
    odd, even = MemoryFile(bytes(made.data)), MemoryFile(bytes(made.data))
    for number, offset in enumerate(made.offsets):
        (odd if number % 2 else even).data[offset + 90] ^= 1
    chain = chain_of(odd, even, MemoryFile(b"", dead=True))
    assert offsets(chain.back_from(last(chain), 0)) == made.offsets


def test_a_link_damaged_in_every_copy_is_said(made: Made):
    data = bytearray(made.data)
    data[made.offsets[2] + 100] ^= 1
    chain = chain_of(bytes(data), bytes(data))
    with pytest.raises(Corrupt, match=rf"0000000000000005.* {made.offsets[2]} .*every copy"):
        chain.back_from(last(chain), 0)
    assert offsets(chain.back_from(last(chain), made.offsets[3])) == made.offsets[3:]


def test_a_batch_inside_an_object_is_no_candidate(made: Made):
    """Someone stores a copy of the log in itself: each batch stands where it does not belong."""
    data = bytes(made.data) + bytes(-len(made.data) % 4096)
    assert offsets(chain_of(data + bytes(made.data)).candidates(0)) == made.offsets[::-1]


def test_a_rotten_size_costs_no_memory(made: Made):
    data = bytearray(made.data)
    data[made.offsets[-1] + 20 : made.offsets[-1] + 24] = b"\xff\xff\xff\xff"
    tracemalloc.start()
    try:
        assert last(chain_of(bytes(data))).offset == made.offsets[-2]
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()


def test_any_changed_byte_is_a_batch_less_never_another_one():
    made = Made([10, 20, 30])
    records = {offset: chain_of(bytes(made.data)).batch_at(offset) for offset in made.offsets}
    for at in range(4096, len(made.data)):
        data = bytearray(made.data)
        data[at] ^= 0x55
        chain = chain_of(bytes(data))
        found = offsets(chain.candidates(0))
        assert len(found) >= 2
        assert all(chain.batch_at(offset) == records[offset] for offset in found)


def test_header_comes_from_the_first_copy_that_has_it(made: Made):
    bad = bytes(100) + bytes(made.data[100:])
    assert read_header(chain_of(bad, MemoryFile(b"", dead=True), bytes(made.data)).copies) == HEADER
    with pytest.raises(Corrupt):
        read_header(chain_of(bad, b"").copies)
    with pytest.raises(BladeLost):
        read_header([])
    with pytest.raises(Unavailable):  # the copy that can't be read may be whole
        read_header(chain_of(bad, MemoryFile(b"", dead=True)).copies)
