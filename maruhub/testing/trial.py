"""One trial: a script, a fault, a restart, and the question whether every promise was kept.

A trial is (seed, fault) and replays exactly. It ends by asking: is every acknowledged row
and blob there, byte for byte; is nothing visible that wasn't whole; can the store be
written again without a manual step; does an index made from the segments alone equal the
live one.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from maruhub.errors import MaruError
from maruhub.store.format.keys import STATE_KEY, TAIL_PREFIX, decode_tail, layout_key, segment_of
from maruhub.store.format.layout import decode_layout
from maruhub.store.format.row import Row
from maruhub.store.format.segment_class import SegmentClass
from maruhub.testing.calls import Calls, Crash, Fault
from maruhub.testing.machine import Machine, Process, replayable
from maruhub.testing.store_script import (
    Edit,
    Lost,
    Model,
    Step,
    Value,
    make_script,
    run_step,
    run_turn,
)

LENGTH = 10


@dataclass(frozen=True)
class Plan:
    """What happens in a trial.

    Args:
        seed: Of the script and of every draw.
        crash_at: The call in which the process dies (0: it lives to the end of the script).
        power: Whether the power goes at the end, or just the processes.
        faults: Calls that fail.
        victim: The process that all this happens to; others go on without it.
        recovery_crash_at: The call in which the first recovery dies.
        index_loses: Commits that the index loses with the power.
        missing: Blades that don't answer after the restart.
        capacity: Of each blade, bytes (0: endless).
    """

    seed: int
    crash_at: int = 0
    power: bool = True
    faults: tuple[Fault, ...] = ()
    victim: int = 0
    recovery_crash_at: int = 0
    index_loses: int = 0
    missing: tuple[int, ...] = ()
    capacity: int = 0
    blades: int = 0
    length: int = LENGTH

    def at(self, call: int) -> Plan:
        """The same, dying in that call."""
        return replace(self, crash_at=call)

    def again_at(self, call: int) -> Plan:
        """The same, and the recovery dies in that call of its own."""
        return replace(self, recovery_crash_at=call)


@dataclass
class Trial:
    """A running trial. ``errors``: what the store said of failing drives."""

    plan: Plan
    machine: Machine = field(init=False)
    model: Model = field(default_factory=Model)
    victim_calls: Calls = field(init=False)
    errors: list[MaruError] = field(default_factory=list)
    _living: dict[int, Process] = field(default_factory=dict)

    def __post_init__(self) -> None:
        chance = random.Random(self.plan.seed ^ 0x5EED)
        blades = self.plan.blades or chance.choice((1, 2, 3, 3, 3, 4, 6))
        self.machine = Machine(blades, capacity=self.plan.capacity)
        self.victim_calls = Calls(crash_at=self.plan.crash_at, faults=self.plan.faults)
        self.chance = random.Random(f"{self.plan.seed}/{self.plan.crash_at}")

    def run(self) -> Trial:
        """Everything, up to and with the checks; raises ``Lost``."""
        with replayable(self.plan.seed):
            try:
                self.play(make_script(self.plan.seed, self.plan.length))
                self.end()
                self.check()
            finally:
                self.machine.discard()
        return self

    def play(self, script: Sequence[Step]) -> None:
        """The script, up to the death of the victim if the power goes with it."""
        died = False
        for step in script:
            if died and step.process == self.plan.victim:
                continue
            try:
                self._do(step)
            except Crash:
                died = True
                if self.plan.power:
                    return
                self._living.pop(step.process).kill() if step.process in self._living else None
            except MaruError as error:
                self.errors.append(error)

    def _do(self, step: Step) -> None:
        process = self._process(step.process)
        if step.kind == "close":
            del self._living[step.process]
            process.close()
        else:
            run_step(process.store, step, self.model)

    def _process(self, number: int) -> Process:
        if number not in self._living:
            calls = self.victim_calls if number == self.plan.victim else Calls()
            process = self.machine.start(calls)
            self._living[number] = process
            self.model.settle(process.store)
        return self._living[number]

    def end(self) -> None:
        """The power goes, or every process is killed."""
        self._living.clear()
        if self.plan.power:
            self.machine.cut_power(self.chance, index_loses=self.plan.index_loses)
        else:
            self.machine.kill_all()

    def check(self) -> None:
        """Restart, read, write, restart, read, rebuild, compare."""
        self._die_in_recovery()
        process = self.machine.start(missing=self.plan.missing)
        self.model.settle(process.store)
        self.machine.add_room()
        for number in range(2):
            run_turn(process.store, [later_edit(self.chance, number)], self.model)
        self.model.settle(process.store)
        process.close()
        again = self.machine.start()
        self.model.settle(again.store)
        again.close()
        require_same_index(self.machine, self.model)

    def _die_in_recovery(self) -> None:
        if self.plan.recovery_crash_at:
            try:
                self.machine.start(Calls(crash_at=self.plan.recovery_crash_at)).kill()
            except Crash:
                pass
            if self.plan.power:
                self.machine.cut_power(self.chance)


def later_edit(chance: random.Random, number: int) -> Edit:
    """A change after the restart: the store must take it."""
    data = chance.randbytes(chance.choice((50, 5000, 66_000)))
    return Edit({b"Kafter%d" % number: Value(b"after", data)}, SegmentClass.RAW)


def require_same_index(machine: Machine, model: Model) -> None:
    """Makes the index from the segments alone: it must be the one that was live."""
    live = comparable(machine.index.items())
    machine.lose_index()
    process = machine.start()
    rebuilt = comparable(machine.index.items())
    if live != rebuilt:
        keys = sorted(k for k in live.keys() | rebuilt.keys() if live.get(k) != rebuilt.get(k))
        raise Lost(f"the rebuilt index differs in {keys[:5]}")
    model.settle(process.store)
    process.close()


def comparable(items: dict[bytes, bytes]) -> dict[bytes, bytes]:
    """An index without what only that file knows of itself; of tails just the last batch.

    Where all batches were left out of a segment, nothing but the index knows where they ended;
    what an old copy of a segment says that is no more, makes a tail that nobody asks for.
    """
    return {
        key: decode_tail(value).batch.to_bytes(8, "little") if key.startswith(TAIL_PREFIX) else value
        for key, value in items.items()
        if key != STATE_KEY and not (key.startswith(TAIL_PREFIX) and _has_no_batch(items, segment_of(key)))
    }


def _has_no_batch(items: dict[bytes, bytes], segment: int) -> bool:
    raw = items.get(layout_key(segment))
    if raw is None:
        return True
    strips = decode_layout(segment, Row(layout_key(segment), raw).payload).strips
    return strips is not None and not strips.floor


def count_calls(plan: Plan) -> int:
    """Calls of the victim in a run of the plan without a crash."""
    trial = Trial(plan)
    with replayable(plan.seed):
        try:
            trial.play(make_script(plan.seed, plan.length))
        finally:
            trial.machine.discard()
    return trial.victim_calls.count


@dataclass
class Tally:
    """What was tried."""

    trials: int = 0
    acknowledged: int = 0

    def run(self, plans: Sequence[Plan]) -> None:
        """Runs plans; the first loss is raised with the plan that replays it."""
        for plan in plans:
            try:
                self.acknowledged += Trial(plan).run().model.acknowledged
            except (AssertionError, MaruError) as error:
                raise Lost(f"{plan}: {error}") from error
            self.trials += 1

    def __str__(self) -> str:
        return f"{self.trials} trials, {self.acknowledged} acknowledged changes, none lost"
