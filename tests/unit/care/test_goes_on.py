"""Care in the background goes on after a fault: a pool that nobody cares for tells nobody."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from pathlib import Path

import pytest

import maruhub
from maruhub.care.keeper import Keeper
from maruhub.compose import create_pool


def test_a_fault_in_one_round_does_not_end_care(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    create_pool(tmp_path / "hub", n=1).close()
    again = threading.Event()
    rounds: list[int] = []

    def fail(*args, **options):
        rounds.append(1)
        if len(rounds) > 1:
            again.set()
        raise ValueError("an odd row")

    monkeypatch.setattr(Keeper, "run", fail)
    with maruhub.connect(tmp_path / "hub") as hub:
        hub.care.start(every_s=0.01)
        assert again.wait(10)
        hub.care.stop()


def test_care_ends_with_its_hub(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    # It went on with a hub that was closed, and kept every other process from taking care of it.
    create_pool(tmp_path / "hub", n=4).close()
    hub = maruhub.connect(tmp_path / "hub")
    hub.bucket("photos")["a"] = bytes(1 << 20)
    hub.care.start(every_s=0.01)
    hub.close()
    assert "maruhub-care" not in [thread.name for thread in threading.enumerate()]
    with maruhub.connect(tmp_path / "hub") as other:
        other.care.once()
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_a_round_under_way_ends_when_the_hub_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    create_pool(tmp_path / "hub", n=4, segment_bytes=64 << 10).close()
    hub = maruhub.connect(tmp_path / "hub")
    hub.store._seals = False
    for number in range(12):
        hub.bucket("photos")[str(number)] = bytes(60 << 10)
    at_work, real = threading.Event(), Keeper._act

    def act(*args, **options):
        at_work.set()
        time.sleep(0.05)
        return real(*args, **options)

    monkeypatch.setattr(Keeper, "_act", act)
    caring = threading.Thread(target=hub.care.forever, args=(threading.Event(),), kwargs={"every_s": 0.01})
    caring.start()
    assert at_work.wait(10)
    hub.close()
    caring.join(10)
    assert not caring.is_alive()
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_killed_keepers_child_does_not_keep_others_from_caring(tmp_path: Path):
    create_pool(tmp_path / "hub", n=1).close()
    hub = maruhub.connect(tmp_path / "hub")
    held, go = threading.Event(), threading.Event()

    def keep() -> None:
        with hub.pool.notices.held():
            held.set()
            go.wait()

    # A process that cares, and its child; the first is killed.
    reading, writing = os.pipe()
    keeper = os.fork()
    if not keeper:
        threading.Thread(target=keep, daemon=True).start()
        held.wait()
        if not os.fork():
            os.write(writing, f"{os.getpid()}\n".encode())
        signal.pause()
        os._exit(0)
    child = int(os.read(reading, 100))
    os.kill(keeper, signal.SIGKILL)
    os.waitpid(keeper, 0)
    try:
        hub.care.once()
    finally:
        os.kill(child, signal.SIGKILL)
        os.close(reading)
        os.close(writing)
        hub.close()
