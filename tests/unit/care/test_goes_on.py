"""Care in the background goes on after a fault: a pool that nobody cares for tells nobody."""

from __future__ import annotations

import threading
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
