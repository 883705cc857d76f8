"""What a pool needs, from what a survey found: most urgent first, and nothing when all is well."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from maruhub.care.plan import Found, Kind, Room, Task, balance, plan
from maruhub.store.format.layout import Layout, Range, StripsLayout
from maruhub.store.format.segment_class import SegmentClass

_SIZE = 1 << 20


def blades(count: int) -> list[bytes]:
    return [bytes([number]) * 16 for number in range(1, count + 1)]


def rooms(ids: list[bytes], used: int = 0, total: int = 1 << 30) -> dict[bytes, Room]:
    return {blade: Room(total, used) for blade in ids}


def strips(segment: int, data: int, ids: list[bytes]) -> Layout:
    ranges = tuple(Range(4096 + n * _SIZE, _SIZE, 4096, n) for n in range(data))
    cut = StripsLayout(data, 2, 4096, (_SIZE,) * len(ids), 0, 0)
    return Layout(segment, SegmentClass.RAW, True, 2, 1, 4096 + data * _SIZE, tuple(ids), ranges, cut)


def copies(segment: int, ids: list[bytes]) -> Layout:
    return Layout(segment, SegmentClass.RAW, True, 1, 1, 4 * _SIZE, tuple(ids))


def full(layout: Layout) -> Found:
    return Found(layout, 4 * _SIZE)


def kinds(tasks: list[Task]) -> list[Kind]:
    return [task.kind for task in tasks]


def test_healthy_pool_needs_nothing():
    six = blades(6)
    assert plan([full(strips(1, 4, six))], rooms(six), set()) == []


@pytest.mark.parametrize("count", [1, 2, 3])
def test_full_copies_stay_where_strips_save_nothing(count: int):
    ids = blades(count)
    assert plan([full(copies(1, ids))], rooms(ids), set()) == []


def test_closed_log_is_sealed_where_there_are_blades_for_it():
    six = blades(6)
    (task,) = plan([full(copies(1, six[:3]))], rooms(six), set())
    assert (task.kind, task.moves, task.size_bytes) == (Kind.SEAL, (), 6 * _SIZE)


def test_one_lost_strip_is_made_again_alone():
    seven = blades(7)
    layout = strips(1, 4, seven[:6])
    # One of seven is gone: six are left, one of them holds nothing of the segment.
    (task,) = plan([full(layout)], rooms(seven[:2] + seven[3:]), set())
    assert (task.kind, task.moves) == (Kind.REPAIR, ((2, None),))


def test_where_too_few_blades_are_left_the_segment_is_cut_anew():
    six = blades(6)
    (task,) = plan([full(strips(1, 4, six))], rooms(six[:4]), set())
    assert (task.kind, task.moves, task.size_bytes) == (Kind.REPAIR, (), 8 * _SIZE)


def test_damaged_strip_is_made_again_on_its_own_blade():
    six = blades(6)
    found = replace(full(strips(1, 4, six)), damaged=frozenset({3}))
    (task,) = plan([found], rooms(six), set())
    assert (task.kind, task.moves) == (Kind.REPAIR, ((3, None),))


def test_what_lost_most_comes_first():
    nine = blades(8)
    one, two = strips(1, 6, nine), strips(2, 6, nine)
    found = [replace(full(one), damaged=frozenset({0})), replace(full(two), damaged=frozenset({0, 1}))]
    assert [task.segment for task in plan(found, rooms(nine), set())] == [2, 1]


def test_draining_blade_is_emptied():
    seven = blades(7)
    usable = rooms(seven[1:])
    (task,) = plan([full(strips(1, 4, seven[:6]))], usable, {seven[0]})
    assert (task.kind, task.moves) == (Kind.DRAIN, ((0, None),))


def test_more_blades_widen():
    ten = blades(10)
    (task,) = plan([full(strips(1, 4, ten[:6]))], rooms(ten), set())
    assert (task.kind, task.moves) == (Kind.WIDEN, ())


def test_second_blade_gets_a_copy():
    two = blades(2)
    (task,) = plan([full(copies(1, two[:1]))], rooms(two), set())
    assert task.kind == Kind.WIDEN


def test_garbage_is_compacted_only_when_it_is_much():
    six = blades(6)
    layout = strips(1, 4, six)
    assert kinds(plan([Found(layout, 2 * _SIZE)], rooms(six), set())) == [Kind.COMPACT]
    assert plan([Found(layout, 3 * _SIZE + 4096)], rooms(six), set()) == []
    assert plan([Found(layout, None)], rooms(six), set()) == []


@pytest.mark.parametrize("unfit", [Room(1 << 30, 0, writable=False), Room(1 << 30, (1 << 30) - 4096)])
def test_a_blade_that_takes_nothing_does_not_have_segments_written_again_and_again(unfit: Room):
    six = blades(6)
    now = {**rooms(six), six[5]: unfit}
    assert plan([full(strips(1, 3, six[:5]))], now, set()) == [], "it can't lie wider"
    assert plan([full(strips(1, 4, six))], now, set()) == [], "narrower would take more room"
    assert kinds(plan([full(strips(1, 3, six[:5]))], rooms(six), set())) == [Kind.WIDEN]
    four = blades(4)
    now = {**rooms(four), four[3]: unfit}
    assert plan([full(copies(1, four[:3]))], now, set()) == [], "strips would save nothing"


def test_where_nothing_fits_it_is_tried_so_that_it_is_told():
    six = blades(6)
    now = rooms(six, used=(1 << 30) - 4096)
    assert kinds(plan([full(copies(1, six[:3]))], now, set())) == [Kind.SEAL]


def test_padding_of_small_strips_is_not_compacted_again_and_again():
    six = blades(6)
    ranges = (Range(4096, 4096, 4096, 0), Range(4096, 4096, 4096, 3))
    cut = StripsLayout(4, 2, 4096, (4096, 0, 0, 4096, 4096, 4096), 0, 4096, records_kib=4)
    tiny = Layout(1, SegmentClass.META, True, 2, 1, 8192, tuple(six), ranges, cut)
    assert plan([Found(tiny, 0)], rooms(six), set()) == []
    dead = replace(tiny, strips=replace(cut, records_kib=0))
    assert kinds(plan([Found(dead, 0)], rooms(six), set())) == [Kind.COMPACT]


def test_dead_copies_are_compacted_too():
    assert kinds(plan([Found(copies(1, blades(1)), 0)], rooms(blades(1)), set())) == [Kind.COMPACT]


def test_repair_comes_before_everything_else():
    six = blades(6)
    found = [
        Found(strips(1, 4, six), 0),
        full(copies(2, six[:3])),
        replace(full(strips(3, 4, six)), damaged=frozenset({1})),
    ]
    assert kinds(plan(found, rooms(six), set())) == [Kind.REPAIR, Kind.SEAL, Kind.COMPACT]


def test_new_blade_fills_to_the_same_share():
    ids = blades(8)
    usable = {blade: Room(100 * _SIZE, 60 * _SIZE) for blade in ids[:7]} | {ids[7]: Room(200 * _SIZE, 0)}
    layouts = [strips(n, 4, [ids[(n + i) % 7] for i in range(6)]) for n in range(70)]
    tasks = balance(layouts, usable)
    moved = Counter(layouts[task.segment].blades[task.moves[0][0]] for task in tasks)
    assert {task.moves[0][1] for task in tasks} == {ids[7]}
    assert sum(moved.values()) > 40
    assert max(moved.values()) - min(moved.values()) <= 3


def test_even_blades_are_left_alone():
    ids = blades(7)
    assert balance([strips(1, 4, ids[:6])], rooms(ids, used=50 * _SIZE)) == []


def test_nothing_is_moved_to_a_blade_that_takes_nothing():
    seven = blades(7)
    now = {**rooms(seven, used=1 << 29), seven[6]: Room(1 << 30, 0, writable=False)}
    assert balance([strips(1, 4, seven[:6])], now) == []
