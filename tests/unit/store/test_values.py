"""Rows, layouts, states, keys and the rule of packing: frozen bytes, and back again."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maruhub.errors import Corrupt
from maruhub.store.format import keys
from maruhub.store.format.extent import (
    EXTENT_DTYPE,
    Blobs,
    Extent,
    array_to_extents,
    blob_size,
    extents_to_array,
)
from maruhub.store.format.layout import EVERYWHERE, Layout, Range, decode_layout, encode_layout
from maruhub.store.format.packing import cut
from maruhub.store.format.row import Row, RowBatch, blobs_of, encode_row
from maruhub.store.format.segment_class import SegmentClass
from maruhub.store.format.state import IndexState, Moment, decode_state, encode_state
from maruhub.store.protocol import prefix_end

U32, U64 = st.integers(0, (1 << 32) - 1), st.integers(0, (1 << 64) - 1)
EXTENTS = st.lists(st.builds(Extent, U64, U64, U32, U64), max_size=4)


def test_row_is_frozen():
    row = encode_row(
        b"payload",
        counter=0x0102,
        time_us=-1,
        actor="é",
        request=b"\0r",
        extents=[Extent(1, 4096, 5, 0xFF)],
        segments=[2, 3],
    )
    assert row == (
        bytes.fromhex("0102020201000000 0201000000000000 ffffffffffffffff")
        + bytes.fromhex("0100000000000000 0010000000000000 0500000000000000 ff00000000000000")
        + "é".encode()
        + b"\0r"
        + bytes.fromhex("02000000 0200000000000000 0300000000000000")
        + b"payload"
    )


def test_row_that_is_gone_is_frozen():
    raw = encode_row(None, counter=9, time_us=1)
    assert raw == bytes.fromhex("0101000000000000 0900000000000000 0100000000000000")
    assert Row(b"K", raw).gone


@given(
    payload=st.binary(max_size=50),
    counter=U64,
    time_us=st.integers(-(1 << 63), (1 << 63) - 1),
    actor=st.text(max_size=60),
    request=st.binary(max_size=255),
    extents=EXTENTS,
    segments=st.lists(U64, max_size=3),
)
def test_any_row_comes_back(payload, counter, time_us, actor, request, extents, segments):
    raw = encode_row(
        payload,
        counter=counter,
        time_us=time_us,
        actor=actor,
        request=request,
        extents=extents,
        segments=segments,
    )
    row = Row(b"K", raw)
    assert (row.payload, row.counter, row.time_us, row.request) == (payload, counter, time_us, request)
    assert (row.extents, row.segments, row.gone) == (tuple(extents), tuple(segments), False)
    assert row.extents_raw == extents_to_array(extents).tobytes()
    assert actor.encode("utf-8", "replace").startswith(row.actor.encode())
    assert len(row.actor.encode()) >= min(252, len(actor.encode("utf-8", "replace")))


@pytest.mark.parametrize("raw", [b"", bytes(23), bytes(24), b"\2" + bytes(23), b"\1" + bytes(22)])
def test_what_is_no_row(raw: bytes):
    row = Row(b"K", raw)
    for part in ("counter", "time_us", "gone", "extents", "extents_raw", "actor", "request", "payload"):
        with pytest.raises(Corrupt, match="rebuild-index"):
            getattr(row, part)
    with pytest.raises(Corrupt, match="rebuild-index"):
        blobs_of([row])
    with pytest.raises(Corrupt, match="rebuild-index"):
        blobs_of([Row(b"K", encode_row(b"", counter=1, time_us=1)), row])


@pytest.mark.parametrize("count", [1, 2])
def test_a_row_that_ends_within_its_extents_is_refused(count: int):
    raw = encode_row(b"", counter=1, time_us=1, extents=[Extent(1, 2, 3, 4)] * count)
    with pytest.raises(Corrupt, match="b'K2' ends within its extents"):
        blobs_of([Row(b"K1", raw), Row(b"K2", raw[:-1]), None])


def test_layout_is_frozen():
    layout = Layout(
        5, SegmentClass.DERIVED, True, 2, 7, 0x1000, (b"a" * 16, b"b" * 16), (Range(0, EVERYWHERE, 0, 0),)
    )
    payload = bytes.fromhex("00010202 02000000 0010000000000000 07000000 01000000") + b"a" * 16 + b"b" * 16
    payload += struct.pack("<QQQII", 0, (1 << 63) - 1, 0, 0, 0)
    assert encode_layout(layout) == payload
    assert decode_layout(5, payload) == layout


def test_layout_of_an_unknown_kind_is_not_guessed_at():
    with pytest.raises(Corrupt, match="0000000000000005"):
        decode_layout(5, b"\2" + bytes(40))


def test_state_comes_back():
    state = IndexState(
        b"p" * 16, 77, -5, 10, b"b" * 16, b"inode 12", {b"y" * 16: 1, b"x" * 16: (1 << 64) - 1}
    )
    assert decode_state(encode_state(state)) == state
    assert decode_state(encode_state(state, counter=78)).counter == 78
    assert decode_state(None) == decode_state(b"") == IndexState()


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (Moment(b"b" * 16, 1500, 0), 10_500),
        (Moment(b"b" * 16, 1500, 1 << 60), 10_500),  # the wall clock is nothing to it
        (Moment(b"b" * 16, 900, 0), 10_000),  # it never runs backwards
        (Moment(b"c" * 16, 99_999, 0), 10_000),  # and stands still over a boot
    ],
)
def test_pool_clock(now: Moment, expected: int):
    state = IndexState(pool_time_us=10_000, boot_us=1000, boot_id=b"b" * 16)
    assert state.pool_time_at(now) == expected


def test_keys_are_frozen():
    segment = 0x0123456789ABCDEF
    made = [keys.layout_key(segment), keys.tail_key(segment), keys.open_key(segment)]
    assert made == [b"\1" + letter + bytes.fromhex("0123456789abcdef") for letter in (b"L", b"T", b"O")]
    assert [keys.segment_of(key) for key in made] == [segment] * 3
    assert keys.encode_tail(keys.Tail(1, 2)) == bytes([1] + [0] * 7 + [2] + [0] * 7)
    assert keys.decode_tail(keys.encode_tail(keys.Tail(1, 2))) == (1, 2)
    assert keys.decode_tail(None) == (0, 0)


@given(st.binary(min_size=1).filter(lambda prefix: prefix.strip(b"\xff")), st.binary())
def test_prefix_end_is_the_first_key_behind(prefix: bytes, rest: bytes):
    assert prefix <= prefix + rest < prefix_end(prefix)
    assert prefix_end(prefix)[:-1] == prefix[: len(prefix_end(prefix)) - 1]


@given(EXTENTS)
def test_extents_in_arrays(extents: list[Extent]):
    array = extents_to_array(extents)
    assert array.dtype == EXTENT_DTYPE
    assert EXTENT_DTYPE.itemsize == 32
    assert array_to_extents(array) == tuple(extents)


@given(st.lists(EXTENTS.map(tuple), max_size=5))
def test_many_blobs_are_their_blobs(blobs: list[tuple[Extent, ...]]):
    for many in (Blobs.of(blobs), Blobs.of_raw([extents_to_array(blob).tobytes() for blob in blobs])):
        assert len(many) == len(blobs)
        assert [many.blob(i) for i in range(len(many))] == blobs
        assert many.sizes().tolist() == [blob_size(blob) for blob in blobs]


@given(
    st.lists(EXTENTS.map(tuple), max_size=5) | st.lists(EXTENTS.map(lambda e: tuple(e[:1])), max_size=5),
    st.binary(max_size=9),
)
def test_blobs_of_rows_are_those_of_each_row(blobs: list[tuple[Extent, ...]], payload: bytes):
    rows = [Row(b"K", encode_row(payload, counter=1, time_us=2, actor="me", extents=blob)) for blob in blobs]
    for held in (rows, [*rows, None]):
        batch = RowBatch([b"K"] * len(held), [row and row.raw for row in held])
        for many in (blobs_of(held), blobs_of(batch)):
            assert many.starts[0] == 0
            assert [many.blob(i) for i in range(len(many))] == [row.extents if row else () for row in held]


def test_a_batch_is_the_sequence_of_its_rows():
    raws = [encode_row(bytes([i]), counter=i, time_us=1) if i != 2 else None for i in range(5)]
    keys = [b"K%d" % i for i in range(5)]
    batch = RowBatch(keys, raws)
    assert [None if row is None else (row.key, row.raw) for row in batch] == [
        None if raw is None else (key, raw) for key, raw in zip(keys, raws, strict=True)
    ]
    assert (len(batch), batch[2], None in batch) == (5, None, True)
    last = batch[-1]
    assert last is not None
    assert (last.key, last.counter, last.payload) == (b"K4", 4, b"\4")
    assert [row and row.key for row in batch[1:4]] == [b"K1", None, b"K3"]
    with pytest.raises(IndexError):
        batch[5]
    with pytest.raises(ValueError, match="shorter"):
        list(RowBatch(keys, raws[:4]))


@given(
    st.lists(st.sampled_from([0, 1, 4095, 4096, 4097, 1 << 20, (1 << 20) + 1]), max_size=5),
    st.integers(4096, 9000),
)
def test_packing(sizes: list[int], end: int):
    blobs = [memoryview(bytes([i + 1]) * size) for i, size in enumerate(sizes)]
    joined = [b""] * len(sizes)
    for piece in cut(blobs):
        offset = piece.offset(end)
        assert 0 <= offset - end < 4096
        assert offset % 4096 == 0 if sizes[piece.blob] >= 4096 else offset == end
        assert 0 < len(piece.data) <= 1 << 20
        joined[piece.blob] += piece.data
        end = offset + len(piece.data)
    assert joined == [bytes(blob) for blob in blobs]
