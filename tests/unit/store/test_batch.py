"""Batches of records: frozen bytes, and None for whatever else a drive returns."""

from __future__ import annotations

import random
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maruhub.store.format.batch import (
    BatchHead,
    BatchPlace,
    batch_is_whole,
    decode_batch_head,
    encode_batch,
    iter_records,
)

MARKER = bytes(range(16))
PLACE = BatchPlace(
    offset=8200, previous=4096, epoch=3, first=7, last=9, after=5, pool_time_us=123_456, flags=1
)
RECORDS = [(b"K\0key", b"value"), (b"B", b"")]
BATCH = encode_batch(MARKER, PLACE, RECORDS)


def read(data: bytes, offset: int = 8200) -> list[tuple[bytes, bytes]] | None:
    head = decode_batch_head(MARKER, data, offset)
    if head is None or not batch_is_whole(head, data):
        return None
    return list(iter_records(head, data))


def test_batch_is_frozen():
    tail = struct.pack("<IQQIIQQQqII", len(BATCH), 8200, 4096, 3, 2, 7, 9, 5, 123_456, 1, 0)
    tail += b"\5\0\0\0\5\0\0\0K\0keyvalue" + b"\1\0\0\0\0\0\0\0B"
    assert MARKER + struct.pack("<I", zlib.crc32(tail)) + tail == BATCH
    assert len(BATCH) == 88 + 8 + 10 + 8 + 1
    assert BATCH[16:20].hex() == "3b61f8f7"


def test_it_comes_back():
    head = decode_batch_head(MARKER, BATCH, 8200)
    assert head == BatchHead(len(BATCH), 8200, 4096, 3, 2, 7, 9, 5, 123_456, 1)
    assert head.end == 8200 + len(BATCH)
    assert read(BATCH) == read(BATCH + b"what follows") == read(memoryview(BATCH)) == RECORDS


def test_a_changed_byte_anywhere_is_noticed():
    for at in range(len(BATCH)):
        for flip in (1, 0x80, 0xFF):
            bad = bytearray(BATCH)
            bad[at] ^= flip
            assert read(bytes(bad)) is None, at


def test_a_shorter_batch_is_noticed():
    for size in range(len(BATCH)):
        assert read(BATCH[:size]) is None


def test_torn_sectors_are_noticed():
    whole = encode_batch(MARKER, PLACE, [(b"K%d" % i, random.Random(i).randbytes(90)) for i in range(60)])
    for sector in range(0, len(whole), 512):
        for old in (bytes(512), b"\xff" * 512, whole[:512] if sector else bytes(512)):
            torn = whole[:sector] + old[: len(whole) - sector] + whole[sector + 512 :]
            assert read(torn) is None


def test_a_batch_counts_only_where_it_was_written():
    assert read(BATCH, 8208) is None
    assert decode_batch_head(b"\1" * 16, BATCH, 8200) is None


@pytest.mark.parametrize(
    "wrong", [{"previous": 8200}, {"previous": 9000}, {"first": 5}, {"first": 4}, {"last": 6}, {"after": 7}]
)
def test_a_head_that_cannot_be(wrong: dict[str, int]):
    fields = {name: getattr(PLACE, name) for name in PLACE.__slots__} | wrong
    assert read(encode_batch(MARKER, BatchPlace(**fields), RECORDS)) is None


@given(
    st.lists(st.tuples(st.binary(max_size=30), st.binary(max_size=200)), max_size=8), st.binary(max_size=20)
)
def test_any_records_come_back(records: list[tuple[bytes, bytes]], behind: bytes):
    assert read(encode_batch(MARKER, PLACE, records) + behind) == records


@given(st.binary(max_size=400))
def test_noise_is_nothing(data: bytes):
    assert read(data) is None
    assert read(MARKER + data) is None
