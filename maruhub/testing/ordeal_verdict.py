"""The judgement at the end of an ordeal."""

from __future__ import annotations

from maruhub.errors import MaruError
from maruhub.store.format.extent import Blobs
from maruhub.store.format.keys import STATE_KEY
from maruhub.testing.machine import Process
from maruhub.testing.ordeal import Deed, Figures, Ordeal
from maruhub.testing.ordeal_care import CARE, MISFORTUNE, protect
from maruhub.testing.ordeal_script import Op
from maruhub.testing.ordeal_writing import WRITING
from maruhub.testing.store_script import Lost, WrongBytes, blob_of
from maruhub.testing.trial import comparable

DEEDS: dict[str, Deed] = WRITING | CARE | MISFORTUNE


def run_ordeal(seed: int, ops: tuple[Op, ...] | None = None, *, in_bulk: bool = True) -> Figures:
    """One run with its judgement; raises ``Lost``."""
    return Ordeal(seed, DEEDS, ops, in_bulk=in_bulk).run(judge)


def judge(run: Ordeal) -> None:
    """Everything is there after a restart, after a rebuild, with others lost, and once more."""
    run.machine.add_room()
    run.plug_in(run.chance)
    _require_rest(run, run.start())
    process = run.start()
    run.look(process.store)
    _write_on(run, process)
    if run.chance.random() < 0.6 and protect(run, process.store):
        run.look(process.store)
        process.close()
        run.is_cramped = False
        run.suspect(run.chance)
        for number in run.suspects:
            run.machine.platters[number].leave()
        process = run.start()
        run.look(process.store)
    process.close()
    _require_same_index(run)
    _lose_too_many(run)


def _write_on(run: Ordeal, process: Process) -> None:
    for _ in range(2):
        run.turn(process.store, run.edit([b"K00", b"Kafter"], run.chance, 5000))
    run.look(process.store)


def _require_rest(run: Ordeal, process: Process) -> None:
    """A second recovery finds nothing to do."""
    process.recovery.run()
    before = _snapshot(run)
    process.recovery.run()
    after = _snapshot(run)
    if before != after:
        raise Lost(f"a second recovery changes {_changed(before, after)}")
    process.kill()


def _snapshot(run: Ordeal) -> dict[bytes, bytes]:
    items = {key: value for key, value in run.machine.index.items().items() if key != STATE_KEY}
    for platter in run.machine.platters:
        for name, data in platter.copy_files().items():
            items[b"blade %d: %s" % (platter.number, name.encode())] = data
    return items


def _changed(before: dict[bytes, bytes], after: dict[bytes, bytes]) -> list[bytes]:
    keys = before.keys() | after.keys()
    return sorted(key for key in keys if before.get(key) != after.get(key))[:5]


def _require_same_index(run: Ordeal) -> None:
    run.plug_in(run.chance)
    live = comparable(run.machine.index.items())
    run.machine.lose_index()
    process = run.start()
    rebuilt = comparable(run.machine.index.items())
    run.look(process.store)
    process.close()
    if live != rebuilt:
        raise Lost(f"the rebuilt index differs in {_changed(live, rebuilt)}")


def _lose_too_many(run: Ordeal) -> None:
    """Beyond what a pool can lose: an error for each object that is gone, nothing invented."""
    there = [platter.number for platter in run.machine.platters if not platter.gone]
    missing = run.chance.sample(there, min(len(there) - 1, run.chance.choice((1, 2, 3))))
    if not missing:
        return
    try:
        process = run.machine.start(missing=missing)
    except MaruError:
        return
    rows = process.store.scan(b"H", b"N", 1000)
    datas = process.store.read_many(Blobs.of([blob_of(row) for row in rows]))
    for row, data in zip(rows, datas, strict=True):
        if not isinstance(data, MaruError):
            run.figures.checked += 1
            if bytes(data) != run.model.state[row.key].data:
                raise WrongBytes(f"with blades {missing} missing too, {row.key!r} has other bytes")
    process.kill()
