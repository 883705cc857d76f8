"""Frames and streams: what is written comes back, and nothing else passes."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from maruhub.errors import Corrupt, InvalidData, MaruError, NoSuchKey
from maruhub.wire import fault, frame
from maruhub.wire.frame import MORE, ROW_DTYPE, Decoder, Kind, RowTable
from maruhub.wire.stream import Begin, Samples, StreamReader, StreamWriter, Window

Item = list[bytes] | MaruError


def write(items: Sequence[Item], *, rows_a_window: int = 3, samples: bool = False) -> list[bytes]:
    """The frames of a stream of items, each an error or the bytes of its rows."""
    writer = StreamWriter()
    frames = [writer.begin({"note": "x"})]
    if samples:
        frames.append(writer.samples(b"arrow"))
    flat: list[tuple[int, bytes | MaruError, int]] = []
    for number, item in enumerate(items):
        parts = [item] if isinstance(item, MaruError) else item
        flat += [(number, part, MORE if i + 1 < len(parts) else 0) for i, part in enumerate(parts)]
    for at in range(0, len(flat), rows_a_window):
        part = flat[at : at + rows_a_window]
        frames.append(writer.window(table(part), [bytes_ for _, bytes_, _ in part]))
    frames.append(writer.end())
    return frames


def table(part: Sequence[tuple[int, bytes | MaruError, int]]) -> RowTable:
    rows = np.zeros(len(part), ROW_DTYPE)
    for i, (item, data, flags) in enumerate(part):
        digest = 0 if isinstance(data, MaruError) else xxhash.xxh3_64_intdigest(data)
        rows[i] = (item, digest, 0, 0, flags)
    return rows


def read(pieces: Sequence[bytes]) -> list[Item]:
    """The items of a stream that must be whole."""
    reader = StreamReader()
    events = [event for piece in pieces for event in reader.feed(piece)]
    assert reader.ended
    items: dict[int, Item] = {}
    for event in events:
        if isinstance(event, Window):
            for number, part, _ in zip(event.items, event.parts, event.more, strict=True):
                if isinstance(part, MaruError):
                    items[number] = part
                else:
                    held = items.setdefault(number, [])
                    assert isinstance(held, list)
                    held.append(bytes(part))
    return [items[number] for number in sorted(items)]


def same(a: Sequence[Item], b: Sequence[Item]) -> bool:
    def plain(item: Item) -> object:
        return (type(item), item.what, item.hint) if isinstance(item, MaruError) else item

    return list(map(plain, a)) == list(map(plain, b))


errors = st.builds(lambda what, hint: NoSuchKey(what, hint=hint), st.text(max_size=9), st.text(max_size=9))
items = st.lists(st.lists(st.binary(max_size=40), min_size=1, max_size=3) | errors, max_size=12)


@settings(max_examples=200, deadline=None)
@given(items, st.integers(1, 5), st.integers(1, 200))
def test_what_is_written_comes_back_in_pieces_of_any_size(
    given_items: list[Item], rows: int, step: int
) -> None:
    data = b"".join(write(given_items, rows_a_window=rows))
    pieces = [data[at : at + step] for at in range(0, len(data), step)]
    assert same(read(pieces), given_items)


def test_a_frame_that_comes_whole_is_not_copied() -> None:
    whole = b"".join(write([[b"abc"], [b"defg"]]))
    reader = StreamReader()
    windows = [event for event in reader.feed(whole) if isinstance(event, Window)]
    part = windows[0].parts[0]
    assert isinstance(part, memoryview)
    assert part.obj is whole
    assert part.readonly


def test_events_come_in_order_and_say_what_is_simple() -> None:
    frames = write([[b"a"], NoSuchKey("no"), [b"b", b"c"]], samples=True)
    reader = StreamReader()
    events = [event for data in frames for event in reader.feed(data)]
    assert [type(event) for event in events] == [Begin, Samples, Window, Window]
    assert events[0] == Begin({"format": 1, "note": "x"})
    assert [event.whole for event in events if isinstance(event, Window)] == [False, False]


EXAMPLE: list[Item] = [[b"one"], [b""], Corrupt("gone", hint="look"), [b"two", b"three"], [b"four"]]


ROWS = st.tuples(st.integers(0, 2), st.sampled_from([0, 0, 0, 1]), st.sampled_from([200, 200, 200, 404]))


@settings(max_examples=300, deadline=None)
@given(st.lists(ROWS, max_size=5), st.integers(-1, 1), st.sampled_from([b"", b"", b"x"]), st.integers(0, 1))
def test_a_window_of_whole_items_is_judged_as_any_other(
    rows: list[tuple[int, int, int]], more_bytes: int, more_text: bytes, first: int
) -> None:
    """The short way for those that are simple says what the long way says, of right tables and wrong ones."""
    found = np.zeros(len(rows), ROW_DTYPE)
    payload, texts, item = b"", b"", first
    for i, (length, more, status) in enumerate(rows):
        data = bytes([i]) * length
        text = fault.encode(NoSuchKey("gone")) if status != 200 else b""
        found[i] = (item, xxhash.xxh3_64_intdigest(data), len(text) or length, status, more)
        payload, texts, item = payload + (data if status == 200 else b""), texts + text, item + 1 - more
    payload = (payload + b"x")[: len(payload) + more_bytes] if more_bytes >= 0 else payload[:-1]
    buffers, _ = frame.encode_apart(Kind.WINDOW, rows=found, text=texts + more_text, payload=[payload])
    data = b"".join([StreamWriter().begin({}), *buffers])
    with pytest.MonkeyPatch.context() as patch:
        short = judged(data)
        patch.setattr(frame.Frame, "is_plain", property(lambda _: False, lambda *_: None), raising=False)
        assert judged(data) == short


def judged(data: bytes) -> object:
    try:
        return [
            (event.items, [told_of(part) for part in event.parts], event.more, event.whole)
            for event in StreamReader().feed(data)
            if isinstance(event, Window)
        ]
    except InvalidData as error:
        return str(error)


def told_of(part: memoryview | MaruError) -> bytes | str:
    return str(part) if isinstance(part, MaruError) else bytes(part)


def test_a_stream_cut_at_any_byte_is_not_whole_and_tells_only_the_truth() -> None:
    data = b"".join(write(EXAMPLE, rows_a_window=2, samples=True))
    for size in range(len(data)):
        reader = StreamReader()
        events = list(reader.feed(data[:size]))
        assert not reader.ended
        parts = [part for event in events if isinstance(event, Window) for part in event.parts]
        told = [bytes(part) if isinstance(part, memoryview) else part.what for part in parts]
        assert told == [b"one", b"", "gone", b"two", b"three", b"four"][: len(told)]


def test_no_changed_byte_passes() -> None:
    data = b"".join(write(EXAMPLE, rows_a_window=2, samples=True))
    for at in range(len(data)):
        for change in (1, 0x80):
            broken = bytearray(data)
            broken[at] ^= change
            reader = StreamReader()
            try:
                list(reader.feed(bytes(broken)))
            except MaruError:
                continue
            assert not reader.ended, f"byte {at}"


@pytest.mark.parametrize("lost", range(5))
def test_a_lost_doubled_or_swapped_frame_is_noticed(lost: int) -> None:
    frames = write([[b"a"], [b"b"], [b"c"]], rows_a_window=1)
    without = frames[:lost] + frames[lost + 1 :]
    doubled = [*frames[: lost + 1], frames[lost], *frames[lost + 1 :]]
    swapped = frames[:]
    swapped[lost - 1], swapped[lost] = swapped[lost], swapped[lost - 1]
    for stream in (without, doubled, swapped):
        with pytest.raises((InvalidData, AssertionError)):
            read(stream)


def test_two_streams_that_are_joined_are_noticed() -> None:
    a, b = write([[b"a"], [b"b"]], rows_a_window=1), write([[b"a"], [b"x"]], rows_a_window=1)
    with pytest.raises(InvalidData):
        read([*a[:2], *b[2:3], a[3]])


def test_a_fault_ends_a_stream_with_its_error() -> None:
    writer = StreamWriter()
    reader = StreamReader()
    list(reader.feed(writer.begin({})))
    with pytest.raises(Corrupt, match="all is lost"):
        list(reader.feed(writer.fault(Corrupt("all is lost"))))


def _lying(kind: int, rows: int, text: int, payload: int, *, body: bytes = b"", table_: bytes = b"") -> bytes:
    head = struct.pack("<8sB3xIII", frame.MAGIC, kind, rows, text, payload)
    return head + struct.pack("<Q", xxhash.xxh3_64_intdigest(head + table_ + body[:text])) + table_ + body


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\n" * 3,
        _lying(Kind.WINDOW, 1 << 31, 0, 0),
        _lying(Kind.WINDOW, 0, (1 << 32) - 1, 0),
        _lying(Kind.WINDOW, 0, 0, (1 << 32) - 1),
        _lying(Kind.BEGIN, 1, 0, 0),
        _lying(Kind.END, 0, 0, 1),
        _lying(0, 0, 0, 0),
        _lying(99, 0, 0, 0),
        _lying(Kind.WINDOW, 0, 0, 3, body=b"abc"),
    ],
)
def test_sizes_that_lie_are_refused_by_the_head_alone(data: bytes) -> None:
    with pytest.raises(InvalidData):
        list(Decoder().feed(data))


@pytest.mark.parametrize(
    "row",
    [(0, 0, 4, 200, 0), (0, 0, 3, 200, 2), (0, 0, 3, 404, 0), (0, 0, 3, 399, 0), (0, 0, 0, 404, 1)],
)
def test_a_table_that_does_not_fit_its_bytes_is_refused(row: tuple[int, ...]) -> None:
    table_ = np.array([row], ROW_DTYPE).tobytes()
    data = _lying(Kind.WINDOW, 1, 0, 3, body=b"abc", table_=table_)
    with pytest.raises(InvalidData):
        list(Decoder().feed(data))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda rest: frame.MAGIC + rest))
def test_no_bytes_do_anything_but_wait_or_be_refused(data: bytes) -> None:
    reader = StreamReader()
    try:
        list(reader.feed(data))
    except MaruError:
        return
    assert not reader.ended
