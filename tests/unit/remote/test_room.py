"""Memory is used again, and never while somebody can see it."""

from __future__ import annotations

import numpy as np

from maruhub.remote.room import Room


def address(view: memoryview) -> int:
    return int(np.frombuffer(view, np.uint8).ctypes.data)


def test_memory_is_used_again_once_no_view_is_left() -> None:
    room = Room()
    view = room.take(3 << 20)
    at = address(view)
    part = view[5:10].toreadonly()
    array = np.frombuffer(part, np.uint8)
    del view, part
    # An array of a view of a part still holds it.
    other = room.take(3 << 20)
    assert address(other) != at
    array_at = array.ctypes.data
    assert at <= array_at < at + (3 << 20)
    del array
    assert address(room.take(3 << 20)) == at


def test_what_is_too_small_is_passed_over() -> None:
    room = Room()
    small, large = room.take(10), room.take(2 << 20)
    places = address(small), address(large)
    del small, large
    wide = room.take(2 << 20)
    assert address(wide) == places[1]
    assert len(wide) == 2 << 20
    assert address(room.take(1 << 20)) == places[0]


def test_little_is_kept_idle() -> None:
    room = Room()
    views = [room.take(4 << 20) for _ in range(20)]
    assert room.idle_bytes == 0
    views.clear()
    assert room.idle_bytes == 32 << 20
    view = room.take(4 << 20)
    assert room.idle_bytes == 28 << 20
    del view
    huge = room.take(17 << 20)
    del huge
    assert room.idle_bytes == 32 << 20
    room.clear()
    assert room.idle_bytes == 0
