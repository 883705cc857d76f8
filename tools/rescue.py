#!/usr/bin/env python3
"""Gets every object out of the drives of a MaruHub pool.

    python3 -I rescue.py BLADE… OUT

One file of plain Python (3.9 or newer), no hub, no index, nothing to install. Up to two
blades may be missing. Objects become ``OUT/bucket/key``, each one checked against its
SHA-256 before it gets its name. The blades are only read.

What is read here is written down in ``docs/format.md`` (segments, batches, strips),
``docs/format-names.md`` (buckets, keys, versions), ``docs/format-manifests.md`` (datasets)
and ``docs/reference/names.md`` (from keys to paths). In the order of this file:

1. files: a log's copy, a set of strips (with the parity), all sources of one segment;
2. batches: the chain of each segment, the line of turns, the newest checkpoint;
3. rows: what the batches that count say, the highest counter of a row;
4. objects: bytes from whichever source gives the right sum, written below OUT.

Exit status: 0 all whole; 1 something is damaged or may be missing (each is named on
standard error); 2 a wrong call.
"""

from __future__ import annotations

import argparse
import csv
import errno
import hashlib
import io
import itertools
import json
import os
import re
import stat
import struct
import sys
import time
import zlib
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import Any, BinaryIO, NamedTuple

BLOCK = 4096
SUM_BLOCK = 16 << 10
CHUNK_BLOCKS = 16
CHUNK = SUM_BLOCK * CHUNK_BLOCKS
EXTENT_MAX = 1 << 20
WINDOW = 1 << 20
BUFFERED_MAX = 8 << 20
OPEN_SEGMENTS = 32
FORMAT_VERSION = 1
GONE, SEGMENT_LIST = 1, 2
CHECKPOINT, CHECKPOINT_END = 1, 2
MARKER, LISTED = 3, 1
M64 = (1 << 64) - 1

PREFIX = struct.Struct("<8sII")
LOG_BODY = struct.Struct("<16sQBBBBIqQ16s")
STRIP_BODY = struct.Struct("<16sQBBBBI16s16sqQQQQIIIBBH")
BATCH = struct.Struct("<16sIIQQIIQQQqII")
ROW = struct.Struct("<BBBBIQq")
EXTENT = struct.Struct("<QQIIQ")
RANGE = struct.Struct("<QQQII")
OBJECT = struct.Struct("<BBHIQqQQq16s32s")
HIDDEN = struct.Struct("<BBBBIQqqq")

LOG_NAME = re.compile(r"([0-9a-f]{16})\.log")
STRIP_NAME = re.compile(r"([0-9a-f]{16})\.(0|[1-9][0-9]{0,9})\.(0|[1-9][0-9]{0,2})\.strip")
BUCKET_NAME = re.compile(r"(?!.*(?:\.\.|\.-|-\.))[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


class Refused(Exception):
    """A wrong call: nothing was read or written. Exit status 2."""


class Lost(Exception):
    """The reason why an object can't be given back whole."""


# ---------------------------------------------------------------- 1. files


class PlainFile:
    """A regular file, read at offsets. What can't be read is as if it weren't there.

    Of a drive with bad sectors whole pages are left out, as zeros: no sum is right over them.
    """

    BAD_PAGES_MAX = 1000

    def __init__(self, path: str) -> None:
        self.path = path
        self.descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        status = os.fstat(self.descriptor)
        self.size = status.st_size
        self.bad_pages = 0
        if not stat.S_ISREG(status.st_mode):
            self.close()
            raise OSError(errno.EINVAL, "not a regular file", path)

    def read(self, offset: int, size: int) -> bytes:
        """Up to ``size`` bytes; fewer at the end, zeros for pages where the drive gives an error."""
        try:
            return os.pread(self.descriptor, size, offset)
        except OverflowError:
            return b""
        except OSError:
            return b"".join(self._pages(offset, min(offset + size, self.size)))

    def _pages(self, at: int, end: int) -> Iterator[bytes]:
        while at < end and self.bad_pages <= self.BAD_PAGES_MAX:
            size = min(BLOCK - at % BLOCK, end - at)
            try:
                page = os.pread(self.descriptor, size, at)
            except OSError:
                self.bad_pages += 1
                page = bytes(size)
            yield page
            at += size

    def close(self) -> None:
        """Lets go of the file."""
        os.close(self.descriptor)


def open_block(magic: bytes, block: bytes) -> bytes | None:
    """The body of a 4 KiB block (bytes 16 … 4,095) if magic, version and CRC are right."""
    if len(block) < BLOCK or block[:8] != magic:
        return None
    _, version, crc = PREFIX.unpack_from(block)
    if zlib.crc32(block[16:BLOCK]) != crc or not 1 <= version <= FORMAT_VERSION:
        return None
    return block[16:BLOCK]


class LogCopy:
    """One full copy of a segment: offsets are those of the file."""

    def __init__(self, file: PlainFile, pool: bytes, segment: int) -> None:
        self.file = file
        self.marker = b""
        body = open_block(b"MARUSEG1", file.read(0, BLOCK))
        if body is not None:
            pool_id, number, _, cipher, kind, _, _, _, _, marker = LOG_BODY.unpack_from(body)
            if pool_id != pool or number != segment or cipher or kind:
                raise Lost("it is of another pool or segment, or of a kind unknown to this program")
            self.marker = marker

    def read(self, offset: int, size: int) -> bytes | None:
        """All of ``[offset, offset + size)``, or None."""
        data = self.file.read(offset, size) if offset + size <= self.file.size else b""
        return data if len(data) == size else None

    def spans(self) -> list[tuple[int, int]]:
        """Where there is something: start and end of each run, ascending."""
        return [(BLOCK, self.file.size)] if self.file.size > BLOCK else []

    def close(self) -> None:
        """Lets go of the file."""
        self.file.close()


class Strip:
    """One strip's file: its header, checked, and the sums behind its data."""

    def __init__(self, file: PlainFile, pool: bytes, segment: int) -> None:
        self.file = file
        first = file.read(0, BLOCK)
        if len(first) < BLOCK or first[:8] != b"MARUSTR1":
            raise Lost("it has no strip's header")
        (self.data_at,) = struct.unpack_from("<I", first, 128)
        if not BLOCK <= self.data_at <= min(file.size, 1 << 28):
            raise Lost("its header is damaged")
        header = file.read(0, self.data_at)
        _, version, crc = PREFIX.unpack_from(header)
        if len(header) < self.data_at or zlib.crc32(header[16:]) != crc:
            raise Lost("its header is damaged")
        fields = STRIP_BODY.unpack_from(header, 16)
        pool_id, number, _, cipher, kind, self.number, self.act, self.act_id, self.marker, _, _ = fields[:11]
        self.last_batch, _, self.floor, _, ranges, _, self.k, self.files, _ = fields[11:]
        if pool_id != pool or number != segment or cipher or kind != 1 or not 1 <= version <= FORMAT_VERSION:
            raise Lost("it is of another pool or segment, or of a kind unknown to this program")
        at = 16 + STRIP_BODY.size
        # No more than two parity strips beside eight: for others there is no code.
        if (
            not 1 <= self.k <= min(8, self.files)
            or self.files > self.k + 2
            or at + 8 * self.files + RANGE.size * ranges > self.data_at
        ):
            raise Lost("its header contradicts itself")
        self.lengths = struct.unpack_from(f"<{self.files}Q", header, at)
        at += 8 * self.files
        self.ranges = [r[:4] for r in RANGE.iter_unpack(header[at : at + RANGE.size * ranges])]
        # What must be equal in all files of one act: the header but for the number and the CRC.
        self.alike = hashlib.sha256(header[:12] + header[16:43] + header[44:]).digest()
        self.sums = self._read_sums()

    def _read_sums(self) -> Sequence[int] | None:
        if self.number >= self.files:
            raise Lost("its header contradicts itself")
        count = -(-self.lengths[self.number] // SUM_BLOCK)
        if count > self.file.size // 1024:
            return None
        packed = self.file.read(self.data_at + self.lengths[self.number], 4 * count + 4)
        if len(packed) < 4 * count + 4 or struct.pack("<I", zlib.crc32(packed[:-4])) != packed[-4:]:
            return None
        return struct.unpack(f"<{count}I", packed[:-4])


class StripSet:
    """The strips of one act. Any k of them give all data back.

    Of a strip that was moved there may be two files; either may have the right blocks.
    """

    def __init__(self, strips: Sequence[Strip]) -> None:
        self.strips: dict[int, list[Strip]] = {}
        for strip in strips:
            self.strips.setdefault(strip.number, []).append(strip)
        one = strips[0]
        self.act, self.k, self.files, self.lengths = one.act, one.k, one.files, one.lengths
        self.marker, self.last_batch, self.floor = one.marker, one.last_batch, one.floor
        self.data_at, self.ranges = one.data_at, one.ranges
        self.starts = [start for start, _, _, _ in self.ranges]
        self._chunks: OrderedDict[tuple[int, int], tuple[bytes, set[int]]] = OrderedDict()

    @property
    def complete(self) -> bool:
        """Whether enough strips are there to give all of it."""
        return bool(len(self.strips) >= self.k)

    def read(self, offset: int, size: int) -> bytes | None:
        """All of ``[offset, offset + size)`` of the segment, every block's sum checked, or None."""
        at = bisect_right(self.starts, offset) - 1
        if at < 0:
            return None
        start, length, place, file = self.ranges[at]
        if offset + size > start + length or file >= self.k or place < self.data_at:
            return None
        where = place - self.data_at + offset - start
        parts = []
        for number in range(where // CHUNK, -(-(where + size) // CHUNK)):
            data, bad = self._chunk(file, number)
            first = max(where, number * CHUNK) - number * CHUNK
            last = min(where + size, (number + 1) * CHUNK) - number * CHUNK
            if bad and not bad.isdisjoint(range(first // SUM_BLOCK, -(-last // SUM_BLOCK))):
                return None
            parts.append(data[first:last])
        return b"".join(parts)

    def spans(self) -> list[tuple[int, int]]:
        """Where there is something: start and end of each run, ascending."""
        return [(start, start + length) for start, length, _, _ in self.ranges]

    def _chunk(self, file: int, number: int) -> tuple[bytes, set[int]]:
        """A data strip's chunk, rebuilt where needed, and its blocks that nothing gives."""
        key = (file, number)
        if key not in self._chunks:
            data, bad = self._stored(file, number)
            self._chunks[key] = self._rebuilt(file, number, data, bad) if bad else (data, bad)
            if len(self._chunks) > 8:
                self._chunks.popitem(last=False)
        return self._chunks[key]

    def _stored(self, file: int, number: int) -> tuple[bytes, set[int]]:
        """A chunk as it stands in a file, zeros behind its end, and the blocks that are wrong."""
        start = number * CHUNK
        size = max(0, min(CHUNK, self.lengths[file] - start))
        data, bad = bytes(CHUNK), set(range(-(-size // SUM_BLOCK)))
        for strip in self.strips.get(file, ()):
            if bad and strip.sums is not None:
                found = strip.file.read(self.data_at + start, size).ljust(CHUNK, b"\0")
                right = {block for block in bad if self._is_right(strip, found, start, block)}
                data, bad = (_patched(data, found, right) if len(right) < len(bad) else found), bad - right
        return data, bad

    def _is_right(self, strip: Strip, chunk: bytes, start: int, block: int) -> bool:
        assert strip.sums is not None
        at = block * SUM_BLOCK
        end = min(at + SUM_BLOCK, self.lengths[strip.number] - start)
        return zlib.crc32(chunk[at:end]) == strip.sums[start // SUM_BLOCK + block]

    def _rebuilt(self, file: int, number: int, data: bytes, bad: set[int]) -> tuple[bytes, set[int]]:
        others = {n: self._stored(n, number) for n in range(self.files) if n != file}
        whole = sorted(n for n, (_, wrong) in others.items() if wrong.isdisjoint(bad))[: self.k]
        if len(bad) > 1 and len(whole) == self.k:
            made = decode(self.k, {n: others[n][0] for n in whole}, file)
            if len(bad) == CHUNK_BLOCKS:
                return made, set()
            return _patched(data, made, bad), set()
        left = set()
        for block in sorted(bad):
            at = slice(block * SUM_BLOCK, (block + 1) * SUM_BLOCK)
            whole = sorted(n for n, (_, wrong) in others.items() if block not in wrong)[: self.k]
            if len(whole) == self.k:
                part = decode(self.k, {n: others[n][0][at] for n in whole}, file)
                data = data[: at.start] + part + data[at.stop :]
            else:
                unproven = self._unproven(file, number * CHUNK + at.start)
                if unproven is None:
                    left.add(block)
                else:
                    data = data[: at.start] + unproven + data[at.stop :]
        return data, left

    def _unproven(self, file: int, start: int) -> bytes | None:
        """A block of a strip whose own sums are lost: the object's SHA-256 will tell."""
        size = min(SUM_BLOCK, self.lengths[file] - start)
        for strip in self.strips.get(file, ()):
            data = strip.file.read(self.data_at + start, size) if strip.sums is None else b""
            if len(data) == size:
                return data.ljust(SUM_BLOCK, b"\0")
        return None

    def close(self) -> None:
        """Lets go of the files."""
        for strip in itertools.chain(*self.strips.values()):
            strip.file.close()


def _patched(data: bytes, made: bytes, bad: set[int]) -> bytes:
    mended = bytearray(data)
    for block in bad:
        mended[block * SUM_BLOCK : (block + 1) * SUM_BLOCK] = made[
            block * SUM_BLOCK : (block + 1) * SUM_BLOCK
        ]
    return bytes(mended)


# ---- parity: bytes are numbers of GF(2^8) with the polynomial 0x11d; P = Σ d_i, Q = Σ 2^i d_i


def times(a: int, b: int) -> int:
    """The product of two numbers of the field."""
    product = 0
    while b:
        if b & 1:
            product ^= a
        a <<= 1
        if a & 0x100:
            a ^= 0x11D
        b >>= 1
    return product


TIMES: dict[int, bytes] = {}


def scaled(factor: int, data: bytes) -> int:
    """``factor × data``, byte by byte, as one big number for XOR."""
    if factor != 1:
        if factor not in TIMES:
            TIMES[factor] = bytes(times(factor, value) for value in range(256))
        data = data.translate(TIMES[factor])
    return int.from_bytes(data, "little")


def code_row(k: int, number: int) -> list[int]:
    """What file ``number`` holds of each data strip."""
    if number < k:
        return [int(column == number) for column in range(k)]
    if number == k or k == 1:
        return [1] * k
    return [1 << column for column in range(k)]


def coefficients(k: int, used: Sequence[int], wanted: int) -> list[int]:
    """Factors with which the used files add up to the wanted one (Gauss and Jordan)."""
    rows = [code_row(k, number) + [int(i == line) for i in range(k)] for line, number in enumerate(used)]
    for column in range(k):
        pivot = next(line for line in range(column, k) if rows[line][column])
        rows[column], rows[pivot] = rows[pivot], rows[column]
        head = rows[column][column]
        inverse = next(b for b in range(1, 256) if times(head, b) == 1)
        rows[column] = [times(inverse, value) for value in rows[column]]
        for line in range(k):
            factor = rows[line][column]
            if line != column and factor:
                rows[line] = [a ^ times(factor, b) for a, b in zip(rows[line], rows[column])]
    factors = [0] * k
    for share, row in zip(code_row(k, wanted), rows):
        factors = [a ^ times(share, b) for a, b in zip(factors, row[k:])]
    return factors


_COEFFICIENTS: dict[tuple[int, tuple[int, ...], int], list[int]] = {}


def decode(k: int, have: dict[int, bytes], wanted: int) -> bytes:
    """A file's bytes from the same bytes of k others."""
    used = tuple(sorted(have))
    key = (k, used, wanted)
    if key not in _COEFFICIENTS:
        _COEFFICIENTS[key] = coefficients(*key)
    total = 0
    for number, factor in zip(used, _COEFFICIENTS[key]):
        if factor:
            total ^= scaled(factor, have[number])
    return total.to_bytes(len(have[used[0]]), "little")


class Segment:
    """All that the blades hold of one segment, best source first.

    Addresses are for ever and bytes are never written over, so every source that has the
    right sum is right: strips or full copies, of whichever act.
    """

    def __init__(self, number: int, paths: Sequence[str], pool: bytes, told: Callable[[str], None]) -> None:
        self.number = number
        logs: list[LogCopy] = []
        strips: dict[tuple[int, bytes, bytes], list[Strip]] = {}
        for path in paths:
            try:
                file = PlainFile(path)
            except OSError as error:
                told(f"{path} cannot be opened: {error.strerror}")
                continue
            try:
                if path.endswith(".log"):
                    logs.append(LogCopy(file, pool, number))
                else:
                    strip = Strip(file, pool, number)
                    if not path.endswith(f".{strip.act}.{strip.number}.strip"):
                        raise Lost("its header is of another strip")
                    strips.setdefault((strip.act, strip.act_id, strip.alike), []).append(strip)
            except (Lost, struct.error) as error:
                told(f"{path} is left out: {error}")
                file.close()
        sets = sorted(map(StripSet, strips.values()), key=lambda s: s.act, reverse=True)
        self.sets = [found for found in sets if found.complete]
        self.partial = [found for found in sets if not found.complete]
        # The longest copy first: one that was given up ends early.
        self.logs = sorted(logs, key=lambda log: log.file.size, reverse=True)
        self.sources: list[Any] = [*self.sets, *self.logs, *self.partial]
        self.markers = {source.marker for source in self.sources} - {b""}
        self.torn = False

    @property
    def readable(self) -> bool:
        """Whether there is a source that should have everything."""
        return bool(self.sets or self.logs)

    def versions(self, offset: int, size: int) -> Iterator[bytes]:
        """What the sources say stands there, each different answer once; last what most say, page by page."""
        said: list[bytes] = []
        for source in self.sources:
            data = source.read(offset, size)
            if data is not None:
                if data not in said:
                    yield data
                said.append(data)
        if len(set(said)) > 1:
            # At the drives' own borders: a piece across two of them may have a hole in every copy.
            borders = [0, *range(BLOCK - offset % BLOCK, size, BLOCK), size]
            pages = [slice(*ends) for ends in zip(borders, borders[1:])]  # noqa: RUF007 - not in Python 3.9
            voted = b"".join(_voted([data[page] for data in said]) for page in pages)
            if voted not in said:
                yield voted

    def first(self, offset: int, size: int) -> bytes | None:
        """The first answer."""
        return next(self.versions(offset, size), None)

    def batch(self, offset: int) -> bytes | None:
        """The whole batch that starts at ``offset``, by its CRC, from any source."""
        for source in self.sources:
            head = source.read(offset, BATCH.size)
            if head is None or head[:16] not in self.markers:
                continue
            size, own, previous = struct.unpack_from("<IQQ", head, 20)
            if own != offset or not BATCH.size <= size <= 1 << 30 or previous >= offset:
                continue
            # Of three pages each copy may lack another one: then all of them together have it.
            for data in self.versions(offset, size):
                if zlib.crc32(data[20:]) == struct.unpack_from("<I", data, 16)[0]:
                    return bytes(data)
        return None

    def last_batch(self, below: int) -> int:
        """The last whole batch that begins before ``below``, looked for by its marker; 0: none."""
        spans = {span for source in self.sources for span in source.spans()}
        end = below
        while True:
            # Behind the next byte before ``end`` that some source has.
            end = max([min(high, end) for low, high in spans if low < end], default=0)
            if end <= BLOCK:
                return 0
            start = max(BLOCK, end - WINDOW)
            found = {at for source in self.sources for at in self._markers(source, start, end)}
            for at in sorted(found, reverse=True):
                if at < below and self.batch(at) is not None:
                    return at
                self.torn = self.torn or at < below
            end = start

    def _markers(self, source: Any, start: int, end: int) -> Iterator[int]:
        for low, high in source.spans():
            low, high = max(low, start), min(high, end + 15)
            data = (source.read(low, high - low) if low < min(high, end) else None) or b""
            for marker in self.markers:
                at = data.rfind(marker)
                while at >= 0:
                    if (low + at) % 8 == 0:
                        yield low + at
                    at = data.rfind(marker, 0, at + 15)

    def close(self) -> None:
        """Lets go of the files."""
        for source in self.sources:
            source.close()

    @property
    def bad_pages(self) -> int:
        """How many pages the drives could not read."""
        files = [log.file for log in self.logs]
        for found in (*self.sets, *self.partial):
            files += [strip.file for strip in itertools.chain(*found.strips.values())]
        return sum(file.bad_pages for file in files)


def _voted(pages: Sequence[bytes]) -> bytes:
    """The page that most say; one of zeros may be a page that could not be read."""
    return max(pages, key=lambda page: (any(page), pages.count(page)))


class Pool:
    """The blades' folders: which segments there are, opened a few at a time."""

    def __init__(self, blades: Sequence[str]) -> None:
        self.problems: list[str] = []
        self.notes: list[str] = []
        self.present: set[bytes] = set()
        self.paths: dict[int, list[str]] = {}
        self.shortened: list[int] = []
        self.bad_pages = 0
        self._open: OrderedDict[int, Segment] = OrderedDict()
        self._told: set[str] = set()
        identities = [identity for identity in map(self._identity, blades) if identity]
        listed = [names for names in map(self._list, blades) if names]
        if not listed and not identities:
            raise Refused("No blade among these: {}.".format(", ".join(blades)))
        pools = {identity[:16] for identity in identities}
        self.pool_id = self._only(pools or self._pools_of_segments())

    def _identity(self, blade: str) -> bytes | None:
        try:
            with open(os.path.join(blade, "blade"), "rb") as file:
                block = file.read(BLOCK)
        except OSError as error:
            self.note(f"{blade}: its identity cannot be read: {error.strerror}")
            return None
        body = open_block(b"MARUBLD1", block)
        if body is None:
            version = PREFIX.unpack_from(block)[1] if len(block) >= BLOCK else 0
            if block[:8] == b"MARUBLD1" and FORMAT_VERSION < version < 1000:
                raise Refused(f"{blade}: format version {version} is newer than this program.")
            self.note(f"{blade}: its identity is damaged")
            return None
        self.present.add(body[16:32])
        return body

    def _list(self, blade: str) -> bool:
        folder = os.path.join(blade, "segments")
        try:
            names = os.listdir(folder)
        except OSError as error:
            self.note(f"{folder} cannot be listed: {error.strerror}")
            return False
        for name in sorted(names):
            found = LOG_NAME.fullmatch(name) or STRIP_NAME.fullmatch(name)
            if found:
                paths = self.paths.setdefault(int(found[1], 16), [])
                path = os.path.join(folder, name)
                if path not in paths:
                    paths.append(path)
        return True

    def _pools_of_segments(self) -> set[bytes]:
        """Where every blade's identity is damaged: what the segments' files say."""
        pools = set()
        for path in itertools.chain(*self.paths.values()):
            try:
                file = PlainFile(path)
            except OSError:
                continue
            block = file.read(0, BLOCK)
            file.close()
            if open_block(b"MARUSEG1", block) or (block[:8] == b"MARUSTR1" and len(block) == BLOCK):
                pools.add(block[16:32])
        return pools

    @staticmethod
    def _only(pools: set[bytes]) -> bytes:
        if len(pools) > 1:
            names = ", ".join(sorted(pool.hex() for pool in pools))
            raise Refused(f"These blades belong to different pools: {names}. Name those of one.")
        return pools.pop() if pools else bytes(16)

    def segment(self, number: int) -> Segment | None:
        """A segment's sources, None if no blade has a file of it."""
        if number in self._open:
            self._open.move_to_end(number)
            return self._open[number]
        if number not in self.paths:
            return None
        made = Segment(number, self.paths[number], self.pool_id, self.note)
        self._open[number] = made
        if len(self._open) > OPEN_SEGMENTS:
            self._close(self._open.popitem(last=False)[1])
        return made

    def _close(self, segment: Segment) -> None:
        self.bad_pages += segment.bad_pages
        segment.close()

    def problem(self, text: str) -> None:
        """Something that may mean that objects are missing."""
        if text not in self.problems:
            self.problems.append(text)

    def note(self, text: str) -> None:
        """Something that is told and costs nothing by itself."""
        if text not in self._told:
            self._told.add(text)
            self.notes.append(text)

    def close(self) -> None:
        """Lets go of all files."""
        while self._open:
            self._close(self._open.popitem()[1])
        if self.bad_pages:
            self.note(f"the drives could not read {self.bad_pages} pages of 4 KiB")
            self.bad_pages = 0


# ---------------------------------------------------------------- 2. batches


class Head(NamedTuple):
    """Where a batch stands, in its segment and in the line of turns."""

    first: int
    last: int
    after: int
    flags: int
    segment: int
    offset: int
    previous: int


def read_head(segment: int, batch: bytes) -> Head:
    """The fixed fields that matter here."""
    _, _, _, own, previous, _, _, first, last, after, _, flags, _ = BATCH.unpack_from(batch)
    return Head(first, last, after, flags, segment, own, previous)


def records(batch: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Key and row of each record."""
    at = BATCH.size
    for _ in range(struct.unpack_from("<I", batch, 44)[0]):
        if at + 8 > len(batch):
            return
        key_size, size = struct.unpack_from("<II", batch, at)
        at += 8 + key_size + size
        if at > len(batch):
            return
        yield batch[at - size - key_size : at - size], batch[at - size : at]


def chain(pool: Pool, segment: Segment) -> Iterator[Head]:
    """The batches of one segment that count by its chain, the last one first."""
    cut = segment.sets or ([] if segment.logs else segment.partial)
    if cut:
        at, floor = (cut[0].last_batch, cut[0].floor) if cut[0].floor else (0, 0)
        if cut[0].last_batch and not floor:
            pool.shortened.append(segment.number)
    else:
        at, floor = segment.last_batch(M64), 0
        if segment.torn:
            pool.note(
                f"segment {segment.number:016x}: the records at its end are torn: of a change that was never "
                "acknowledged, or that is lost"
            )
    while at:
        batch = segment.batch(at)
        if batch is None:
            pool.problem(
                f"segment {segment.number:016x}: the batch of records at {at} is damaged in every copy"
            )
            at = segment.last_batch(at)
            continue
        head = read_head(segment.number, batch)
        if head.after < head.first <= head.last:
            yield head
        at = head.previous if head.offset > floor else 0
        if head.previous and not at:
            pool.shortened.append(segment.number)


def counting(heads: Sequence[Head]) -> list[Head]:
    """In the order of their turns, without those that a later turn passed over."""
    kept: list[Head] = []
    for head in sorted(heads, reverse=True):
        if not kept or head.first <= kept[-1].after or head.first == kept[-1].first:
            kept.append(head)
    return kept[::-1]


def since_checkpoint(pool: Pool, heads: Sequence[Head]) -> tuple[list[Head], int]:
    """Without what the newest complete checkpoint covers, and the counter that it covers.

    Who has a checkpoint must begin there: of a row that is gone, what said so may have
    been dropped while an older record that set it is still there.
    """
    for end in reversed(heads):
        if not end.flags & CHECKPOINT_END:
            continue
        for key, row in records(batch_of(pool, end) or b"".ljust(BATCH.size, b"\0")):
            if key == b"\1K" and len(payload_of(row)) >= 24:
                began, parts, _ = struct.unpack_from("<QQQ", payload_of(row))
                there = [h for h in heads if h.flags == CHECKPOINT and began < h.first < end.first]
                if len(there) == parts:
                    return [head for head in heads if head.last > began], began
    return list(heads), 0


def batch_of(pool: Pool, head: Head) -> bytes | None:
    """A batch's bytes once more."""
    segment = pool.segment(head.segment)
    return segment.batch(head.offset) if segment else None


def require_unbroken(pool: Pool, heads: Sequence[Head], covered: int) -> None:
    """Tells of turns that none of the given blades has: each names the one before it."""
    lasts = {head.last for head in heads}
    for head in heads:
        if head.first > covered and head.after > max(covered, 1) and head.after not in lasts:
            pool.problem(
                f"changes are missing before change {head.first}: the one numbered {head.after}, and perhaps "
                "others, is on none of these blades"
            )


# ---------------------------------------------------------------- 3. rows


def payload_of(row: bytes) -> bytes:
    """The payload of a row."""
    _, flags, actor, request, count, _, _ = ROW.unpack_from(row)
    at = ROW.size + EXTENT.size * count + actor + request
    if flags & SEGMENT_LIST:
        at += 4 + 8 * int.from_bytes(row[at : at + 4], "little")
    return row[at:]


def extents_of(row: bytes) -> list[tuple[int, int, int, int]]:
    """Segment, offset, length and xxh3-64 of each extent."""
    count = ROW.unpack_from(row)[4]
    raw = row[ROW.size : ROW.size + EXTENT.size * count]
    if len(raw) != EXTENT.size * count:
        raise Lost("its row is damaged")
    return [(s, o, n, c) for s, o, n, _, c in EXTENT.iter_unpack(raw)]


class State:
    """What the rows say. ``rows`` are those whose first byte is in ``kinds``.

    ``before``: rows that the last turn has changed, as they were. That turn alone may never
    have been acknowledged.
    """

    def __init__(self, kinds: bytes) -> None:
        self.rows: dict[bytes, bytes] = {}
        self.before: dict[bytes, bytes] = {}
        self.layouts: dict[int, bytes] = {}
        self._kinds = kinds

    def replay(self, batch: bytes, *, is_last: bool) -> None:
        """Sets what one batch says, in order; of a row the highest counter counts."""
        for key, row in records(batch):
            if len(row) < ROW.size or row[0] != 1:
                continue
            if key[:2] == b"\1L" and len(key) == 10:
                self._set(self.layouts, int.from_bytes(key[2:], "big"), row)
            elif key[:1] and key[0] in self._kinds:
                if is_last and key in self.rows and key not in self.before:
                    self.before[key] = self.rows[key]
                self._set(self.rows, key, row)

    @staticmethod
    def _set(rows: dict[Any, bytes], key: Any, row: bytes) -> None:
        known = rows.get(key)
        if known is None or row[8:16][::-1] >= known[8:16][::-1]:
            if row[1] & GONE:
                rows.pop(key, None)
            else:
                rows[key] = row


def read_state(pool: Pool, kinds: bytes, say: Callable[[str], None]) -> State:
    """Every row that counts, from the batches of all segments."""
    heads: list[Head] = []
    for done, number in enumerate(sorted(pool.paths)):
        say(f"reading records: segment {done + 1} of {len(pool.paths)}")
        segment = pool.segment(number)
        if segment is None:
            continue
        if not segment.markers and any(log.file.size > BLOCK for log in segment.logs):
            pool.problem(
                f"segment {number:016x}: its header is damaged in every copy, so are its records lost"
            )
        heads += chain(pool, segment)
    line = counting(heads)
    line, covered = since_checkpoint(pool, line)
    require_unbroken(pool, line, covered)
    state = State(kinds)
    for done, head in enumerate(line):
        say(f"replaying changes: {done + 1} of {len(line)}")
        batch = batch_of(pool, head)
        if batch is None:
            pool.problem(f"segment {head.segment:016x}: the batch at {head.offset} has become unreadable")
            continue
        state.replay(batch, is_last=head.first == line[-1].first)
    for number in pool.shortened if not covered else ():
        pool.problem(f"segment {number:016x}: its older records are in a checkpoint that was not found whole")
    _judge_layouts(pool, state)
    return state


def _judge_layouts(pool: Pool, state: State) -> None:
    """Tells of segments that are on record but not to be had whole from these blades."""
    named: set[bytes] = set(pool.present)
    for number, row in sorted(state.layouts.items()):
        payload = payload_of(row).ljust(24, b"\0")
        kind, files = payload[0], payload[3]
        at = 24 + (32 if kind else 0)
        named.update(payload[at + 16 * i : at + 16 * i + 16] for i in range(files))
        segment = pool.segment(number)
        if segment is None or not segment.readable:
            pool.problem(f"segment {number:016x}: too few of its files are on these blades")
    absent = {blade for blade in named if blade not in pool.present}
    if absent:
        pool.note(f"{len(absent)} of the {len(named)} blades of the pool are not among these")
    if pool.present and len(absent) >= 3:
        pool.problem("more than two blades are missing: what only they hold may not even be named here")


# ---------------------------------------------------------------- 4. objects

# xxh3-64 with seed 0 of more than 240 bytes, after the specification of XXH3. Only asked where
# copies of an object of several extents disagree; all else is proven by SHA-256.
SECRET = bytes.fromhex(
    "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578825ad07dccff7221"
    "b8084674f743248ee03590e6813a264c3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8"
    "a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364eac5ac8334d3ebc3c581a0fffa1363eb"
    "170ddd51b7f0da49d316552629d4689e2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e"
)
P32_1 = 0x9E3779B1
P64_1 = 0x9E3779B185EBCA87
XXH3_START = (
    0xC2B2AE3D,
    P64_1,
    0xC2B2AE3D27D4EB4F,
    0x165667B19E3779F9,
    0x85EBCA77C2B2AE63,
    0x85EBCA77,
    0x27D4EB2F165667C5,
    P32_1,
)
XXH3_KEYS = [struct.unpack_from("<8Q", SECRET, at) for at in range(129)]
XXH3_SHORT = 240


def xxh3_64(data: bytes) -> int:
    """The sum of an extent of more than 240 bytes."""
    acc = list(XXH3_START)
    size = len(data)
    stripes = (size - 1) // 64
    for stripe in range(stripes):
        _xxh3_add(acc, struct.unpack_from("<8Q", data, stripe * 64), XXH3_KEYS[stripe % 16 * 8])
        if stripe % 16 == 15:
            for i, key in enumerate(XXH3_KEYS[128]):
                acc[i] = (acc[i] ^ (acc[i] >> 47) ^ key) * P32_1 & M64
    _xxh3_add(acc, struct.unpack_from("<8Q", data, size - 64), XXH3_KEYS[121])
    total = size * P64_1
    for i in range(0, 8, 2):
        product = (acc[i] ^ XXH3_KEYS[11][i]) * (acc[i + 1] ^ XXH3_KEYS[11][i + 1])
        total += (product & M64) ^ (product >> 64)
    total &= M64
    total = (total ^ (total >> 37)) * 0x165667919E3779F9 & M64
    return total ^ (total >> 32)


def _xxh3_add(acc: list[int], stripe: tuple[int, ...], keys: tuple[int, ...]) -> None:
    for i in range(8):
        value = stripe[i] ^ keys[i]
        acc[i ^ 1] = (acc[i ^ 1] + stripe[i]) & M64
        acc[i] = (acc[i] + (value & 0xFFFFFFFF) * (value >> 32)) & M64


def bytes_of(pool: Pool, row: bytes, digest: bytes, sink: Sink) -> None:
    """Gives a row's bytes to ``sink``, begun anew for each try, until their SHA-256 is right.

    Raises Lost, with the reason, if no source makes it right.
    """
    extents = extents_of(row)
    for _, _, length, _ in extents:
        if length > EXTENT_MAX:
            raise Lost(f"its row names an extent of {length} bytes")
    for pieces in _tries(pool, extents):
        whole = hashlib.sha256()
        sink.begin()
        for piece in pieces:
            whole.update(piece)
            sink.add(piece)
        if whole.digest() == digest:
            return
    raise Lost(_why(pool, extents))


def _tries(pool: Pool, extents: Sequence[tuple[int, int, int, int]]) -> Iterator[Iterator[bytes]]:
    """The first source of each extent; then, where sources disagree, those with the right sums."""
    yield (_first(pool, extent) for extent in extents)
    if len(extents) == 1:
        for data in _versions(pool, extents[0])[1:]:
            yield iter([data])
        return
    short = [extent for extent in extents if extent[2] <= XXH3_SHORT]
    choices = [range(max(1, len(_versions(pool, extent)))) for extent in short[:2]]
    for choice in itertools.product(*choices):
        picked = dict(zip(short, choice))
        yield (_proven(pool, extent, picked.get(extent, 0)) for extent in extents)


def _versions(pool: Pool, extent: tuple[int, int, int, int]) -> list[bytes]:
    segment = pool.segment(extent[0])
    return list(segment.versions(extent[1], extent[2])) if segment else []


def _first(pool: Pool, extent: tuple[int, int, int, int]) -> bytes:
    segment = pool.segment(extent[0])
    data = segment.first(extent[1], extent[2]) if segment else None
    if data is None:
        raise Lost(_missing(pool, extent))
    return data


def _proven(pool: Pool, extent: tuple[int, int, int, int], pick: int) -> bytes:
    versions = _versions(pool, extent)
    if len(versions) > 1 and extent[2] > XXH3_SHORT:
        versions = [data for data in versions if xxh3_64(data) == extent[3]] or versions
    return versions[min(pick, len(versions) - 1)]


def _missing(pool: Pool, extent: tuple[int, int, int, int]) -> str:
    number, offset, length, _ = extent
    segment = pool.segment(number)
    where = f"{length} bytes at {offset} of segment {number:016x}"
    if segment is None:
        return where + ": no file of it is on these blades"
    if not segment.readable:
        strips = max([len(found.strips) for found in segment.partial], default=0)
        needed = max([found.k for found in segment.partial], default=1)
        return where + f": {strips} of its strips are here, {needed} are needed"
    return where + " cannot be read from any copy, nor be rebuilt"


def _why(pool: Pool, extents: Sequence[tuple[int, int, int, int]]) -> str:
    for extent in extents:
        provable = len(extents) > 1 and extent[2] > XXH3_SHORT
        if provable and any(xxh3_64(data) == extent[3] for data in _versions(pool, extent)):
            continue
        return f"{extent[2]} bytes at {extent[1]} of segment {extent[0]:016x} are wrong in every copy"
    return "its SHA-256 is wrong"


class Object(NamedTuple):
    """One version of one object, as its row says."""

    bucket: str
    key: bytes
    version: int
    size: int
    mtime_ns: int
    sha256: bytes
    path: bytes

    @property
    def name(self) -> str:
        """For people: bucket and key, what can't be printed as escapes."""
        text = "{}/{}".format(self.bucket, self.key.decode("utf-8", "backslashreplace"))
        return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def read_object(payload: bytes, counter: int) -> tuple[int, int, int, bytes]:
    """Version id, size, time of the file and SHA-256 from a payload of a row ``K``."""
    if len(payload) < OBJECT.size or payload[0] != 1:
        raise Lost("its row is of a version unknown to this program, or damaged")
    _, _, _, _, size, mtime_ns, version, _, _, _, digest = OBJECT.unpack_from(payload)
    return version or counter, size, mtime_ns, digest


# ---- from keys to paths: docs/reference/names.md

TOKEN = re.compile(rb"%(?:25|00)|[\x00-\x7f]|[\xc0-\xff][\x80-\xbf]*|.", re.DOTALL)


def key_to_path(key: bytes, *, is_folder: bool = False) -> bytes:
    """The path of a key below its bucket; ``is_folder``: another key begins with it and ``/``."""
    path = b"/".join(map(part_to_path, key.split(b"/")))
    return path + b"/%^" if is_folder else path


def part_to_path(part: bytes) -> bytes:
    """One part between slashes: as it is where a file can be called so, else escaped."""
    plain = part not in (b"", b".", b"..") and b"\0" not in part and part[:2] not in (b"%~", b"%+", b"%^")
    if plain and len(part) <= 255:
        return part
    pieces = [b""]
    for token in TOKEN.findall(part.replace(b"%", b"%25").replace(b"\0", b"%00")):
        if len(pieces[-1]) + len(token) > 253:
            pieces.append(b"")
        pieces[-1] += token
    return b"/".join([b"%+" + piece for piece in pieces[:-1]] + [b"%~" + pieces[-1]])


def folders_among(keys: set[bytes]) -> set[bytes]:
    """Keys below which another one lies. Row keys: the first nine bytes are no part of the name."""
    found = set()
    for key in keys:
        at = key.find(b"/", 9)
        while at >= 0:
            if key[:at] in keys and at > 9:
                found.add(key[:at])
            at = key.find(b"/", at + 1)
    return found


# ---- what is written


class Sink:
    """Takes one object's bytes; a small one is kept, a large one goes to a file without a name.

    Nothing is written outside the folder: it was empty, paths go from its descriptor, have no
    part ``..``, and are made anew.
    """

    PART = b"%part"

    def __init__(self, out: str | None) -> None:
        self._folder = None if out is None else os.open(out, os.O_RDONLY | os.O_DIRECTORY)
        self._made: set[bytes] = set()
        self._kept: list[bytes] = []
        self._size = 0
        self._large: BinaryIO | None = None

    def begin(self) -> None:
        """Forgets what came so far."""
        self._kept, self._size = [], 0
        if self._large is not None:
            self._large.close()
            self._large = None
            os.unlink(self.PART, dir_fd=self._folder)

    def add(self, piece: bytes) -> None:
        """Takes the next bytes."""
        self._size += len(piece)
        if self._folder is None:
            return
        if self._large is None:
            self._kept.append(piece)
            if self._size > BUFFERED_MAX:
                self._large = self._create(self.PART)
                self._large.write(b"".join(self._kept))
                self._kept = []
        else:
            self._large.write(piece)

    @property
    def size(self) -> int:
        """Bytes taken since it began."""
        return self._size

    def keep(self, path: bytes, mtime_ns: int) -> None:
        """Gives the object its name."""
        if self._folder is None:
            return
        self._make_folders(path)
        file = self._create(path)  # nobody has the name yet
        try:
            with file:
                file.write(b"".join(self._kept))
            if self._large is not None:
                self._large.close()
                os.rename(self.PART, path, src_dir_fd=self._folder, dst_dir_fd=self._folder)
                self._large = None
        except BaseException:
            os.unlink(path, dir_fd=self._folder)
            raise
        try:
            if mtime_ns != -(1 << 63):
                os.utime(path, ns=(mtime_ns, mtime_ns), dir_fd=self._folder, follow_symlinks=False)
        except (OSError, OverflowError):
            pass  # a time that this file system can't keep

    def _create(self, path: bytes) -> BinaryIO:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.fdopen(os.open(path, flags, 0o644, dir_fd=self._folder), "wb")

    def _make_folders(self, path: bytes) -> None:
        parent = os.path.dirname(path)
        if not parent or parent in self._made:
            return
        self._make_folders(parent)
        try:
            os.mkdir(parent, 0o755, dir_fd=self._folder)
        except FileExistsError:
            pass
        if len(self._made) > 100_000:
            self._made.clear()
        self._made.add(parent)

    def close(self) -> None:
        """Removes what has no name."""
        if self._folder is not None:
            self.begin()
            os.close(self._folder)
            self._folder = None


class Options(NamedTuple):
    """What is wanted.

    ``out`` None: nothing is written; then ``listing`` lists without reading objects, and
    without it every object is read and verified.
    """

    blades: tuple[str, ...]
    out: str | None = None
    bucket: str | None = None
    prefix: str = ""
    listing: bool = False
    versions: bool = False
    datasets: bool = False
    as_json: bool = False
    quiet: bool = False


class Rescue:
    """One run: ``damaged`` names what could not be given back, with the reason."""

    def __init__(self, options: Options, *, output: Any, messages: Any) -> None:
        self.options = options
        self.damaged: list[dict[str, str]] = []
        self.objects = self.bytes = 0
        self._output, self._messages = output, messages
        self._said = time.monotonic()
        self._listed: list[dict[str, Any]] = []
        self._datasets: list[dict[str, Any]] = []
        self._csv = csv.writer(output, lineterminator="\n")

    def run(self) -> int:
        """Does it all; returns the exit status. Raises Refused for a wrong call."""
        options = self.options
        if options.out is not None:
            check_out(options.out, options.blades)
        pool = Pool(options.blades)
        kinds = b"BK" + (b"V" if options.versions else b"") + (b"MF" if options.datasets else b"")
        try:
            state = read_state(pool, kinds, self._say)
            wanted = self._wanted(pool, state)
            if options.out is not None:
                os.makedirs(options.out, exist_ok=True)
            sink = Sink(options.out)
            try:
                self._give(pool, state, wanted, sink)
                if options.datasets:
                    self._give_datasets(pool, state, sink)
            finally:
                sink.close()
        finally:
            pool.close()
        self._sum_up(pool)
        return 1 if self.damaged or pool.problems else 0

    # ---- which objects

    def _wanted(self, pool: Pool, state: State) -> list[tuple[int, int, bytes]]:
        """Row keys in the order in which their bytes lie on the drives."""
        self._names, self._past_names = bucket_names(pool, state)
        keys = {key for key in state.rows if key[:1] == b"K"}
        self._folders = folders_among(keys)
        prefix = self.options.prefix.encode("utf-8", "surrogateescape")
        found = []
        for key, row in state.rows.items():
            if key[:1] not in (b"K", b"V") or len(key) < 10 or self._is_marker(key, row):
                continue
            name = key[9:] if key[:1] == b"K" else bytes(byte - 1 & 0xFF for byte in key[9:-9])
            bucket = self._bucket(key)
            if name.startswith(prefix) and self.options.bucket in (None, bucket):
                first = EXTENT.unpack_from(row, ROW.size) if self._has_extents(row) else (0, 0)
                found.append((first[0], first[1], key))
        return sorted(found)

    @staticmethod
    def _is_marker(key: bytes, row: bytes) -> bool:
        """Whether it only says that its key was deleted."""
        return key[:1] == b"V" and payload_of(row)[:2] == bytes([1, MARKER])

    @staticmethod
    def _has_extents(row: bytes) -> bool:
        return ROW.unpack_from(row)[4] > 0 and len(row) >= ROW.size + EXTENT.size

    def _bucket(self, key: bytes) -> str:
        number = int.from_bytes(key[1:9], "big")
        past = self._past_names.get(number) if key[:1] == b"V" else None
        return self._names.get(number) or past or f"%{number:016x}"

    def _object(self, key: bytes, row: bytes) -> Object:
        """What a row ``K`` or ``V`` names; raises Lost if it can't be read."""
        bucket = self._bucket(key)
        counter = ROW.unpack_from(row)[5]
        payload = payload_of(row)
        if key[:1] == b"K":
            name = key[9:]
            path = bucket.encode() + b"/" + key_to_path(name, is_folder=key in self._folders)
        else:
            name = bytes(byte - 1 & 0xFF for byte in key[9:-9])
            if len(payload) < HIDDEN.size or payload[0] != 1:
                raise Lost("its row is of a version unknown to this program, or damaged")
            counter = HIDDEN.unpack_from(payload)[5]
            payload = payload[HIDDEN.size + payload[2] + payload[3] :]
            number = M64 - int.from_bytes(key[-8:], "big")
            path = b"/".join([b"%versions", bucket.encode(), b"%016x" % number, key_to_path(name)])
        version, size, mtime_ns, digest = read_object(payload, counter)
        return Object(bucket, name, version, size, mtime_ns, digest, path)

    # ---- giving them

    def _give(self, pool: Pool, state: State, wanted: Sequence[tuple[int, int, bytes]], sink: Sink) -> None:
        if self.options.listing and not self.options.as_json and not self.options.datasets:
            self._csv.writerow(["bucket", "key", "version", "size", "sha256", "state"])
        for number, (_, _, key) in enumerate(wanted):
            self._say(f"objects: {number} of {len(wanted)}, {self.bytes >> 20} MB")
            row = state.rows[key]
            try:
                item = self._object(key, row)
                if self.options.listing:
                    self._list(key, row, item)
                else:
                    self._give_one(pool, item, row, sink)
                self.objects += 1
                self.bytes += item.size
            except (Lost, struct.error, OSError) as error:
                self._fail(key, row, error)
                self._give_before(pool, state, key, sink)

    def _give_one(self, pool: Pool, item: Object, row: bytes, sink: Sink) -> None:
        bytes_of(pool, row, item.sha256, sink)
        if sink.size != item.size:
            raise Lost(f"its row says {item.size} bytes, but there are {sink.size}")
        sink.keep(item.path, item.mtime_ns)

    def _give_before(self, pool: Pool, state: State, key: bytes, sink: Sink) -> None:
        """The last turn may never have been acknowledged: what the key held before is better than nothing."""
        row = state.before.get(key)
        if row is None or self.options.listing or key[:1] != b"K":
            return
        try:
            item = self._object(key, row)
            self._give_one(pool, item, row, sink)
        except (Lost, struct.error, OSError):
            return
        self.objects += 1
        self.bytes += item.size
        self.damaged[-1]["reason"] += "; it came with the last change; what the key held before was taken"

    def _fail(self, key: bytes, row: bytes, error: Exception) -> None:
        if isinstance(error, OSError):
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
                raise error
            reason = f"it cannot be written: {error.strerror}"
        else:
            reason = str(error) if isinstance(error, Lost) else "its row is damaged"
        name = key[9:] if key[:1] == b"K" else bytes(byte - 1 & 0xFF for byte in key[9:-9])
        told = Object(self._bucket(key), name, 0, 0, 0, b"", b"")
        entry = {"bucket": told.bucket, "key": name.decode("utf-8", "backslashreplace"), "reason": reason}
        if key[:1] == b"V":
            entry["version"] = "%016x" % (M64 - int.from_bytes(key[-8:], "big"))
        self.damaged.append(entry)
        self._tell(f"damaged: {told.name}: {reason}")

    def _list(self, key: bytes, row: bytes, item: Object) -> None:
        name = item.key.decode("utf-8", "backslashreplace")
        state = "current" if key[:1] == b"K" else self._state(row)
        entry = [item.bucket, name, f"{item.version:016x}", item.size, item.sha256.hex(), state]
        if self.options.as_json:
            titles = ("bucket", "key", "version", "size", "sha256", "state")
            self._listed.append(dict(zip(titles, entry)))
        elif not self.options.datasets:
            self._csv.writerow(entry)

    @staticmethod
    def _state(row: bytes) -> str:
        """Of a row ``V``: whether its bucket keeps versions and lists it."""
        return "listed" if HIDDEN.unpack_from(payload_of(row))[4] & LISTED else "hidden"

    # ---- datasets

    def _give_datasets(self, pool: Pool, state: State, sink: Sink) -> None:
        """The versions as a table; their roots and fragments (Arrow files) below ``%datasets``."""
        table = io.StringIO()
        writer = csv.writer(table, lineterminator="\n")
        titles = ("dataset", "version", "rows", "digest", "dropped", "message")
        writer.writerow(titles)
        for key, row in sorted(state.rows.items()):
            if key[:1] == b"M" and len(key) > 6:
                entry = self._version(key, row)
                self._datasets.append(dict(zip(titles, entry)))
                writer.writerow(entry)
                name = b"%%datasets/%s/v%d.json" % (key_to_path(key[1:-5]), entry[1])
                self._give_file(pool, name, row, None, sink)
            elif key[:1] == b"F" and len(key) == 17:
                name = b"%datasets/fragments/" + key[1:].hex().encode()
                self._give_file(pool, name, row, key[1:], sink)
        text = table.getvalue()
        if self.options.out is not None:
            sink.begin()
            sink.add(text.encode("utf-8", "backslashreplace"))
            sink.keep(b"%datasets/versions.csv", -(1 << 63))
        if not self.options.as_json:
            self._output.write(text)

    @staticmethod
    def _version(key: bytes, row: bytes) -> list[Any]:
        try:
            said = json.loads(payload_of(row)[1:])
            fields = [said.get("rows"), said.get("digest"), bool(said.get("dropped_us")), said.get("message")]
        except (ValueError, AttributeError, RecursionError):
            fields = [None, None, None, "its row is damaged"]
        return [key[1:-5].decode("utf-8", "backslashreplace"), int.from_bytes(key[-4:], "big"), *fields]

    def _give_file(self, pool: Pool, path: bytes, row: bytes, digest: bytes | None, sink: Sink) -> None:
        """A root, proven by its extents' sums, or a fragment, by the SHA-256 that begins with its name."""
        if self.options.listing:
            return
        try:
            whole = hashlib.sha256()
            sink.begin()
            for extent in extents_of(row):
                good = (
                    d for d in _versions(pool, extent) if extent[2] <= XXH3_SHORT or xxh3_64(d) == extent[3]
                )
                piece = next(good, None)
                if piece is None:
                    raise Lost(_missing(pool, extent))
                whole.update(piece)
                sink.add(piece)
            if digest is not None and whole.digest()[:16] != digest:
                raise Lost("its SHA-256 is wrong")
            sink.keep(path, -(1 << 63))
        except (Lost, struct.error, OSError) as error:
            if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
                raise
            reason = str(error)
            self.damaged.append({"file": path.decode(), "reason": reason})
            self._tell(f"damaged: {path.decode()}: {reason}")

    # ---- telling

    def _say(self, text: str) -> None:
        """Progress, now and then."""
        now = time.monotonic()
        if not self.options.quiet and now - self._said >= 2:
            self._said = now
            self._tell(text)

    def _tell(self, text: str) -> None:
        self._messages.write("rescue: " + text + "\n")
        self._messages.flush()

    def _sum_up(self, pool: Pool) -> None:
        for text in pool.notes:
            self._tell("note: " + text)
        for text in pool.problems:
            self._tell("problem: " + text)
        did = "listed" if self.options.listing else "verified" if self.options.out is None else "written"
        if self.options.as_json:
            said: dict[str, Any] = {
                "pool": pool.pool_id.hex(),
                "blades": len(pool.present),
                "segments": len(pool.paths),
                "did": did,
                "objects": self.objects,
                "bytes": self.bytes,
                "damaged": self.damaged,
                "problems": pool.problems,
                "notes": pool.notes,
            }
            if self.options.listing:
                said["listed"] = self._listed
            if self.options.datasets:
                said["datasets"] = self._datasets
            self._output.write(json.dumps(said, indent=2) + "\n")
        else:
            text = f"{self.objects} objects of {self.bytes} bytes {did}, {len(self.damaged)} damaged"
            self._tell(text + (f", {len(pool.problems)} problems" if pool.problems else ""))
        self._output.flush()


def bucket_names(pool: Pool, state: State) -> tuple[dict[int, str], dict[int, str]]:
    """Names by id: of buckets that exist, and of deleted ones. A name that no bucket can have is left out."""
    names: dict[int, str] = {}
    past: dict[int, str] = {}
    for key, row in state.rows.items():
        if key[:1] == b"B" and len(key) > 1:
            payload = payload_of(row)
            deleted = key[1] == 0
            text = (key[2:].split(b"\0")[0] if deleted else key[1:]).decode("utf-8", "replace")
            if len(payload) < 16 or not BUCKET_NAME.fullmatch(text):
                pool.problem("a bucket's row is damaged: its objects stand under its number")
                continue
            (past if deleted else names)[struct.unpack_from("<Q", payload, 8)[0]] = text
    return names, past


def check_out(out: str, blades: Sequence[str]) -> None:
    """Refuses a folder that isn't new or empty, or that lies in a blade."""
    real = os.path.realpath(out)
    for blade in blades:
        inside = os.path.realpath(blade)
        if real == inside or real.startswith(os.path.join(inside, "")):
            raise Refused(f"{out} lies in the blade {blade}: name a folder elsewhere.")
    try:
        if os.listdir(out):
            raise Refused(f"{out} is not empty: name a new or an empty folder.")
    except FileNotFoundError:
        pass
    except OSError as error:
        raise Refused(f"{out}: {error.strerror}.") from None


def options_of(arguments: Sequence[str]) -> Options:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(
        prog="rescue.py",
        description="Get every object out of the blades of a MaruHub pool, two of them may be missing. "
        "Exit status: 0 all whole, 1 something is damaged or may be missing, 2 a wrong call.",
    )
    parser.add_argument(
        "folders", nargs="+", metavar="BLADE… OUT", help="the blades' folders, then a new one"
    )
    parser.add_argument("--list", action="store_true", help="list objects as CSV; OUT isn't named")
    parser.add_argument(
        "--verify", action="store_true", help="read and verify, write nothing; OUT isn't named"
    )
    parser.add_argument("--bucket", help="only objects of this bucket")
    parser.add_argument("--prefix", default="", help="only keys that begin with this")
    parser.add_argument("--versions", action="store_true", help="hidden versions too, in OUT/%%versions")
    parser.add_argument("--datasets", action="store_true", help="dataset versions too, in OUT/%%datasets")
    parser.add_argument("--json", action="store_true", help="a summary as JSON on standard output")
    parser.add_argument("--quiet", action="store_true", help="no progress on standard error")
    said = parser.parse_args(arguments)
    *blades, out = said.folders
    if said.list or said.verify:
        blades, out = said.folders, None
    if not blades:
        parser.error("name at least one blade, and last the folder to write to")
    return Options(
        blades=tuple(blades),
        out=out,
        bucket=said.bucket,
        prefix=said.prefix,
        listing=said.list,
        versions=said.versions,
        datasets=said.datasets,
        as_json=said.json,
        quiet=said.quiet,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs it; returns the exit status."""
    try:
        return Rescue(
            options_of(sys.argv[1:] if arguments is None else arguments),
            output=sys.stdout,
            messages=sys.stderr,
        ).run()
    except Refused as wrong:
        sys.stderr.write(f"rescue: {wrong}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("rescue: interrupted; what was written so far is whole\n")
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1
    except OSError as error:
        sys.stderr.write("rescue: {}: {}\n".format(error.filename or "cannot go on", error.strerror))
        return 1


if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    sys.exit(main())
