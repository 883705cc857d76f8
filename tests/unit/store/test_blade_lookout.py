"""Looking at blades again: now and then, never waiting long, and right after a fork."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator

import pytest

from maruhub.errors import BladeLost
from maruhub.store import lookout as module
from maruhub.store.lookout import Answering, Lookout, Sight
from maruhub.testing.calls import Calls
from maruhub.testing.faulty_blade import FaultyBlade
from maruhub.testing.platter import Platter

A, B, C = (FaultyBlade(Platter(number), Calls()) for number in range(3))


class Drives:
    """A source whose blades come, go and stall as a test says."""

    def __init__(self, *blades: FaultyBlade) -> None:
        self.there = {blade.blade_id: blade for blade in blades}
        self.ids = list(self.there)
        self.stalling: dict[bytes, threading.Event] = {}
        self.asked = 0

    def listed(self) -> list[bytes]:
        self.asked += 1
        return list(self.ids)

    def find(self, blade_id: bytes) -> FaultyBlade:
        if blade_id in self.stalling:
            self.stalling[blade_id].wait(30)
        if blade_id not in self.there:
            raise BladeLost("gone")
        return self.there[blade_id]

    def stall(self, blade: FaultyBlade) -> threading.Event:
        self.stalling[blade.blade_id] = threading.Event()
        return self.stalling[blade.blade_id]


@pytest.fixture
def drives(monkeypatch: pytest.MonkeyPatch) -> Iterator[Drives]:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.0)
    made = Drives(A, B)
    yield made
    for event in made.stalling.values():
        event.set()


def watch(drives: Drives) -> Lookout:
    return Lookout(Sight(dict(drives.there), {}), drives)


def test_blades_that_come_and_go_are_noticed(drives: Drives) -> None:
    seen = watch(drives)
    answering = Answering(seen)
    assert set(answering) == {A.blade_id, B.blade_id}
    assert seen.changes == 0
    del drives.there[A.blade_id]
    assert A.blade_id not in answering
    assert seen.sight.missing == {A.blade_id: "gone"}
    drives.there |= {A.blade_id: A, C.blade_id: C}
    drives.ids.append(C.blade_id)
    assert list(answering) == [A.blade_id, B.blade_id, C.blade_id]
    drives.ids.remove(B.blade_id)
    assert list(answering) == [A.blade_id, C.blade_id]
    assert B.blade_id not in seen.sight.missing
    assert seen.changes >= 3


def test_a_blade_that_was_just_added_is_found_by_who_names_it(
    drives: Drives, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process may have put there what is to be read; one that is no more costs a look a second."""
    monkeypatch.setattr(module, "LOOK_SECONDS", 1000.0)
    seen = watch(drives)
    drives.there[C.blade_id] = C
    drives.ids.append(C.blade_id)
    assert C.blade_id not in Answering(seen)
    assert seen.seek(C.blade_id) is C
    asked = drives.asked
    for _ in range(9):
        assert seen.seek(b"of a blade long gone") is None
    assert drives.asked == asked + 1
    del drives.there[A.blade_id]
    seen.look()
    assert seen.seek(A.blade_id) is None
    assert drives.asked == asked + 2


def test_it_looks_once_a_second(drives: Drives, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 1000.0)
    seen = watch(drives)
    for _ in range(100):
        seen.glance()
    assert drives.asked == 0
    seen.look()
    assert drives.asked == 1


def test_a_list_that_cannot_be_read_changes_nothing(drives: Drives) -> None:
    seen = watch(drives)

    def fail() -> list[bytes]:
        raise OSError("the hub's own drive is gone")

    drives.listed = fail  # type: ignore[method-assign]
    seen.glance()
    assert set(seen.sight.present) == {A.blade_id, B.blade_id}


def test_a_stalling_drive_holds_nobody_up_and_takes_one_thread(
    drives: Drives, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.02)
    seen = watch(drives)
    go_on = drives.stall(A)
    threads = threading.active_count()
    seen.glance()
    time.sleep(0.03)
    assert seen.is_stalling(A.blade_id)
    assert not seen.is_stalling(B.blade_id)
    # Others are looked at all the same, and nobody asks the stalling one a second time.
    drives.ids.append(C.blade_id)
    drives.there[C.blade_id] = C
    for _ in range(20):
        seen.glance()
    assert C.blade_id in seen.sight.present
    assert A.blade_id in seen.sight.present, "reads decide for themselves"
    assert threading.active_count() == threads + 1
    go_on.set()
    del drives.stalling[A.blade_id]
    deadline = time.monotonic() + 10
    while seen.is_stalling(A.blade_id) and time.monotonic() < deadline:
        time.sleep(0.001)
    assert not seen.is_stalling(A.blade_id)


def test_an_answer_that_comes_too_late_brings_no_blade_back_that_left(
    drives: Drives, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.0)
    seen = watch(drives)
    go_on = drives.stall(A)
    seen.glance()
    drives.ids.remove(A.blade_id)
    seen.glance()
    go_on.set()
    deadline = time.monotonic() + 10
    while seen._probing and time.monotonic() < deadline:
        time.sleep(0.001)
    assert A.blade_id not in seen.sight.present


def test_a_forked_child_looks_for_itself(drives: Drives, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though a thread of the parent was looking, and held the lock, when it was forked."""
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.0)
    seen = watch(drives)
    drives.stall(A)
    seen.glance()
    assert seen.is_stalling(A.blade_id) or A.blade_id in seen._probing
    with seen._lock:
        child = os.fork()
        if not child:
            drives.stalling.clear()
            del drives.there[A.blade_id]
            seen.look(5.0)
            os._exit(0 if A.blade_id in seen.sight.missing else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_without_a_source_nothing_changes() -> None:
    seen = Lookout(Sight({A.blade_id: A}, {}))
    seen.look()
    seen.glance()
    assert list(Answering(seen)) == [A.blade_id]
    assert len(Answering(seen)) == 1
