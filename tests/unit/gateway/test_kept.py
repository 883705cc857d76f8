"""What was found lately is found again, made once, and bounded in number and in bytes."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial
from time import sleep

import pytest

from maruhub.errors import Busy
from maruhub.gateway.batch.opened.kept import Kept
from maruhub.gateway.batch.opened.turns import Turns


def was_kept(kept: Kept[str, str], key: str) -> bool:
    """Whether a value was found again; if not, it is kept now."""
    makings: list[str] = []

    def make() -> str:
        makings.append(key)
        return key

    assert kept.find(key, make, turn=nullcontext()) == key
    return not makings


def test_what_was_asked_for_lately_stays() -> None:
    kept: Kept[str, str] = Kept(2)
    assert [was_kept(kept, key) for key in "ababca"] == [False, False, True, True, False, False]
    assert len(kept) == 2


def test_to_be_asked_for_keeps_a_value_longer_than_to_be_young() -> None:
    kept: Kept[str, str] = Kept(2)
    assert [was_kept(kept, key) for key in "abaca"] == [False, False, True, False, True]


def test_bytes_are_bounded_too_but_for_the_newest() -> None:
    kept: Kept[str, str] = Kept(100, most_bytes=10, bytes_of=lambda key, value: len(key) + len(value))
    assert not any(was_kept(kept, key) for key in ("aa", "bb", "cc"))
    assert len(kept) == 2
    assert not was_kept(kept, "x" * 100)
    assert len(kept) == 1
    assert was_kept(kept, "x" * 100)


def test_bytes_are_counted_as_they_are_now() -> None:
    held = {"a": 10, "b": 10}
    kept: Kept[str, str] = Kept(100, most_bytes=15, bytes_of=lambda key, _value: held[key])
    assert not was_kept(kept, "a")
    held["a"] = 0
    assert not was_kept(kept, "b")
    assert was_kept(kept, "a")


def test_many_that_come_together_make_it_once() -> None:
    kept: Kept[str, object] = Kept(2)
    turns = Turns("values", at_a_time=1, waiting=8)
    makings: list[object] = []

    def make() -> object:
        sleep(0.02)
        makings.append(object())
        return makings[-1]

    with ThreadPoolExecutor(8) as pool:
        found = [pool.submit(kept.find, "a", make, turn=turns.one()) for _ in range(8)]
    assert {id(each.result()) for each in found} == {id(makings[0])}
    assert len(makings) == 1


def test_who_finds_it_needs_no_turn_and_who_gets_none_keeps_nothing() -> None:
    kept: Kept[str, str] = Kept(2)
    turns = Turns("values", at_a_time=1, waiting=0)
    assert not was_kept(kept, "a")
    with turns.one():
        assert kept.find("a", lambda: "another", turn=turns.one()) == "a"
        with pytest.raises(Busy):
            kept.find("b", lambda: "b", turn=turns.one())
    assert not was_kept(kept, "b")


def test_what_can_not_be_made_is_tried_again() -> None:
    kept: Kept[str, str] = Kept(2)

    def fail() -> str:
        raise OSError("not now")

    with pytest.raises(OSError, match="not now"):
        kept.find("a", fail, turn=nullcontext())
    assert not was_kept(kept, "a")


def test_threads_may_come_and_go() -> None:
    kept: Kept[str, str] = Kept(4)
    wrong = threading.Event()

    def work(start: int) -> None:
        for i in range(500):
            key = str((start * 7 + i) % 11)
            if kept.find(key, partial(str, key), turn=nullcontext()) != key:
                wrong.set()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert not wrong.is_set()
    assert len(kept) == 4
