"""The gate of a store: who passes, who is alone, and its end."""

from __future__ import annotations

import threading

import pytest

from maruhub.errors import Unavailable
from maruhub.store.commit.gate import Gate


def test_who_wants_to_be_alone_waits_for_those_who_pass() -> None:
    gate, through, alone = Gate(), threading.Event(), threading.Event()

    def take() -> None:
        with gate.alone():
            assert through.is_set()
            alone.set()

    with gate.passing():
        waiting = threading.Thread(target=take)
        waiting.start()
        assert not alone.wait(0.05)
        through.set()
    waiting.join()
    assert alone.is_set()
    with gate.passing():
        pass


def test_who_waits_while_it_is_shut_does_not_pass() -> None:
    gate, refused = Gate(), threading.Event()

    def write() -> None:
        with pytest.raises(Unavailable, match="closed"), gate.passing():
            pass
        refused.set()

    with gate.shutting():
        waiting = threading.Thread(target=write)
        waiting.start()
        assert not refused.wait(0.05)
    waiting.join()
    assert refused.is_set()
    with gate.shutting():
        pass
    with pytest.raises(Unavailable, match="closed"), gate.alone():
        pass
    with pytest.raises(Unavailable, match="closed"), gate.after_fork().passing():
        pass


def test_who_is_interrupted_while_he_waits_leaves_it_open(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate()

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with gate.passing():
        monkeypatch.setattr(threading.Condition, "wait", interrupted)
        with pytest.raises(KeyboardInterrupt), gate.alone():
            pass
        monkeypatch.undo()
    with gate.alone():
        pass
