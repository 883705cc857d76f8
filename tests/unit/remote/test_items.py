"""Items out of frames: exact however they were cut, and copied only where they came in several."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest

from maruhub.errors import MaruError, NoSuchKey
from maruhub.remote.items import read_items
from tests.unit.remote.streams import Streams
from tests.unit.wire.test_stream import Item, write


def read(*streams: Sequence[bytes]) -> list[memoryview | MaruError]:
    return items_of(Streams(*streams))


def items_of(transport: Any) -> list[memoryview | MaruError]:
    return [part for items in read_items(transport, lambda _: {}) for part in items.parts]


@pytest.mark.parametrize("rows_a_window", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("seed", range(5))
def test_items_are_what_was_sent_however_it_was_cut(rows_a_window: int, seed: int) -> None:
    chance = random.Random(seed)
    items: list[Item] = []
    for number in range(40):
        if chance.random() < 0.2:
            items.append(NoSuchKey(f"object {number} is not there."))
        else:
            items.append([chance.randbytes(chance.randrange(9)) for _ in range(chance.choice([1, 1, 2, 5]))])
    got = read(write(items, rows_a_window=rows_a_window))
    assert len(got) == len(items)
    for part, item in zip(got, items, strict=True):
        if isinstance(item, MaruError):
            assert isinstance(part, NoSuchKey)
        else:
            assert part == b"".join(item)


def test_an_item_that_came_in_one_frame_is_a_view_of_it() -> None:
    frames = write([[b"a", b"bc"], [b"d"], [b"e", b"f", b"g"]], rows_a_window=4)
    held = [part.obj for part in read(frames) if isinstance(part, memoryview)]
    assert held[0] is held[1] is frames[1]
    assert held[2] is not frames[1], "it came in two"


def test_the_hub_is_asked_to_check_only_once_a_sum_was_wrong() -> None:
    whole = write([[b"right"]], rows_a_window=1)
    cut, rotten = whole[:1], [frame.replace(b"right", b"wrong") for frame in whole]
    transport = Streams(cut, rotten, cut, whole)
    assert items_of(transport) == [b"right"]
    assert transport.checked == [False, False, True, True]
