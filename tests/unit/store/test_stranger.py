"""A pool read by plain Python that knows nothing but docs/format.md and docs/format-names.md.

``Stranger`` imports nothing of the hub. What it can't find out from the two pages is missing
there: mend the pages, not only this file.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import struct
import zlib
from pathlib import Path

import pytest

import maruhub


class Stranger:
    """Reads blades: ``state`` is every row that counts, ``objects`` what they hold now."""

    def __init__(self, blades: list[Path]) -> None:
        self.copies: dict[str, list[bytes]] = {}
        for blade in blades:
            self.pool = self.block((blade / "blade").read_bytes(), b"MARUBLD1")[:16]
            for file in (blade / "segments").glob("*.log"):
                self.copies.setdefault(file.stem, []).append(file.read_bytes())
        self.batches = [batch for segment in self.copies for batch in self.chain(segment)]
        self.state: dict[bytes, bytes] = {}
        for batch in self.counting():
            for key, value in self.records(batch):
                if value[1] & 1:
                    self.state.pop(key, None)
                else:
                    self.state[key] = value

    @staticmethod
    def block(data: bytes, magic: bytes) -> bytes:
        assert data[:8] == magic
        version, crc = struct.unpack_from("<II", data, 8)
        assert version == 1
        assert zlib.crc32(data[16:4096]) == crc
        return data[16:4096]

    def chain(self, segment: str) -> list[bytes]:
        """Batches of a segment that its chain reaches."""
        marker = b""
        for data in self.copies[segment]:
            try:
                head = self.block(data, b"MARUSEG1")
            except AssertionError:
                continue
            assert head[:16] == self.pool
            assert head[16:24] == int(segment, 16).to_bytes(8, "little")
            marker = head[48:64]
        at = max(len(data) for data in self.copies[segment])
        batch = None
        while batch is None and at >= 4096:
            at = max(data.rfind(marker, 0, at + 15) for data in self.copies[segment])
            batch = self.batch(segment, at, marker) if at >= 4096 else None
        found = []
        while batch is not None:
            found.append(batch)
            previous = struct.unpack_from("<Q", batch, 32)[0]
            batch = self.batch(segment, previous, marker) if previous else None
            assert batch is not None or not previous, "a batch is damaged in every copy"
        return found

    def batch(self, segment: str, at: int, marker: bytes) -> bytes | None:
        for data in self.copies[segment]:
            if data[at : at + 16] != marker or at % 8 or at + 88 > len(data):
                continue
            crc, size, own = struct.unpack_from("<IIQ", data, at + 16)
            if own == at and at + size <= len(data) and zlib.crc32(data[at + 20 : at + size]) == crc:
                return data[at : at + size]
        return None

    def counting(self) -> list[bytes]:
        """In the order of their turns, without those that a later turn passed over."""
        kept: list[bytes] = []
        for batch in sorted(self.batches, key=lambda b: struct.unpack_from("<Q", b, 48), reverse=True):
            first = struct.unpack_from("<Q", batch, 48)[0]
            if not kept or first <= struct.unpack_from("<Q", kept[-1], 64)[0]:
                kept.append(batch)
        return kept[::-1]

    @staticmethod
    def records(batch: bytes) -> list[tuple[bytes, bytes]]:
        at, found = 88, []
        for _ in range(struct.unpack_from("<I", batch, 44)[0]):
            key_size, size = struct.unpack_from("<II", batch, at)
            key = batch[at + 8 : at + 8 + key_size]
            at += 8 + key_size + size
            found.append((key, batch[at - size : at]))
        return found

    @staticmethod
    def parts(row: bytes) -> tuple[list[tuple[int, int, int]], bytes]:
        """A row's extents and payload."""
        version, flags, actor, request, count = struct.unpack_from("<BBBBI", row)
        assert version == 1
        extents = [struct.unpack_from("<QQI", row, 24 + 32 * i) for i in range(count)]
        at = 24 + 32 * count + actor + request
        if flags & 2:
            at += 4 + 8 * struct.unpack_from("<I", row, at)[0]
        return extents, row[at:]

    def objects(self) -> dict[tuple[str, str], bytes]:
        buckets = {}
        for key, row in self.state.items():
            if key[:1] == b"B" and key[1] != 0:
                buckets[struct.unpack_from("<Q", self.parts(row)[1], 8)[0]] = key[1:].decode()
        found = {}
        for key, row in self.state.items():
            if key[:1] == b"K":
                bucket = buckets[int.from_bytes(key[1:9], "big")]
                found[bucket, key[9:].decode()] = self.content(row)
        return found

    def content(self, row: bytes) -> bytes:
        """An object's bytes, each extent from a copy with which the SHA-256 is right."""
        extents, payload = self.parts(row)
        size, wanted = struct.unpack_from("<Q", payload, 8)[0], payload[64:96]
        for number in range(3):
            data = b""
            for segment, offset, length in extents:
                copies = self.copies[f"{segment:016x}"]
                data += copies[number % len(copies)][offset : offset + length]
            if hashlib.sha256(data).digest() == wanted:
                assert len(data) == size
                return data
        raise AssertionError("no copy of the object is right")


@pytest.fixture(params=[1, 3, 5])
def hub(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "hub"
    maruhub.create(path, blades=[tmp_path / f"drive{i}" for i in range(request.param)]).close()
    return path


def fill(hub: maruhub.Hub) -> dict[tuple[str, str], bytes]:
    sizes = (0, 1, 4095, 4096, 4097, 70_000, (1 << 20) + 1, 3 << 20)
    wanted = {("photos", f"dir/{size}"): os.urandom(size) for size in sizes}
    for (bucket, key), data in wanted.items():
        hub.bucket(bucket)[key] = data
    many = {f"ü/{i}\0": b"%d" % i for i in range(200)}
    hub.bucket("other").put_many(many)
    wanted.update({("other", key): data for key, data in many.items()})
    hub.bucket("photos")["dir/1"] = b"overwritten"
    wanted["photos", "dir/1"] = b"overwritten"
    del hub.bucket("photos")["dir/4096"]
    del wanted["photos", "dir/4096"]
    hub.bucket("photos").copy("dir/70000", "by-reference", bucket="copies")
    wanted["copies", "by-reference"] = wanted["photos", "dir/70000"]
    hub.bucket("gone")["x"] = b"y"
    del hub.bucket("gone")["x"]
    hub.namespace.buckets.delete("gone")
    hub.dataset("d").commit("photos/")
    return wanted


def blades_of(path: Path) -> list[Path]:
    return sorted(path.parent.glob("drive*"))


def test_a_stranger_reads_every_object(hub: Path):
    with maruhub.connect(hub) as opened:
        wanted = fill(opened)
        opened.store.checkpoint()
        opened.bucket("photos")["after"] = b"the checkpoint"
        wanted["photos", "after"] = b"the checkpoint"
    shutil.rmtree(hub)
    assert Stranger(blades_of(hub)).objects() == wanted


def test_a_stranger_finds_the_rows_that_the_index_has(hub: Path):
    with maruhub.connect(hub) as opened:
        fill(opened)
        for start, stop in ((b"\1L", b"\1M"), (b"\2", b"\xff")):
            rows = {row.key: row.raw for row in opened.store.scan(start, stop, 100_000)}
            found = Stranger(blades_of(hub)).state
            assert {key: raw for key, raw in found.items() if start <= key < stop} == rows


def test_a_stranger_reads_past_rot_and_what_a_dead_writer_left(hub: Path):
    with maruhub.connect(hub) as opened:
        wanted = fill(opened)
    drives = blades_of(hub)
    for file in (drives[0] / "segments").iterdir():
        with file.open("r+b") as raw:
            if len(drives) > 1:
                raw.write(os.urandom(8000))
            raw.seek(0, 2)
            raw.write(os.urandom(5000))
    with maruhub.connect(hub) as opened:
        opened.bucket("photos")["later"] = b"x"
        wanted["photos", "later"] = b"x"
    shutil.rmtree(hub)
    assert Stranger(drives).objects() == wanted
