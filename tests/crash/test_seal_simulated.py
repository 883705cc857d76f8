"""A process dies at each of its calls while it cuts, compacts, rebuilds or sweeps segments."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from maruhub.errors import MaruError
from maruhub.store.format.header import log_segment
from maruhub.store.seal.act import Outcome
from maruhub.store.seal.source import files_of
from maruhub.store.seal.strip_writer import StripFiles
from maruhub.store.store import PoolStore
from maruhub.testing.calls import Calls, Crash, Fault
from maruhub.testing.machine import Machine, replayable
from maruhub.testing.store_script import Edit, Lost, Model, Value, read_state, run_turn
from maruhub.testing.trial import require_same_index

TRIES = int(os.environ.get("TRIES", "12"))
"""Calls in which the process dies, spread evenly over all it makes."""
SIZES = (0, 1, 100, 4095, 4097, 9000, 30_000)


@dataclass
class Scene:
    """A machine in which something is to be done, and what it must keep."""

    machine: Machine
    model: Model
    chance: random.Random


def scene(seed: int, blades: int) -> Scene:
    """Objects in several closed segments, every fourth one removed."""
    chance = random.Random(seed)
    made = Scene(Machine(blades), Model(), chance)
    process = made.machine.start()
    for number in range(12):
        data = chance.randbytes(SIZES[number % len(SIZES)])
        run_turn(process.store, [Edit({b"K%02d" % number: Value(b"p", data)})], made.model)
    for number in range(0, 12, 4):
        run_turn(process.store, [Edit({b"K%02d" % number: None})], made.model)
    process.store.close_logs(0)
    process.close()
    return made


def closed(store: PoolStore) -> list[int]:
    return [layout.segment for layout in store.layouts() if layout.closed]


def cut_all(store: PoolStore) -> None:
    """Seals what is a log, cuts the rest anew."""
    for segment in closed(store):
        with store.acting() as acts:
            assert acts.recut(segment).outcome in (Outcome.DONE, Outcome.REMOVED)


def move_all(store: PoolStore) -> None:
    """Makes the first and the last file of each segment again, somewhere else where that can be."""
    for layout in [layout for layout in store.layouts() if layout.strips]:
        with store.acting() as acts:
            spare = [blade.blade_id for blade in store.blades if blade.blade_id not in layout.blades]
            moves = dict(zip((0, len(layout.blades) - 1), [*spare, None, None], strict=False))
            acts.rebuild(layout.segment, moves)


def sweep(store: PoolStore) -> None:
    with store.acting() as acts:
        acts.sweep()


def prepare_nothing(scene: Scene) -> None:
    """The segments lie in full copies."""


def prepare_strips(scene: Scene) -> None:
    """The segments lie in strips, and some of what is in them has died since."""
    process = scene.machine.start()
    cut_all(process.store)
    run_turn(process.store, [Edit({b"K05": None, b"K06": Value(b"new", b"x" * 5000)})], scene.model)
    process.store.close_logs(0)
    process.close()


def prepare_lost(scene: Scene) -> None:
    """Two strips of every segment are gone."""
    prepare_strips(scene)
    process = scene.machine.start()
    for layout in [layout for layout in process.store.layouts() if layout.strips]:
        for blade_id, name in list(files_of(layout))[:: max(1, len(layout.blades) - 1)][: layout.parity]:
            platter = scene.machine.platters[int.from_bytes(blade_id, "big")]
            del platter.files[name]
            platter.stable_files = dict(platter.files)
    process.close()


def prepare_strays(scene: Scene) -> None:
    """Acts were killed and left half of their files."""
    prepare_strips(scene)
    calls = Calls(crash_in="sync")
    process = scene.machine.start(calls)
    with pytest.raises(Crash):
        cut_all(process.store)
    process.kill()


WORKS: dict[str, tuple[Callable[[Scene], None], Callable[[PoolStore], None]]] = {
    "seal": (prepare_nothing, cut_all),
    "compact": (prepare_strips, cut_all),
    "rebuild": (prepare_lost, move_all),
    "sweep": (prepare_strays, sweep),
}


def require_no_strays(scene: Scene, store: PoolStore) -> None:
    """After a sweep each file is one that a layout names, or a log that is open or not on record."""
    layouts = {layout.segment: layout for layout in store.layouts()}
    named = {place for layout in layouts.values() for place in files_of(layout)}
    done = {layout.segment for layout in layouts.values() if layout.closed}
    for platter in scene.machine.platters:
        for name in platter.files:
            segment = log_segment(name)
            if (platter.blade_id, name) not in named and (segment is None or segment in done):
                raise Lost(f"{name} was left on blade {platter.number}")


def check(scene: Scene) -> None:
    """Everything is there, before and after what was begun is done whole, and without an index."""
    process = scene.machine.start()
    scene.model.settle(process.store)
    cut_all(process.store)
    sweep(process.store)
    scene.model.settle(process.store)
    require_no_strays(scene, process.store)
    process.close()
    require_same_index(scene.machine, scene.model)


def count_calls(work: str, seed: int, blades: int) -> int:
    made = scene(seed, blades)
    WORKS[work][0](made)
    calls = Calls()
    process = made.machine.start(calls)
    first = calls.count
    WORKS[work][1](process.store)
    made.machine.discard()
    return calls.count - first


def run(work: str, seed: int, blades: int, crash_after: int, *, power: bool) -> None:
    made = scene(seed, blades)
    try:
        WORKS[work][0](made)
        calls = Calls()
        process = made.machine.start(calls)
        calls.crash_at = calls.count + crash_after
        with pytest.raises(Crash):
            WORKS[work][1](process.store)
        if power:
            made.machine.cut_power(random.Random(crash_after), index_loses=crash_after % 3)
        else:
            made.machine.kill_all()
        check(made)
    finally:
        made.machine.discard()


@pytest.mark.parametrize("power", [False, True], ids=["kill", "power"])
@pytest.mark.parametrize(
    ("blades", "work"),
    # A lone blade has nothing to make a strip from.
    [(blades, work) for blades in (1, 3, 6) for work in WORKS if blades > 1 or work != "rebuild"],
)
def test_dies_at_any_call(work: str, blades: int, power: bool) -> None:
    with replayable(work):
        calls = count_calls(work, blades, blades)
        for crash_after in sorted({1 + calls * number // TRIES for number in range(TRIES)}):
            try:
                run(work, blades, blades, crash_after, power=power)
            except (AssertionError, MaruError) as error:
                raise Lost(f"died in call {crash_after} of {calls}: {error}") from error


@pytest.mark.parametrize("kind", ["create", "write", "sync", "sync_names", "free", "read", "commit"])
@pytest.mark.parametrize("nth", [1, 2, 5, 9])
def test_a_failing_blade_ends_an_act_and_nothing_else(kind: str, nth: int) -> None:
    with replayable(kind):
        made = scene(nth, 6)
        calls = Calls()
        process = made.machine.start(calls)
        calls._seen.clear()
        calls.faults = (Fault(kind, nth),)
        try:
            cut_all(process.store)
        except MaruError:
            assert calls.failed
        made.model.settle(process.store)
        process.kill()
        made.machine.kill_all()
        check(made)
        made.machine.discard()


def test_strips_that_were_not_synced_are_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The trial sees an act that publishes what is not on the drives yet."""
    monkeypatch.setattr(StripFiles, "sync", lambda self: None)
    lost = 0
    with replayable("planted"):
        for seed in range(8):
            made = scene(seed, 6)
            process = made.machine.start()
            cut_all(process.store)
            made.machine.cut_power(random.Random(seed))
            try:
                again = made.machine.start()
                lost += read_state(again.store) != made.model.state
            except (Lost, MaruError):
                lost += 1
            made.machine.discard()
    assert lost
