"""An ordeal: a pool lives through a script of writers, acts and misfortunes, and is judged.

A run is (seed, script) and replays exactly. At most two blades are under suspicion at a
time: whatever befalls drives befalls them, and everything acknowledged has to be readable,
byte for byte, at every moment. Only once all segments are protected anew may others come
under suspicion. Power and processes may go at any call.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from maruhub.errors import Corrupt, MaruError
from maruhub.store.blades import COPIES
from maruhub.store.format.extent import Blob
from maruhub.store.store import PoolStore
from maruhub.testing.calls import Calls, Crash, Stalled
from maruhub.testing.machine import Machine, Process, replayable
from maruhub.testing.ordeal_script import Op, make_ops
from maruhub.testing.store_script import Edit, Model, Value, append_all, commit_turn, pointed_to

LENGTH = 40
_BLADES = (1, 2, 3, 3, 4, 4, 5, 6, 6, 8)
_DOUBTS_MAX = 32
_BULK_BYTES = (None, None, 1, 10_000, 40_000)

Deed = Callable[["Ordeal", Op, random.Random], None]


@dataclass
class Figures:
    """What was done and met: the closing line adds these up."""

    operations: int = 0
    calls: int = 0
    crashes: int = 0
    checked: int = 0
    acknowledged: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    acts: Counter[str] = field(default_factory=Counter)

    def add(self, other: Figures) -> None:
        """Adds another run's."""
        for name in ("operations", "calls", "crashes", "checked", "acknowledged"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("errors", "faults", "acts"):
            getattr(self, name).update(getattr(other, name))


class Ordeal:
    """One run.

    Args:
        seed: Of everything drawn.
        deeds: What is done by kind of operation.
        ops: Other ones than the seed's, as when a script is cut down.
        in_bulk: Whether writers may go straight into strips; the seed says how much it takes.
    """

    def __init__(
        self, seed: int, deeds: dict[str, Deed], ops: Sequence[Op] | None = None, *, in_bulk: bool = True
    ) -> None:
        chance = random.Random(f"ordeal {seed}")
        self.seed = seed
        self.ops = make_ops(seed, LENGTH) if ops is None else tuple(ops)
        self.chance = chance
        self.machine = Machine(chance.choice(_BLADES), segment_bytes=chance.choice((32, 64, 64, 128)) << 10)
        self.machine.resolve = pointed_to
        self.machine.bulk_bytes = random.Random(f"bulk {seed}").choice(_BULK_BYTES) if in_bulk else None
        self.model = Model()
        self.figures = Figures()
        self.living: dict[int, Process] = {}
        self.suspects: list[int] = []
        self.appended: dict[int, list[tuple[Edit, list[Blob]]]] = {}
        self.remembered: list[tuple[Value, Blob]] = []
        self.counters: list[tuple[int, dict[bytes, tuple[Value, Blob]]]] = []
        self.old_indexes: list[dict[bytes, bytes]] = []
        self.old_drives: dict[int, dict[str, bytes]] = {}
        self.is_cramped = chance.random() < 0.2
        self.is_spoiled = False
        self.names = 0
        self._deeds = deeds
        self._doing = 0
        self.suspect(chance)

    # ------------------------------------------------------------ running

    def run(self, judge: Callable[[Ordeal], None]) -> Figures:
        """Everything, and the judgement; raises ``Lost``."""
        with replayable(self.seed):
            try:
                for op in self.ops:
                    self.do(op)
                self._begin_anew(power=self.chance.random() < 0.7)
                judge(self)
            finally:
                self._count_all()
                self.machine.discard()
        self.figures.acknowledged = self.model.acknowledged
        return self.figures

    def do(self, op: Op) -> None:
        """One operation, and what happens meanwhile; a death in it is part of it."""
        self.figures.operations += 1
        chance = random.Random(op.draw)
        try:
            self._deeds[op.kind](self, op, chance)
        except MaruError as error:
            self.figures.errors[type(error).__name__] += 1
        except (Crash, Stalled):
            self.figures.crashes += 1
            if chance.random() < 0.5:
                self._begin_anew(power=True)
            elif op.process in self.living:
                self.drop(op.process)
        finally:
            if op.process in self.living:
                calls = self.living[op.process].calls
                calls.crash_at, calls.intruder = 0, None

    def store(self, op: Op) -> PoolStore:
        """The store of the operation's process, which dies and is disturbed as told."""
        if op.process not in self.living:
            calls = Calls(crash_at=op.dies_at)
            try:
                self.living[op.process] = self.start(calls)
            finally:
                self.figures.faults.update(calls.failed)
            calls.crash_at = 0
        process = self.living[op.process]
        calls = process.calls
        if op.dies_at:
            calls.crash_at = calls.count + op.dies_at
        if op.meanwhile is not None:
            calls.intrude_at = calls.count + op.meanwhile_at
            calls.intruder = lambda: self._intrude(op.meanwhile)
        return process.store

    def start(self, calls: Calls | None = None) -> Process:
        """Starts a process; where damaged files keep the index from being made, it is told to go on.

        What is left of a segment that is no more may be damaged like any file: nobody can tell
        it from one that is lost, so opening asks first. Nothing that counts may be missing then.
        """
        try:
            return self.machine.start(calls)
        except Corrupt:
            if not self.is_spoiled:
                raise
            process = Process(self.machine, Calls(), ())
            process.recovery.run(accept_loss=True)
            self.figures.errors["asked before opening"] += 1
            process.kill()
            return self.machine.start()

    def _intrude(self, op: Op | None) -> bool:
        if self.machine.index.is_busy():
            return False
        assert op is not None
        self.do(op)
        return True

    def drop(self, number: int) -> None:
        """A process dies, or has ended; what it had appended and not named is nobody's."""
        process = self.living.pop(number)
        process.kill()
        self.appended.pop(number, None)
        self._count(process)

    def _count(self, process: Process) -> None:
        self.figures.calls += process.calls.count
        self.figures.faults.update(process.calls.failed)

    def _count_all(self) -> None:
        for process in self.living.values():
            self._count(process)

    def _begin_anew(self, *, power: bool) -> None:
        """All processes die, the power goes with them or not."""
        for number in list(self.living):
            self.drop(number)
        if power:
            self.machine.cut_power(self.chance, index_loses=self.chance.choice((0, 0, 1, 2, 3)))
        else:
            self.machine.kill_all()

    def end_all(self, *, power: bool) -> None:
        """The same, as an operation."""
        self.figures.crashes += 1
        self._begin_anew(power=power)

    # ------------------------------------------------------------ what must be so

    def turn(self, store: PoolStore, edit: Edit, blobs: list[Blob] | None = None) -> None:
        """Commits; an outcome that nobody had learnt is learnt by this.

        A change of nothing writes nothing, so it says nothing of what came before.
        """
        if len(self.model.unknown) > _DOUBTS_MAX or not edit.values:
            return
        doubtful = bool(self.model.unknown)
        own = append_all(store, [edit])[0] if blobs is None else blobs
        commit_turn(store, [edit], [own], self.model)
        if doubtful:
            self.figures.checked += self.model.observe(store)
            self.model.unknown = []

    def make_sure(self, store: PoolStore) -> bool:
        """Learns all outcomes, so that what follows may build on what there is."""
        if self.model.unknown:
            self.turn(store, self.edit([b"Ksure"], self.chance, 100))
        return not self.model.unknown

    def edit(self, keys: Sequence[bytes], chance: random.Random, size: int) -> Edit:
        """New values for keys, each unlike any other."""
        self.names += 1
        return Edit({key: Value(b"%d" % self.names, chance.randbytes(size)) for key in keys})

    def look(self, store: PoolStore) -> None:
        """Reads everything; raises ``Lost``."""
        self.figures.checked += self.model.observe(store)

    # ------------------------------------------------------------ drives

    def suspect(self, chance: random.Random) -> None:
        """Others come under suspicion: as many as the pool may lose."""
        answering = [platter.number for platter in self.machine.platters if not platter.gone]
        # Full drives cost copies too: then all others have to be sound.
        most = 0 if self.is_cramped else 2
        self.suspects = chance.sample(answering, max(0, min(most, len(answering) - 1)))

    def plug_in(self, chance: random.Random) -> None:
        """Blades come back until an index may be made anew: it wants to see every log."""
        gone = [platter for platter in self.machine.platters if platter.gone]
        while len(gone) >= min(COPIES, len(self.machine.platters)):
            platter = gone.pop(chance.randrange(len(gone)))
            platter.come_back(chance, self.old_drives.get(platter.number))
