"""A machine in memory: platters, an index that may lag, and processes that die and start again.

Everything in it replays exactly from a seed. A process here is a ``PoolStore`` with its
own :class:`Calls`; several may live at once, one after the other in one thread. Syncs run
in the calling thread, so that the order of calls is a function of the script alone.
"""

from __future__ import annotations

import contextlib
import errno
import os
import random
import shutil
import tempfile
import uuid
import weakref
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from maruhub.errors import Unavailable
from maruhub.store import blades, copies, lookout
from maruhub.store.blades import Blades
from maruhub.store.commit import writer
from maruhub.store.commit.clock import CounterMark
from maruhub.store.commit.unborn import Unborn
from maruhub.store.format.identity import BladeIdentity
from maruhub.store.hand import Hand
from maruhub.store.read import patience
from maruhub.store.recover import strip_search
from maruhub.store.recover.recovery import Recovery
from maruhub.store.recover.report import RecoveryReport
from maruhub.store.seal import act, bulk, strip_writer
from maruhub.store.seal.live import Resolve
from maruhub.store.store import PoolStore
from maruhub.testing.calls import Calls, Stalled
from maruhub.testing.faulty_blade import FaultyBlade
from maruhub.testing.memory_index import MemoryIndex, MemoryTxn
from maruhub.testing.platter import Platter

POOL_ID = b"a pool in memory"
SEGMENT_BYTES = 64 << 10
_STATES_KEPT = 4


class LaggingIndex(MemoryIndex):
    """An index on the machine's own disk: it remembers its last states, to go back to them."""

    def __init__(self) -> None:
        super().__init__()
        self.past: list[dict[bytes, bytes]] = []

    def remember(self) -> None:
        """Keeps the state that is about to be replaced."""
        self.past = [*self.past[1 - _STATES_KEPT :], dict(self._items or {})]

    def items(self) -> dict[bytes, bytes]:
        """A copy of everything."""
        return dict(self._items or {})

    def put_back(self, items: dict[bytes, bytes]) -> None:
        """Replaces everything, as a copy of the files would: the same file, other content."""
        self._items = dict(items)

    def is_busy(self) -> bool:
        """Whether a transaction is under way: nobody else can begin one."""
        return self._lock.locked()

    def new_file(self) -> None:
        """As after a reboot, where nothing vouches for the file."""
        self._identity = uuid.uuid4().hex


class ProcessIndex:
    """One process's door to the index: a commit is a call like any other."""

    def __init__(self, index: LaggingIndex, calls: Calls) -> None:
        self._index = index
        self._calls = calls

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        return self._index.get_many(keys)

    def scan(
        self, start: bytes, stop: bytes, limit: int, *, reverse: bool = False
    ) -> list[tuple[bytes, bytes]]:
        return self._index.scan(start, stop, limit, reverse=reverse)

    @contextlib.contextmanager
    def write(self) -> Iterator[MemoryTxn]:
        with self._index.write() as txn:
            yield txn
            try:
                dies = self._calls.enter("commit")
            except OSError as error:
                raise Unavailable(f"the index cannot commit: {error.strerror}") from error
            self._calls.die_if(dies)
            self._index.remember()
        self._calls.die_if(self._calls.enter("committed"))

    def clear(self) -> None:
        with self.write() as txn:
            txn.items = {}

    def identity(self) -> str:
        return self._index.identity()

    def close(self) -> None:
        pass


class Process:
    """A started process: recovered if need be, ready to read and write.

    ``recovered``: what opening had to do, None if nothing.
    """

    def __init__(self, machine: Machine, calls: Calls, missing: Sequence[int]) -> None:
        self.calls = calls
        absent = [p.blade_id for p in machine.platters if p.gone or p.number in missing]
        present = [FaultyBlade(p, calls) for p in machine.platters if p.blade_id not in absent]
        self._blades = present
        self._machine = machine
        self._missing = missing
        found = Blades(present, absent, source=self)
        index = ProcessIndex(machine.index, calls)
        self.recovery = Recovery(index, found, POOL_ID, Unborn(machine.home / "unborn"))
        self.recovered: RecoveryReport | None = None
        identity = BladeIdentity(POOL_ID, present[0].blade_id, 7, machine.segment_bytes, 0, 0)
        self._marks: list[CounterMark] = []
        self.store = PoolStore(
            index,
            found,
            identity,
            open_mark=self._open_mark,
            resolve=machine.resolve,
            bulk_bytes=machine.bulk_bytes,
        )

    def listed(self) -> list[bytes]:
        """See ``BladeSource``: blades that were added too. Neither is a call that may fail."""
        return [platter.blade_id for platter in self._machine.platters]

    def find(self, blade_id: bytes) -> FaultyBlade:
        """See ``BladeSource``."""
        platter = next(p for p in self._machine.platters if p.blade_id == blade_id)
        if platter.gone or platter.number in self._missing:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV), repr(platter))
        known = [blade for blade in self._blades if blade.platter is platter]
        self._blades += [] if known else [FaultyBlade(platter, self.calls)]
        return known[0] if known else self._blades[-1]

    def _open_mark(self) -> CounterMark:
        mark = self._machine.open_mark()
        self._marks.append(mark)
        return mark

    def open(self) -> Process:
        """What ``compose`` does at opening."""
        if self.recovery.needed():
            self.recovered = self.recovery.run()
        return self

    def kill(self) -> None:
        """SIGKILL: the kernel keeps what was written and frees the locks."""
        self.calls.dead = True
        for mark in self._marks:
            mark.holds.disown()
        for blade in self._blades:
            blade.platter.kill(blade.opened)

    def close(self) -> None:
        """A clean end."""
        self.store.close()
        self.kill()


class Machine:
    """Blades, an index and a boot."""

    def __init__(
        self, count: int, *, segment_bytes: int = SEGMENT_BYTES, capacity: int = 0, home: Path | None = None
    ) -> None:
        self.platters = [Platter(number, capacity=capacity) for number in range(count)]
        self.index = LaggingIndex()
        self.segment_bytes = segment_bytes
        self.bulk_bytes: int | None = None
        self.processes: list[Process] = []
        self.home = home or Path(tempfile.mkdtemp(prefix="maru-machine-"))
        if home is None:
            weakref.finalize(self, shutil.rmtree, self.home, ignore_errors=True)
        self.resolve: Resolve = lambda _: None

    def start(self, calls: Calls | None = None, *, missing: Sequence[int] = ()) -> Process:
        """Starts a process; ``missing`` blades don't answer it."""
        process = Process(self, calls or Calls(), missing)
        self.processes.append(process)
        try:
            return process.open()
        except BaseException:
            process.kill()
            raise

    def open_mark(self) -> CounterMark:
        """The counter that the running processes share."""
        return CounterMark(self.home / "turn")

    def add_blade(self) -> None:
        """One more, empty; processes that begin from now on see it."""
        self.platters.append(Platter(len(self.platters)))

    def add_room(self) -> None:
        """Somebody frees space on all blades."""
        for platter in self.platters:
            platter.capacity = 0

    def kill_all(self) -> None:
        """Every process dies; what they wrote is in the kernel's hands, and safe there."""
        for process in self.processes:
            process.kill()
        self.processes = []

    def cut_power(self, chance: random.Random, *, index_loses: int = 0) -> None:
        """The power goes and comes back: whatever was not synced may be gone or torn."""
        self.kill_all()
        for platter in self.platters:
            platter.cut_power(chance)
        states = [*self.index.past, self.index.items()]
        self.index.put_back(states[max(0, len(states) - 1 - index_loses)])
        self._new_boot()

    def lose_index(self) -> None:
        """The index's folder is gone."""
        self.kill_all()
        self.index = LaggingIndex()
        self._new_boot()

    def _new_boot(self) -> None:
        self.index.new_file()
        (self.home / "turn").unlink(missing_ok=True)
        shutil.rmtree(self.home / "unborn", ignore_errors=True)

    def discard(self) -> None:
        """Removes what it keeps on the real disk."""
        shutil.rmtree(self.home, ignore_errors=True)


class _InlineHand(Hand):
    """Syncs in the calling thread; a stalled one is simply never heard of."""

    def __init__(self, name: str) -> None:
        pass

    def run(self, job: Callable[[], None]) -> None:
        with contextlib.suppress(Stalled):
            job()

    def stop(self) -> None:
        pass


class _InlineBehind:
    """Work behind the caller's back, done before its eyes."""

    def __init__(self, ahead: int) -> None:
        pass

    def put(self, job: Callable[[], None]) -> None:
        job()

    def finish(self) -> None:
        pass

    def stop(self) -> None:
        pass


class _Dice(random.Random):
    """Stands in for the modules ``secrets`` and ``random``."""

    def randbits(self, bits: int) -> int:
        return self.getrandbits(bits)

    def token_bytes(self, size: int) -> bytes:
        return self.randbytes(size)


@contextlib.contextmanager
def replayable(seed: object, *, sync_seconds: float = 0.01) -> Iterator[None]:
    """Makes stores in this thread a function of ``seed``, and impatient with stalled syncs."""
    dice = _Dice(str(seed))
    defaults = copies.Copies.__init__.__kwdefaults__
    with contextlib.ExitStack() as stack:
        for module, name, new in (
            (copies, "Hand", _InlineHand),
            (patience, "Hand", _InlineHand),
            (copies.Copies.__init__, "__kwdefaults__", {**(defaults or {}), "sync_seconds": sync_seconds}),
            (strip_writer, "SYNC_SECONDS", sync_seconds),
            (bulk, "SYNC_SECONDS", sync_seconds),
            (strip_writer, "Behind", _InlineBehind),
            (blades, "random", dice),
            # Nobody looks round by the clock: only whoever names a blade that he doesn't know.
            (lookout, "LOOK_SECONDS", float("inf")),
            (writer, "secrets", dice),
            (act, "secrets", dice),
            (bulk, "secrets", dice),
            (strip_search, "secrets", dice),
        ):
            stack.callback(setattr, module, name, getattr(module, name))
            setattr(module, name, new)
        yield
