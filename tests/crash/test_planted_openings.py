"""One safeguard of opening a pool, and of sharing it, is taken away at a time: then something is lost.

With all of them in place each trial is green: the last test.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable

import pytest

from maruhub.errors import MaruError
from maruhub.store.format.extent import Blobs
from maruhub.store.recover.evidence import Evidence
from maruhub.store.recover.recovery import Recovery
from maruhub.store.store import PoolStore
from maruhub.testing.calls import Calls, Crash
from maruhub.testing.faulty_blade import FaultyFile
from maruhub.testing.machine import Machine, replayable
from maruhub.testing.store_script import Lost

Plant = Callable[[pytest.MonkeyPatch], None]


def make_an_index_of_too_few_blades(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Recovery, "_require_reachable", lambda *_: None)


def never_look_at_open_logs(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Recovery, "_has_grown", lambda *_: False)


def share_every_log(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(FaultyFile, "lock", lambda file: True)


def leave_copies_apart(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Evidence, "_settle", lambda *_: None)


def serve_a_dead_writers_change_unsynced(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Evidence, "_sync", lambda *_: None)


def put(store: PoolStore, key: bytes, data: bytes) -> None:
    blob = store.append([data])[0]
    store.commit(lambda rows: rows.put(key, b"", extents=blob))


def require(store: PoolStore, key: bytes, data: bytes) -> None:
    row = store.get_many([key])[0]
    found = store.read_many(Blobs.of([row.extents]))[0] if row else None
    if found is None or isinstance(found, MaruError) or bytes(found) != data:
        raise Lost(f"{key!r}: {found}")


def index_lost_with_three_blades() -> None:
    """Some logs may lie on those alone: an index is refused, or has everything."""
    with replayable(1):
        machine = Machine(6)
        store = machine.start().store
        for number in range(30):
            put(store, b"K%d" % number, bytes([number]) * 3000)
            store.close_logs(0)
        machine.kill_all()
        for platter in machine.platters[1:4]:
            platter.leave()
        machine.lose_index()
        try:
            store = machine.start().store
        except MaruError:
            return
        for number in range(30):
            require(store, b"K%d" % number, bytes([number]) * 3000)


def older_index_put_back() -> None:
    with replayable(1):
        machine = Machine(3)
        store = machine.start().store
        put(store, b"K0", b"a" * 5000)
        older = machine.index.items()
        put(store, b"K1", b"b" * 5000)
        machine.kill_all()
        machine.index.put_back(older)
        require(machine.start().store, b"K1", b"b" * 5000)


def two_writers_in_turns() -> None:
    with replayable(1):
        machine = Machine(4)
        processes = [machine.start(), machine.start()]
        names = [(number, process) for number in range(6) for process in (0, 1)]
        for number, process in names:
            put(processes[process].store, b"K%d%d" % (number, process), b"%d" % number * 4000)
        machine.kill_all()
        store = machine.start().store
        for number, process in names:
            require(store, b"K%d%d" % (number, process), b"%d" % number * 4000)


def power_goes_twice_and_two_blades_with_it() -> None:
    """What the first opening has shown, from whichever copy, has to stay."""
    for seed in range(60):
        with replayable(seed):
            machine, chance, calls = Machine(3), random.Random(seed), Calls()
            store = machine.start(calls).store
            put(store, b"K0", b"a" * 5000)
            calls.crash_at = calls.count + 4 + seed % 12
            with contextlib.suppress(Crash):
                put(store, b"K1", b"b" * 5000)
            machine.cut_power(chance)
            if machine.start().store.get_many([b"K1"])[0] is None:
                continue
            machine.cut_power(chance)
            for number in chance.sample(range(3), 2):
                machine.platters[number].leave()
            require(machine.start().store, b"K1", b"b" * 5000)


PLANTED: dict[Plant, Callable[[], None]] = {
    make_an_index_of_too_few_blades: index_lost_with_three_blades,
    never_look_at_open_logs: older_index_put_back,
    share_every_log: two_writers_in_turns,
    leave_copies_apart: power_goes_twice_and_two_blades_with_it,
    serve_a_dead_writers_change_unsynced: power_goes_twice_and_two_blades_with_it,
}


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_planted_fault_is_reported(plant: Plant, monkeypatch: pytest.MonkeyPatch):
    plant(monkeypatch)
    with pytest.raises(Lost):
        PLANTED[plant]()


@pytest.mark.parametrize("trial", dict.fromkeys(PLANTED.values()), ids=lambda trial: trial.__name__)
def test_the_same_is_green_with_all_safeguards(trial: Callable[[], None]):
    trial()
