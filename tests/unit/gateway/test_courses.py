"""Courses are built once and one at a time, and what names too many sources opens none."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from maruhub.errors import Busy, InvalidInput
from maruhub.gateway.batch.opened.courses import Courses
from maruhub.gateway.batch.opened.sources import Sources
from maruhub.gateway.batch.request import ReadEpoch, parse_read
from maruhub.gateway.need import Need
from maruhub.loaders import following
from maruhub.loaders.following import JOINS_MAX, Course
from maruhub.loaders.joined import PARTS_ELSEWHERE_MAX
from maruhub.store.protocol import Store
from tests.bare_hub import bare_hub

CATS = {"dataset": "cats", "version": "v1"}
CURRICULUM = {"kind": "curriculum", "column": "size"}


@pytest.fixture
def courses(store: Store) -> Courses:
    hub = bare_hub(store)
    for count in (30, 40):
        hub.bucket("photos").put_many({f"{i:03}": b"x" * (i * 7 % 40) for i in range(count)})
        hub.dataset("cats").commit("photos")
    return Courses(Sources(hub))


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Grows with each course that is built, slowly, as large ones are."""
    made: list[object] = []
    of = Course.of

    def counted(view: Any, options: Any) -> Course:
        made.append(view)
        time.sleep(0.02)
        return of(view, options)

    monkeypatch.setattr(following.Course, "of", staticmethod(counted))
    return made


def epoch(**more: Any) -> ReadEpoch:
    request = parse_read({"format": 1, "epoch": CATS, "seed": 7, "batch_size": 4, **more})
    assert isinstance(request, ReadEpoch)
    return request


def anyone(_need: Need) -> bool:
    return True


def at_once(act: Callable[[], Course], threads: int) -> list[Course]:
    found: list[Course] = []
    workers = [threading.Thread(target=lambda: found.append(act())) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return found


def test_many_that_want_a_new_course_do_not_hold_all_threads(
    courses: Courses, monkeypatch: pytest.MonkeyPatch
) -> None:
    of, ready = Course.of, threading.Event()

    def slow(view: Any, options: Any) -> Course:
        assert ready.wait(30)
        return of(view, options)

    monkeypatch.setattr(following.Course, "of", staticmethod(slow))
    told: list[str] = []

    def ask() -> None:
        try:
            courses.open(epoch(order=CURRICULUM), anyone)
            told.append("course")
        except Busy:
            told.append("busy")

    threads = [threading.Thread(target=ask) for _ in range(40)]
    for thread in threads:
        thread.start()
    while len(told) < 31:
        assert any(thread.is_alive() for thread in threads)
        time.sleep(0.001)
    assert told == ["busy"] * 31
    ready.set()
    for thread in threads:
        thread.join()
    assert told[31:] == ["course"] * 9


@pytest.mark.parametrize(
    "more",
    [{"order": CURRICULUM}, {"joined": [[{**CATS, "version": "v2"}, 8, 1, 1]]}],
    ids=["sorted", "joined"],
)
def test_requests_that_come_together_build_one_course(
    courses: Courses, built: list[object], more: dict[str, Any]
) -> None:
    found = at_once(lambda: courses.open(epoch(**more), anyone), 8)
    assert len(found) == 8
    assert len({id(each) for each in found}) == len(built) == 1


def test_a_sorted_order_is_kept_for_every_epoch_but_not_for_another_seed(
    courses: Courses, built: list[object]
) -> None:
    first = courses.open(epoch(order=CURRICULUM), anyone)
    assert courses.open(epoch(order=CURRICULUM, **{"from": [3, 4]}), anyone) is first
    assert len(built) == 1
    others = ({"seed": 8}, {"order": {**CURRICULUM, "descending": True}}, {"samples_per_epoch": 5})
    for other in others:
        assert courses.open(epoch(**{"order": CURRICULUM, **other}), anyone) is not first
    assert len(built) == 4


@pytest.mark.parametrize(
    "request_",
    [
        {"epoch": {"parts": [CATS] * (PARTS_ELSEWHERE_MAX + 1)}},
        {"joined": [[CATS, 0, 1, 1]] * (JOINS_MAX + 1)},
        {"epoch": {"parts": [{"parts": [CATS]}]}},
    ],
    ids=["parts", "joined", "nested"],
)
def test_too_many_sources_are_refused_before_one_is_opened(request_: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=r"sources|no parts of its own"):
        epoch(**request_)


def test_parts_in_parts_are_refused_however_deep() -> None:
    source: dict[str, Any] = CATS
    for _ in range(5000):
        source = {"parts": [source]}
    with pytest.raises(InvalidInput, match="no parts of its own"):
        epoch(epoch=source)
    assert len(epoch(epoch={"parts": [CATS] * PARTS_ELSEWHERE_MAX}).source.parts) == PARTS_ELSEWHERE_MAX
