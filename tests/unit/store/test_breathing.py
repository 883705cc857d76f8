"""Long acts let others go first on the way, not only behind them."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from maruhub.api.door import create
from maruhub.api.hub import Hub
from maruhub.care.keeper import Keeper
from maruhub.care.plan import Kind
from maruhub.store.admission import Admission, Work
from maruhub.store.format.layout import Layout
from maruhub.store.seal.act import Outcome
from maruhub.store.seal.source import files_of

DATA = random.Random(1).randbytes(1 << 20)
COUNT = 20
LEAST = 2
"""Breaths while a strip of a quarter of 20 MiB is written, in windows of 2 MiB or 4."""


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    with create(tmp_path / "hub", blades=6) as hub:
        hub.bucket("photos").put_many({str(n): DATA for n in range(COUNT)})
        hub.store.close_logs(1 << 20)
        yield hub


def _layout(hub: Hub) -> Layout:
    return max((la for la in hub.store.layouts() if la.closed), key=lambda layout: layout.end)


def test_a_recut_breathes_behind_each_window_and_all_can_be_read_meanwhile(hub: Hub):
    breaths = []

    def breathe() -> None:
        breaths.append(_layout(hub).strips is None)
        assert hub.bucket("photos")["7"] == DATA

    with hub.store.acting() as acts:
        assert acts.recut(_layout(hub).segment, breathe=breathe).outcome == Outcome.DONE
    assert len(breaths) >= LEAST
    assert all(breaths)
    assert _layout(hub).strips is not None


@pytest.mark.parametrize("moved", [False, True])
def test_a_rebuild_breathes_behind_each_window_of_a_strip(hub: Hub, moved: bool):
    hub.care.once()
    layout = _layout(hub)
    blade, name = files_of(layout)[0]
    path = next(b.root for b in hub.pool.found.local_blades if b.blade_id == blade) / "segments" / name
    if moved:
        path.unlink()
    else:
        path.write_bytes(bytes(path.stat().st_size))
    breaths: list[int] = []
    with hub.store.acting() as acts:
        made = acts.rebuild(layout.segment, {0: None}, breathe=lambda: breaths.append(1))
    assert made.outcome == Outcome.DONE
    assert len(breaths) >= LEAST
    assert bytes(hub.bucket("photos")["0"]) == DATA


def test_the_keeper_pauses_within_an_act_while_others_read(hub: Hub):
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        reader.note(Work.FOREGROUND)

    table = hub.path / "index" / "admission"
    ticks = itertools.count(1_000_000, 10)
    reader = Admission(table, clock=lambda: next(ticks))
    mine = Admission(table, clock=lambda: next(ticks), sleep=sleep)
    reader.note(Work.FOREGROUND)
    report = Keeper(hub.store, hub.pool.resolve, admission=mine).run({Kind.SEAL}, close_logs=False)
    assert report.acts["seal"] == 1
    assert len(slept) >= LEAST + 1
