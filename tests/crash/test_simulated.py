"""A process dies at each of its calls to the outside, and the power with it or not."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from maruhub.errors import MaruError
from maruhub.testing.calls import Calls, Crash
from maruhub.testing.machine import Machine, replayable
from maruhub.testing.store_script import Edit, Model, Value, run_turn
from maruhub.testing.trial import Plan, Tally, count_calls, require_same_index

SEEDS = int(os.environ.get("SEEDS", "4"))
"""Seeds a class of faults; each is tried at each call of its script, or at each few."""


@pytest.fixture(scope="module")
def tally(request: pytest.FixtureRequest) -> Iterator[Tally]:
    """Counts trials; a closing line says what was tried."""
    tally = Tally()
    yield tally
    reporter = request.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        reporter.write_line(f"\n{tally}")


def each_call(plan: Plan, step: int = 1) -> list[Plan]:
    """The plan, ended at each ``step``-th call of its script, the first one by seed."""
    start = plan.seed % step + 1
    return [plan.at(call) for call in range(start, count_calls(plan) + 1, step)]


@pytest.mark.parametrize("seed", range(SEEDS))
def test_power_cut_at_each_call(seed: int, tally: Tally):
    tally.run(each_call(Plan(seed)))


@pytest.mark.parametrize("seed", range(100, 100 + SEEDS))
def test_kill_at_each_third_call_while_others_go_on(seed: int, tally: Tally):
    tally.run(each_call(Plan(seed, power=False), 3))


@pytest.mark.parametrize("seed", range(200, 200 + SEEDS))
def test_crash_in_recovery_too(seed: int, tally: Tally):
    plans = each_call(Plan(seed, index_loses=seed % 3), 23)
    tally.run([plan.again_at(call) for plan in plans for call in range(1, 60, 5)])


@pytest.mark.parametrize("loses", [1, 2, 3])
def test_index_that_lost_its_last_commits(loses: int, tally: Tally):
    for seed in range(300, 300 + SEEDS):
        tally.run(each_call(Plan(seed, index_loses=loses), 17))


@pytest.mark.parametrize("missing", [(0,), (1, 2), (0, 2)])
def test_blades_missing_at_the_restart_come_back(missing: tuple[int, ...], tally: Tally):
    for seed in range(400, 400 + SEEDS):
        tally.run(each_call(Plan(seed, blades=3, missing=missing), 13))
        tally.run(each_call(Plan(seed, blades=5, missing=missing), 29))


@pytest.mark.parametrize("seed", range(500, 500 + SEEDS))
def test_long_scripts(seed: int, tally: Tally):
    tally.run(each_call(Plan(seed, length=60), 211))


def test_trials_of_a_seed_are_the_same():
    assert count_calls(Plan(7)) == count_calls(Plan(7))


def _put(machine: Machine, model: Model, number: int, calls: Calls | None = None) -> None:
    process = machine.start(calls)
    try:
        edit = Edit({b"K%d" % number: Value(b"", bytes([number]) * (2000 + number))})
        run_turn(process.store, [edit], model)
    finally:
        process.kill()


def test_older_index_put_back_or_none_at_all():
    for going_back in range(5):
        with replayable(going_back):
            machine, model = Machine(3), Model()
            for number in range(3):
                _put(machine, model, number)
            older = machine.index.items()
            for number in range(going_back):
                _put(machine, model, 10 + number)
            machine.index.put_back(older)
            model.settle(machine.start().store)
            machine.kill_all()
            require_same_index(machine, model)


def _cut(length: int, copies: int) -> int:
    """One trial: a writer dies between sync and commit, its log's copies are cut behind ``length``.

    Returns how long the uncut tail is, in bytes behind what was acknowledged.
    """
    with replayable("cut"):
        machine, model = Machine(3, segment_bytes=1 << 20), Model()
        for number in range(2):
            _put(machine, model, number)
        before = {len(inode.data) for inode in machine.platters[0].files.values()}
        calls = Calls()
        calls.crash_in = "commit"
        with pytest.raises(Crash):
            _put(machine, model, 2, calls)
        acknowledged, end = min(before), 0
        for platter in machine.platters[:copies]:
            (inode,) = platter.files.values()
            end = len(inode.data)
            inode.truncate(max(acknowledged, end - length))
        machine.kill_all()
        model.settle(machine.start().store)
        _put(machine, model, 3)
        model.settle(machine.start().store)
        machine.kill_all()
        require_same_index(machine, model)
        return end - acknowledged


@pytest.mark.parametrize("copies", [2, 3])
def test_log_cut_at_each_64th_byte_of_its_tail(copies: int):
    tail = _cut(0, copies)
    assert tail > 1000
    for length in range(1, tail, 64):
        try:
            _cut(length, copies)
        except (AssertionError, MaruError) as error:
            raise AssertionError(f"cut by {length} bytes of {tail}: {error}") from error
