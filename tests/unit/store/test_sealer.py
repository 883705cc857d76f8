"""Sealing beside other work: one fault leaves the others to be sealed, and nobody waits for ever."""

from __future__ import annotations

import threading

import pytest

from maruhub.store.sealer import Sealer


def test_who_writes_much_waits_for_sealing_that_is_behind():
    go, begun = threading.Event(), threading.Event()

    def seal(segment: int) -> None:
        begun.set()
        assert go.wait(30)

    sealer = Sealer(seal)
    sealer.keep_up(0, 60)
    for segment in range(4):
        sealer.add(segment)
    assert begun.wait(30)
    writer = threading.Thread(target=sealer.keep_up, args=(1, 60), daemon=True)
    writer.start()
    sealer.keep_up(1, 0.01)
    assert writer.is_alive()
    go.set()
    writer.join(30)
    assert not writer.is_alive()
    sealer.wait()


def test_a_fault_ends_neither_the_sealing_nor_the_wait():
    sealed: list[int] = []

    def seal(segment: int) -> None:
        if segment == 1:
            raise RuntimeError("a fault")
        sealed.append(segment)

    sealer = Sealer(seal)
    sealer.add(1)
    sealer.add(2)
    waiting = threading.Thread(target=sealer.wait, daemon=True)
    waiting.start()
    waiting.join(10)
    assert not waiting.is_alive()
    sealer.add(3)
    sealer.wait()
    assert sealed == [2, 3]


def test_who_was_made_durable_hears_nothing_of_a_thread_that_cannot_be_had(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refused(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    sealed: list[int] = []
    sealer = Sealer(sealed.append)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refused)
        sealer.add(1)
    assert "0000000000000001 stays in full copies" in caplog.text
    # Care seals the first; the others are sealed here, and nobody waits for a thread that never was.
    sealer.add(2)
    sealer.wait()
    assert sealed == [2]
