"""Drives that fail, stall, fill up, rot or come back old, at each few of a script's calls."""

from __future__ import annotations

import errno
import os
import random

import pytest

from maruhub.errors import Corrupt, MaruError
from maruhub.store.format.extent import Blobs, Extent
from maruhub.store.store import PoolStore
from maruhub.testing.calls import Calls, Fault
from maruhub.testing.machine import Machine, Process, replayable
from maruhub.testing.platter import Platter
from maruhub.testing.store_script import Edit, Model, Value, make_script, read_state, run_step, run_turn
from maruhub.testing.trial import Plan, Tally, Trial, require_same_index

SEEDS = int(os.environ.get("SEEDS", "4"))
ERRORS = (errno.EIO, errno.ENOSPC, errno.EROFS)


@pytest.mark.parametrize("error", ERRORS, ids=errno.errorcode.get)
@pytest.mark.parametrize("times", [1, 0], ids=["once", "for ever"])
@pytest.mark.parametrize("kind", ["open", "create", "read", "write", "sync", "sync_names"])
def test_error_at_the_nth_call(kind: str, times: int, error: int):
    tally = Tally()
    for seed in range((SEEDS + 1) // 2):
        for nth in range(1, 40, 9):
            plan = Plan(600 + seed, faults=(Fault(kind, nth, error, times),))
            tally.run([plan, plan.at(60 + 7 * nth)])


@pytest.mark.parametrize("error", ERRORS, ids=errno.errorcode.get)
def test_one_blade_fails_for_ever_and_nobody_notices(error: int):
    """With a spare blade a failing one costs no error and no copy."""
    for nth in range(3, 60, 4):
        for kind in ("write", "sync", "sync_names", "create"):
            trial = Trial(Plan(nth, blades=5, faults=(Fault(kind, nth, error, 0, 1),))).run()
            assert not trial.errors, (nth, kind, trial.errors)


def test_drives_full_until_somebody_makes_room():
    refused = 0
    for seed in range(2 * SEEDS):
        for capacity in range(20_000, 300_000, 70_000):
            refused += len(Trial(Plan(700 + seed, capacity=capacity)).run().errors)
    assert refused


def _written(machine: Machine, model: Model, process: Process) -> list[Extent]:
    """A dozen objects, some of them removed or overwritten; the extents that are left."""
    for step in make_script(4, 12):
        run_step(process.store, step, model)
    rows = process.store.scan(b"K", b"L", 100)
    return sorted(extent for row in rows for extent in row.extents)


@pytest.mark.parametrize("blades", [3, 4])
def test_stalled_sync_gives_the_copy_up(blades: int):
    """The turn goes on; the log is mended on a spare blade, if there is one."""
    for nth in range(1, 8):
        with replayable(nth):
            machine, model = Machine(blades), Model()
            calls = Calls(faults=[Fault("sync", nth, 0, 0, 1)])
            process = machine.start(calls)
            _written(machine, model, process)
            assert calls.failed["sync stall"]
            open_layouts = [layout for layout in process.store.layouts() if not layout.closed]
            stalled = machine.platters[1].blade_id
            assert open_layouts
            assert all(stalled not in layout.blades for layout in open_layouts[-1:])
            assert all(len(layout.blades) >= blades - 1 for layout in open_layouts)
            model.settle(process.store)
            machine.cut_power(random.Random(nth))
            model.settle(machine.start().store)
            machine.kill_all()
            require_same_index(machine, model)


def _right(platter: Platter, extent: Extent, truth: dict[Extent, bytes]) -> bool:
    inode = platter.files.get(f"{extent.segment:016x}.log")
    return inode is not None and bytes(inode.data[extent.offset :][: extent.length]) == truth[extent]


def _spoil(platter: Platter, chance: random.Random) -> None:
    """Rots a few bytes anywhere in a blade's files, or finds blocks where they don't belong."""
    for name, inode in platter.files.items():
        blocks = len(inode.data) // 4096
        for _ in range(chance.randrange(4)):
            if chance.random() < 0.5:
                platter.rot(name, chance.randrange(len(inode.data)), 1 << chance.randrange(8))
            elif blocks > 1:
                source, target = (4096 * chance.randrange(blocks) for _ in range(2))
                platter.misdirect(name, source, target)


def _read(store: PoolStore, extents: list[Extent]) -> list[object]:
    blobs = store.read_many(Blobs.of([(extent,) for extent in extents]))
    return [data if isinstance(data, MaruError) else bytes(data) for data in blobs]


@pytest.mark.parametrize("seed", range(5))
def test_rot_and_misdirected_blocks_on_two_of_three_copies(seed: int):
    """All are found, none is shown, and the records survive too."""
    for turn in range(5 * SEEDS):
        chance = random.Random(f"{seed} {turn}")
        with replayable(turn):
            machine, model = Machine(3), Model()
            process = machine.start()
            extents = _written(machine, model, process)
            truth = dict(zip(extents, map(bytes, _read(process.store, extents)), strict=True))  # type: ignore[arg-type]
            for platter in chance.sample(machine.platters, 2):
                _spoil(platter, chance)
            bad = {(e, p.blade_id) for e in extents for p in machine.platters if not _right(p, e, truth)}
            assert _read(process.store, extents) == [truth[extent] for extent in extents], (seed, turn)
            assert set(process.store.audit(extents).bad) == bad, (seed, turn)
            process.close()
            require_same_index(machine, model)


def test_rot_on_all_copies_names_the_object_and_spares_the_others():
    with replayable(1):
        machine, model = Machine(3), Model()
        process = machine.start()
        extents = _written(machine, model, process)
        truth = _read(process.store, extents)
        victim = len(extents) // 2
        for platter in machine.platters:
            platter.rot(f"{extents[victim].segment:016x}.log", extents[victim].offset)
        seen = _read(process.store, extents)
        error = seen.pop(victim)
        assert isinstance(error, Corrupt)
        assert f"{extents[victim].segment:016x}" in str(error)
        assert seen == truth[:victim] + truth[victim + 1 :]
        assert process.store.audit(extents).lost == [extents[victim]]


@pytest.mark.parametrize("seed", range(SEEDS))
def test_stale_blade_comes_back(seed: int):
    """A blade that is put back as it was some turns ago changes nothing."""
    for stale in range(3):
        with replayable(seed):
            machine, model = Machine(3), Model()
            script = make_script(800 + seed, 16)
            process = machine.start()
            for number, step in enumerate(script):
                if number == 8:
                    process.close()
                    old = machine.platters[stale].copy_files()
                    process = machine.start(missing=[stale] if seed % 2 else [])
                run_step(process.store, step, model)
            process.close()
            machine.platters[stale].put_back(old)
            process = machine.start()
            model.settle(process.store)
            data = Value(b"", b"later")
            run_turn(process.store, [Edit({b"Klater": data})], model)
            process.close()
            require_same_index(machine, model)


def test_reader_without_map_counts_nothing_as_degraded():
    with replayable(2):
        machine, model = Machine(3), Model()
        process = machine.start()
        _written(machine, model, process)
        assert read_state(process.store) == model.state
        assert process.store.read_counts.extents
        assert not process.store.read_counts.degraded
