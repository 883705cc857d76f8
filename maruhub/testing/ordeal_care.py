"""What care does in an ordeal, and the misfortunes that befall the machine."""

from __future__ import annotations

import errno
import random
from typing import Final

from maruhub.errors import MaruError
from maruhub.store.blades import COPIES
from maruhub.store.format.layout import Layout
from maruhub.store.seal.act import Acts, Outcome
from maruhub.store.seal.placement import scheme
from maruhub.store.store import PoolStore
from maruhub.testing.calls import FORGOTTEN, MISDIRECTED, SHORT, Fault
from maruhub.testing.ordeal import Deed, Ordeal
from maruhub.testing.ordeal_script import Op
from maruhub.testing.platter import Inode

_WINDOWS: Final = (16 << 10, 32 << 10, 2 << 20)
_BLADES_MAX: Final = 10


def _count(run: Ordeal, what: str, outcome: Outcome) -> None:
    run.figures.acts[f"{what}: {outcome.name.lower()}"] += 1


def _segments(store: PoolStore, chance: random.Random, most: int) -> list[Layout]:
    """Some, closed ones preferred."""
    layouts = list(store.layouts())
    closed = [layout for layout in layouts if layout.closed] or layouts
    return chance.sample(closed, min(len(closed), most))


def _recut(run: Ordeal, store: PoolStore, chance: random.Random, *, most: int, covered: int = 0) -> None:
    with store.acting() as acts:
        acts._window_bytes = chance.choice(_WINDOWS)
        for layout in _segments(store, chance, most):
            _count(run, "recut", acts.recut(layout.segment, covered=covered).outcome)


def close_logs(run: Ordeal, op: Op, chance: random.Random) -> None:
    """So that there is something to cut."""
    run.store(op).close_logs(0)


def recut(run: Ordeal, op: Op, chance: random.Random) -> None:
    """One segment."""
    _recut(run, run.store(op), chance, most=1)


def recut_all(run: Ordeal, op: Op, chance: random.Random) -> None:
    """All that are closed."""
    _recut(run, run.store(op), chance, most=100)


def checkpoint(run: Ordeal, op: Op, chance: random.Random) -> None:
    """A rebuild may begin here."""
    run.store(op).checkpoint()


def checkpoint_and_recut(run: Ordeal, op: Op, chance: random.Random) -> None:
    """Records before it need not be kept."""
    store = run.store(op)
    covered = store.checkpoint().began_after
    store.close_logs(0)
    _recut(run, store, chance, most=100, covered=covered)


def rebuild(run: Ordeal, op: Op, chance: random.Random) -> None:
    """Some files of a segment, where they are or elsewhere."""
    store = run.store(op)
    with store.acting() as acts:
        for layout in _segments(store, chance, 1):
            numbers = range(len(layout.blades))
            some = chance.sample(numbers, min(len(numbers), chance.choice((1, 1, 2, 10))))
            _count(run, "rebuild", acts.rebuild(layout.segment, dict.fromkeys(some)).outcome)


def sweep(run: Ordeal, op: Op, chance: random.Random) -> None:
    """What acts left behind goes."""
    with run.store(op).acting() as acts:
        run.figures.acts["swept files"] += acts.sweep().files


def heal(run: Ordeal, op: Op, chance: random.Random) -> None:
    """Everything is protected anew; if that is so, other blades may fail next."""
    for number in list(run.living):
        run.living[number].store.close()
        run.drop(number)
    run.machine.add_room()
    store = run.store(Op(op.kind, op.process, op.draw))
    try:
        is_whole = protect(run, store)
    except MaruError as error:
        raise AssertionError(f"nothing fails, but it can't be protected anew: {error}") from error
    if is_whole:
        run.suspect(chance)
        run.old_drives = {}


def protect(run: Ordeal, store: PoolStore) -> bool:
    """Cuts and mends all that is closed; whether nothing depends on a suspect any more."""
    store.close_logs(0)
    with store.acting() as acts:
        whole = [_protect_one(run, acts, layout) for layout in list(store.layouts()) if layout.closed]
    answering = {platter.blade_id for platter in run.machine.platters if not platter.gone}
    open_ones = [layout for layout in store.layouts() if not layout.closed]
    return all(whole) and all(
        answering.issuperset(layout.blades) and len(layout.blades) >= min(COPIES, len(answering))
        for layout in open_ones
    )


def _protect_one(run: Ordeal, acts: Acts, layout: Layout) -> bool:
    outcome = None
    answering = sum(not platter.gone for platter in run.machine.platters)
    if layout.strips is not None and layout.parity >= scheme(answering).parity:
        try:
            numbers = range(len(layout.blades))
            outcome = acts.rebuild(layout.segment, dict.fromkeys(numbers)).outcome
        except MaruError:
            pass  # fewer blades answer than it has files
    if outcome is None:
        outcome = acts.recut(layout.segment).outcome
    _count(run, "heal", outcome)
    return outcome in (Outcome.DONE, Outcome.REMOVED, Outcome.GONE)


CARE: Final[dict[str, Deed]] = {
    "close logs": close_logs,
    "recut": recut,
    "recut all": recut_all,
    "rebuild": rebuild,
    "sweep": sweep,
    "checkpoint": checkpoint,
    "checkpoint and recut": checkpoint_and_recut,
    "heal": heal,
}


def close(run: Ordeal, op: Op, chance: random.Random) -> None:
    """A process ends."""
    if op.process in run.living:
        run.living[op.process].store.close()
        run.drop(op.process)


def kill(run: Ordeal, op: Op, chance: random.Random) -> None:
    """A process dies."""
    if op.process in run.living:
        run.figures.crashes += 1
        run.drop(op.process)


def cut_power(run: Ordeal, op: Op, chance: random.Random) -> None:
    """All of them die, and what wasn't synced may be gone."""
    run.end_all(power=True)


def lose_index(run: Ordeal, op: Op, chance: random.Random) -> None:
    """It has to be made anew."""
    run.end_all(power=False)
    run.plug_in(chance)
    run.machine.lose_index()
    run.figures.faults["index lost"] += 1


def put_back_index(run: Ordeal, op: Op, chance: random.Random) -> None:
    """An older copy is there again."""
    if run.old_indexes:
        run.end_all(power=False)
        run.machine.index.put_back(run.old_indexes.pop())
        run.figures.faults["index put back"] += 1


def unplug(run: Ordeal, op: Op, chance: random.Random) -> None:
    """A suspect goes, perhaps for ever."""
    there = [number for number in run.suspects if not run.machine.platters[number].gone]
    if there:
        run.machine.platters[chance.choice(there)].leave()
        run.figures.faults["blade gone"] += 1


def plug(run: Ordeal, op: Op, chance: random.Random) -> None:
    """A blade comes back, as it was or as it had been."""
    gone = [platter for platter in run.machine.platters if platter.gone]
    if gone:
        platter = chance.choice(gone)
        platter.come_back(chance, run.old_drives.get(platter.number))
        run.figures.faults["blade back"] += 1


def _files(run: Ordeal, number: int) -> dict[str, Inode]:
    """The files of a suspect that hold anything."""
    run.is_spoiled = True
    return {name: inode for name, inode in run.machine.platters[number].files.items() if len(inode.data)}


def rot(run: Ordeal, op: Op, chance: random.Random) -> None:
    """Bits flip on a suspect."""
    for number in run.suspects:
        platter = run.machine.platters[number]
        for name in _files(run, number):
            for _ in range(chance.choice((0, 1, 1, 5))):
                at = chance.randrange(len(platter.files[name].data))
                platter.rot(name, at, 1 << chance.randrange(8))
                run.figures.faults["rot"] += 1


def swap_blocks(run: Ordeal, op: Op, chance: random.Random) -> None:
    """A block is found where it doesn't belong, on a suspect."""
    for number in run.suspects[:1]:
        platter = run.machine.platters[number]
        for name, inode in _files(run, number).items():
            blocks = len(inode.data) // 4096
            if blocks > 1 and chance.random() < 0.5:
                source, target = (4096 * chance.randrange(blocks) for _ in range(2))
                platter.misdirect(name, source, target)
                run.figures.faults["block misplaced"] += 1


_FAULTS: Final = (
    *((kind, error) for kind in ("open", "create", "read", "write", "sync") for error in (errno.EIO,)),
    *((kind, errno.EIO) for kind in ("names", "sync_names", "remove", "free")),
    *((kind, errno.ENOSPC) for kind in ("create", "write", "sync")),
    *((kind, errno.EROFS) for kind in ("create", "write", "remove")),
    ("sync", 0),
    *(("read", SHORT), ("write", MISDIRECTED), ("write", FORGOTTEN)),
)


def fault(run: Ordeal, op: Op, chance: random.Random) -> None:
    """A call of the process on a suspect fails soon, once or for ever."""
    if run.suspects and op.process in run.living:
        kind, error = chance.choice(_FAULTS)
        times = chance.choice((1, 1, 3, 0))
        found = Fault(kind, int(2 ** chance.uniform(0, 5)), error, times, chance.choice(run.suspects))
        run.is_spoiled |= error in (MISDIRECTED, FORGOTTEN)
        run.living[op.process].calls.add(found)


def fill(run: Ordeal, op: Op, chance: random.Random) -> None:
    """All drives are nearly full."""
    if not run.is_cramped:
        return
    for platter in run.machine.platters:
        platter.capacity = platter.used() + chance.choice((0, 5000, 100_000))
    run.figures.faults["drives full"] += 1


def make_room(run: Ordeal, op: Op, chance: random.Random) -> None:
    """Somebody frees space."""
    run.machine.add_room()


def add_blade(run: Ordeal, op: Op, chance: random.Random) -> None:
    """The pool grows; who lives doesn't see it yet."""
    if len(run.machine.platters) < _BLADES_MAX:
        run.machine.add_blade()


def look(run: Ordeal, op: Op, chance: random.Random) -> None:
    """Everything is there."""
    run.look(run.store(op))


MISFORTUNE: Final[dict[str, Deed]] = {
    "close": close,
    "kill": kill,
    "cut power": cut_power,
    "lose index": lose_index,
    "put back index": put_back_index,
    "unplug": unplug,
    "plug": plug,
    "rot": rot,
    "swap blocks": swap_blocks,
    "fault": fault,
    "fill": fill,
    "make room": make_room,
    "add blade": add_blade,
    "look": look,
}
