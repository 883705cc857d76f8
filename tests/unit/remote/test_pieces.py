"""Bytes of an object: exact over any number of cuts, from where an extent begins."""

from __future__ import annotations

from typing import Any

import pytest

from maruhub.errors import Conflict, Corrupt, Unavailable
from maruhub.remote.object import RemoteObject
from maruhub.remote.pieces import read_range
from tests.unit.remote.streams import Streams
from tests.unit.wire.test_stream import write

EXTENTS = [b"a" * (1 << 20), b"b" * (1 << 20), b"c" * 5]


def object_of(size: int, etag: str = "0" * 32) -> RemoteObject:
    return RemoteObject("b", "k", size, etag, b"", "", {}, None, 0, "v")


WHOLE = object_of((2 << 20) + 5)


def answer(first: int = 0) -> list[bytes]:
    """The frames from an extent on, an extent each."""
    return write([EXTENTS[first:]], rows_a_window=1)


def read(transport: Any, start: int, stop: int, info: RemoteObject = WHOLE) -> bytes:
    return b"".join(read_range(transport, info, start, stop))


def test_what_came_before_a_cut_is_not_asked_for_again() -> None:
    transport = Streams(answer()[:3], answer(2))
    assert read(transport, 0, WHOLE.size) == b"".join(EXTENTS)
    assert [request["skip_bytes"] for request in transport.asked] == [0, 2 << 20]
    assert transport.checked == [False, False]


def test_a_wrong_sum_has_the_rest_checked() -> None:
    rotten = [frame.replace(b"ccccc", b"ccacc") for frame in answer()]
    transport = Streams(rotten, answer(2))
    assert read(transport, 0, WHOLE.size) == b"".join(EXTENTS)
    assert [request["skip_bytes"] for request in transport.asked] == [0, 2 << 20]
    assert transport.checked == [False, True]


@pytest.mark.parametrize(("etag", "skipped"), [("0" * 32, 1), ("0" * 32 + "-2", 0)])
def test_a_range_begins_at_an_extent_where_it_is_known_and_ends_where_it_does(
    etag: str, skipped: int
) -> None:
    info = object_of(WHOLE.size, etag)
    transport = Streams(answer(skipped))
    assert read(transport, (1 << 20) + 7, (1 << 20) + 9, info) == b"bb"
    assert [request["skip_bytes"] for request in transport.asked] == [skipped << 20]
    assert read(Streams(), 9, 9) == b""


def test_another_object_than_was_asked_for_is_a_conflict() -> None:
    with pytest.raises(Conflict, match=f"has {WHOLE.size} bytes, not {WHOLE.size + 1}"):
        read(Streams(answer()), 0, WHOLE.size + 1, object_of(WHOLE.size + 1))


def test_what_the_hub_says_of_it_is_raised() -> None:
    with pytest.raises(Corrupt, match="rotten"):
        read(Streams(write([Corrupt("rotten")])), 0, WHOLE.size)


def test_patience_ends() -> None:
    cut = answer()[:1]
    with pytest.raises(Unavailable, match="the answer was cut"):
        read(Streams(*[cut] * 50), 0, WHOLE.size)


def test_something_that_came_renews_patience() -> None:
    small = [bytes([i]) for i in range(50)]
    cuts = [write([small[first:]], rows_a_window=1)[:2] for first in range(50)]
    assert read(Streams(*cuts), 0, 50, object_of(50)) == b"".join(small)
