"""On a busy machine drives answer late and others are in the midst of their acts: care waits for both."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from maruhub.api.hub import Hub
from maruhub.care.keeper import Keeper
from maruhub.store import lookout
from maruhub.store.pool import PoolSource
from maruhub.store.seal.act import Outcome
from maruhub.store.sealer import Sealer
from tests.unit.care.test_keeper import fill, forms, make, require

Find = Callable[[PoolSource, bytes], object]


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> Callable[[set[bytes]], threading.Event]:
    """Lets blades answer looks only once an event is set."""
    find = PoolSource.find

    def make_late(blades: set[bytes]) -> threading.Event:
        answers = threading.Event()

        def find_late(source: PoolSource, blade_id: bytes) -> object:
            if blade_id in blades:
                answers.wait(30)
            return find(source, blade_id)

        monkeypatch.setattr(PoolSource, "find", find_late)
        monkeypatch.setattr(lookout, "LOOK_SECONDS", 0.0)
        return answers

    return make_late


def set_once_awaited(monkeypatch: pytest.MonkeyPatch, answers: threading.Event) -> None:
    """Drives answer as soon as somebody waits for them, and not before."""
    wait = lookout.Lookout.await_late
    monkeypatch.setattr(lookout.Lookout, "await_late", lambda seen: (answers.set(), wait(seen))[1])


def full_log(hub: Hub) -> int:
    return next(layout.segment for layout in hub.store.layouts() if layout.closed and not layout.strips)


def ids(hub: Hub) -> list[bytes]:
    return [blade.blade_id for blade in hub.store.blades]


def test_care_waits_for_an_act_under_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The segment that this process itself seals just now, or another process."""
    monkeypatch.setattr(Sealer, "add", lambda *_: None)
    with make(tmp_path / "hub", 6) as hub:
        datas = fill(hub)
        segment = full_log(hub)
        with hub.store.acting() as acts:
            locks = acts._locks
        began, may_end = threading.Event(), threading.Event()

        def act() -> None:
            with locks.held(segment) as mine:
                assert mine
                began.set()
                may_end.wait(30)

        other = threading.Thread(target=act)
        other.start()
        began.wait(30)
        do = Keeper._do

        def end_when_found_busy(keeper: Keeper, *args: object) -> Outcome | None:
            outcome = do(keeper, *args)  # type: ignore[arg-type]
            if outcome is Outcome.BUSY:
                threading.Timer(0.1, may_end.set).start()
            return outcome

        monkeypatch.setattr(Keeper, "_do", end_when_found_busy)
        report = hub.care.once()
        other.join()
        assert may_end.is_set()
        assert not report.waiting
        assert not [
            layout for layout in hub.store.layouts() if layout.segment == segment and not layout.strips
        ]
        require(hub, datas)


def test_an_act_that_does_not_end_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("maruhub.care.keeper._BUSY_SECONDS", 0.05)
    monkeypatch.setattr(Sealer, "add", lambda *_: None)
    with make(tmp_path / "hub", 6) as hub:
        fill(hub)
        segment = full_log(hub)
        with hub.store.acting() as acts, acts._locks.held(segment):
            assert hub.care.once().waiting == {Outcome.BUSY.value: 1}


def test_what_care_has_sealed_the_writer_does_not_seal_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    added: list[int] = []
    monkeypatch.setattr(Sealer, "add", lambda _, segment: added.append(segment))
    with make(tmp_path / "hub", 6) as hub:
        fill(hub)
        hub.care.once()
        before = {layout.segment: layout.generation for layout in hub.store.layouts()}
        assert before.keys() & set(added)
        for segment in added:
            hub.store._seal(segment)
        assert {layout.segment: layout.generation for layout in hub.store.layouts()} == before


@pytest.mark.parametrize("count", [2, 3, 6])
def test_blades_that_answer_late_are_no_reason_to_leave_three_copies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, late: Callable[[set[bytes]], threading.Event], count: int
):
    with make(tmp_path / "hub", 6) as hub:
        fill(hub)
        set_once_awaited(monkeypatch, late(set(ids(hub)[:count])))
        assert not hub.care.once().waiting
        assert set(forms(hub)) <= {"4+2", "3 copies"}
        assert not [layout for layout in hub.store.layouts() if layout.closed and not layout.strips]


def test_blades_that_never_answer_are_told_of_and_waited_for_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, late: Callable[[set[bytes]], threading.Event]
):
    monkeypatch.setattr(lookout, "LATE_SECONDS", 0.3)
    with make(tmp_path / "hub", 6) as hub:
        datas = fill(hub)
        answers = late(set(ids(hub)[:3]))
        report = hub.care.once()
        assert list(report.waiting) == ["a blade does not answer in time"]
        answers.set()
        assert not hub.care.once().waiting
        assert set(forms(hub)) <= {"4+2", "3 copies"}
        require(hub, datas)


def test_a_new_log_has_three_copies_although_blades_answer_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, late: Callable[[set[bytes]], threading.Event]
):
    """Fewer would make one more lost blade a loss of acknowledged data, for a moment's load."""
    with make(tmp_path / "hub", 6) as hub:
        set_once_awaited(monkeypatch, late(set(ids(hub)[:5])))
        hub.store.blades.look()
        hub.bucket("photos")["a"] = random.Random(1).randbytes(9000)
        assert [len(layout.blades) for layout in hub.store.layouts()] == [3]
