"""Runs are the steps they are made of, whoever asks for which of them, and when."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import maruhub
from maruhub.adapters import runs as module
from maruhub.adapters.runs import Runs
from maruhub.adapters.steps import Steps
from maruhub.errors import Corrupt
from maruhub.loaders import Batch


@pytest.fixture
def view(tmp_path: Path) -> Iterator[Any]:
    with maruhub.create(tmp_path / "hub", blades=1) as hub:
        hub.bucket("raw").put_many({f"{i:03}": f"{i:03}".encode() * 40 for i in range(103)})
        yield hub.dataset("d").commit("raw")


@pytest.fixture(autouse=True)
def short_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_RUN_SAMPLES", 4 * 8)


class Counting(Steps):
    """Steps that note what was read together."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.asked: list[tuple[int, int]] = []

    def read_run(self, first: int, stop: int) -> list[Batch]:
        self.asked.append((first, stop))
        return super().read_run(first, stop)


def told(batch: Batch) -> tuple[Any, ...]:
    return batch.ids, list(map(bytes, batch.blobs)), batch.epoch, batch.step, batch.padding


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"epochs": 2},
        {"rank": 1, "world": 3, "epochs": 3},
        {"rank": 2, "world": 3, "remainder": "pad", "epochs": 2},
        {"decode": bytes, "shuffle": False},
    ],
)
def test_any_way_of_asking_gets_the_steps_own_batches(view: Any, options: dict[str, Any]) -> None:
    steps = Steps(view, 8, seed=5, **options)
    expected = [told(steps.read(i)) for i in range(len(steps))]
    shuffled = random.Random(1).sample(range(len(steps)), len(steps))
    for asked in (range(len(steps)), shuffled, [*range(4), *range(4)], range(2, len(steps))):
        runs = Runs(steps)
        assert [told(runs.read(i)) for i in asked] == [expected[i] for i in asked]
    with ThreadPoolExecutor(4) as pool:
        runs = Runs(steps)
        assert [told(batch) for batch in pool.map(runs.read, range(len(steps)))] == expected


def test_steps_in_order_are_read_together(view: Any) -> None:
    steps = Counting(view, 8, seed=5)
    runs = Runs(steps)
    for i in range(len(steps)):
        runs.read(i)
    assert steps.asked == [(0, 1), (1, 5), (5, 9), (9, 13)]


@pytest.mark.parametrize("first", [0, 2, 3])
def test_another_pass_is_read_together_as_the_first(view: Any, first: int) -> None:
    steps = Counting(view, 8, seed=5)
    runs = Runs(steps)
    calls = []
    for _ in range(3):
        steps.asked.clear()
        for i in range(first, len(steps)):
            runs.read(i)
        calls.append(len(steps.asked))
    assert calls == [1 + -(-(len(steps) - first - 1) // 4)] * 3
    steps.asked.clear()
    for i in range(len(steps)):
        runs.read(i)
    assert len(steps.asked) <= 4


def test_who_asks_at_the_same_time_shares_the_run_behind_the_first(view: Any) -> None:
    steps = Counting(view, 8, seed=5)
    began = threading.Barrier(5, timeout=10)
    runs = Runs(steps)

    def ask(step: int) -> None:
        began.wait()
        runs.read(step)

    runs.read(0)
    with ThreadPoolExecutor(4) as pool:
        pending = [pool.submit(ask, step) for step in (1, 2, 3, 4)]
        began.wait()
    assert not any(future.exception() for future in pending)
    assert sum((first, stop) == (1, 5) for first, stop in steps.asked) == 1


def test_steps_in_the_middle_of_a_run_are_read_alone(view: Any) -> None:
    steps = Counting(view, 8, seed=5)
    runs = Runs(steps)
    for i in (0, 6, 3, 10):
        runs.read(i)
    assert steps.asked == [(0, 1), (6, 7), (3, 4), (10, 11)]


def test_an_error_comes_with_its_own_batch(view: Any) -> None:
    bad = 9

    class Rotten(Steps):
        def read_run(self, first: int, stop: int) -> list[Batch]:
            if first <= bad < stop:
                raise Corrupt("rot")
            return super().read_run(first, stop)

    runs = Runs(Rotten(view, 8, seed=5))
    got = []
    with pytest.raises(Corrupt):
        got.extend(map(runs.read, range(13)))
    assert len(got) == bad


def test_what_was_handed_out_is_not_held(view: Any) -> None:
    runs = Runs(Steps(view, 8, seed=5))
    for i in range(7):
        runs.read(i)
    assert [list(run._batches or {}) for run in runs._held.values()] == [[7, 8]]
    for i in range(7, 9):
        runs.read(i)
    assert not runs._held
