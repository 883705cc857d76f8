"""A pool in memory through scripts of writers, acts on segments and misfortunes, by seed.

``SEEDS=1000 FIRST_SEED=1`` for more; ``make torture`` for the long run.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from maruhub.testing import torture
from maruhub.testing.ordeal import Figures
from maruhub.testing.ordeal_script import Op, make_ops
from maruhub.testing.ordeal_verdict import run_ordeal
from maruhub.testing.store_script import Lost

SEEDS = int(os.environ.get("SEEDS", "200"))
FIRST_SEED = int(os.environ.get("FIRST_SEED", "1"))
AT_ONCE = 10
WERE_RED = (818, 1603, 4666, 8066, 8928, 9577, 20259)

WRITTEN = (Op("put", 0, 1), Op("put", 0, 2), Op("remember", 0, 3), Op("put", 0, 4), Op("remove", 0, 5))
CUT = (Op("close logs", 0, 6), Op("recut all", 0, 7), Op("put", 0, 8), Op("remove", 0, 9))


@pytest.fixture(scope="module")
def figures(request: pytest.FixtureRequest) -> Iterator[Figures]:
    """Adds runs up; a closing line says what was tried."""
    total = Figures()
    yield total
    reporter = request.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        reporter.write_line(f"\n{torture.closing_line(0, total, torture.Counter(), 0)}")


@pytest.mark.parametrize("first", range(FIRST_SEED, FIRST_SEED + SEEDS, AT_ONCE))
def test_seeds(first: int, figures: Figures):
    for seed in range(first, first + AT_ONCE):
        try:
            figures.add(run_ordeal(seed))
        except Exception as error:
            raise AssertionError(f"seed {seed}: make torture SEEDS=1 FIRST_SEED={seed}: {error}") from error


@pytest.mark.parametrize("seed", WERE_RED)
def test_seeds_that_were_red_once(seed: int, figures: Figures):
    """As they were then, before writers went straight into strips."""
    figures.add(run_ordeal(seed, in_bulk=False))


@pytest.mark.parametrize("kind", ["recut all", "checkpoint and recut", "rebuild", "sweep", "close logs"])
@pytest.mark.parametrize("seed", [3, 4])
def test_death_at_each_few_calls_of_an_act(kind: str, seed: int, figures: Figures):
    """Of an act on logs, and of one on strips that are there."""
    crashes = figures.crashes
    for before in (WRITTEN, WRITTEN + CUT):
        for call in range(1 + seed % 2, 100_000, 2 if kind == "sweep" else 9):
            done = figures.crashes
            try:
                figures.add(run_ordeal(seed, (*before, Op(kind, 0, seed, dies_at=call))))
            except Exception as error:
                raise AssertionError(f"seed {seed}, {kind}, dies in call {call}: {error}") from error
            if figures.crashes == done:
                break
    assert figures.crashes > crashes


def test_a_seed_replays_exactly():
    one, two = run_ordeal(11), run_ordeal(11)
    assert one == two
    assert one.calls
    assert one.acts


def test_what_is_said_of_a_red_seed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """A script that is cut down, the seed, a line of figures, status 1."""

    def run(seed: int, ops: tuple[Op, ...] | None = None) -> Figures:
        asked = make_ops(seed, 40) if ops is None else ops
        if seed == 8 and any(op.kind == "put" for op in asked):
            raise Lost("planted 1234")
        return Figures(operations=len(asked))

    monkeypatch.setattr(torture, "run_ordeal", run)
    assert torture.main(["3", "7", "--workers", "1"]) == 1
    said = capsys.readouterr().out
    assert "RED: seed 8 (lost)" in said
    assert said.count("put") == 1
    assert "3 seeds: " in said
    assert "lost 1, wrong bytes 0" in said
    assert torture.main(["1", "7", "--workers", "1"]) == 0
