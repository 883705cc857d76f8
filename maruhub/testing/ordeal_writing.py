"""What writers do in an ordeal."""

from __future__ import annotations

import random
from typing import Final

from maruhub.store.format.extent import Blob, extents_to_array
from maruhub.store.format.segment_class import SegmentClass
from maruhub.store.store import PoolStore
from maruhub.testing.ordeal import Deed, Ordeal
from maruhub.testing.ordeal_script import Op
from maruhub.testing.store_script import MANIFEST, Edit, State, Value, append_all, blob_of

_KEYS: Final = [b"K%02d" % number for number in range(16)]
_SIZES: Final = (0, 1, 10, 300, 4095, 4096, 4097, 9000, 20_000, 40_000, 70_000)
_LARGE: Final = (150_000, (1 << 20) + 5000)
_REMEMBERED: Final = 8


def _size(chance: random.Random) -> int:
    return chance.choice(_LARGE) if chance.random() < 0.02 else chance.choice(_SIZES)


def _new_edit(run: Ordeal, chance: random.Random) -> Edit:
    values: dict[bytes, Value | None] = {}
    for key in chance.sample(_KEYS, chance.choice((1, 1, 2, 4))):
        values |= run.edit([key], chance, _size(chance)).values
    kinds = (SegmentClass.RAW, SegmentClass.DERIVED, SegmentClass.META)
    return Edit(values, chance.choices(kinds, (10, 1, 1))[0])


def put(run: Ordeal, op: Op, chance: random.Random) -> None:
    """New objects, or new values of old ones."""
    run.turn(run.store(op), _new_edit(run, chance))


def remove(run: Ordeal, op: Op, chance: random.Random) -> None:
    """Their bytes are dead from now on, without delay."""
    store = run.store(op)
    keys = [key for key in _KEYS if key in run.model.state]
    gone = chance.sample(keys, min(len(keys), chance.choice((1, 2, 8))))
    run.turn(store, Edit(dict.fromkeys(gone, None)))


def _blob(store: PoolStore, key: bytes) -> Blob:
    row = store.get_many([key])[0]
    return () if row is None else tuple(blob_of(row))


def _objects(state: State) -> list[bytes]:
    return sorted(key for key in state if not key.startswith(MANIFEST))


def copy(run: Ordeal, op: Op, chance: random.Random) -> None:
    """Another name for bytes that are there."""
    store = run.store(op)
    if run.make_sure(store) and (keys := _objects(run.model.state)):
        source = chance.choice(keys)
        value = Value(b"copy", run.model.state[source].data)
        run.turn(store, Edit({chance.choice(_KEYS): value}), [_blob(store, source)])


def remember(run: Ordeal, op: Op, chance: random.Random) -> None:
    """A client keeps an address for later, the machine an old index and an old drive."""
    store = run.store(op)
    if run.make_sure(store):
        for key in _objects(run.model.state)[:_REMEMBERED]:
            run.remembered.append((run.model.state[key], _blob(store, key)))
        run.remembered = run.remembered[-_REMEMBERED:]
        run.old_indexes.append(run.machine.index.items())
        for number in run.suspects:
            run.old_drives[number] = run.machine.platters[number].copy_files()


def name_remembered(run: Ordeal, op: Op, chance: random.Random) -> None:
    """An address that may have died meanwhile: it is refused, or the bytes are there."""
    if run.remembered:
        store = run.store(op)
        if run.make_sure(store):
            value, blob = chance.choice(run.remembered)
            run.turn(store, Edit({chance.choice(_KEYS): Value(b"late", value.data)}), [blob])


def append(run: Ordeal, op: Op, chance: random.Random) -> None:
    """Bytes that are named later."""
    store = run.store(op)
    edit = _new_edit(run, chance)
    blobs = append_all(store, [edit])[0]
    run.appended.setdefault(op.process, []).append((edit, blobs))


def name_appended(run: Ordeal, op: Op, chance: random.Random) -> None:
    """They must not have been taken for dead meanwhile."""
    if run.appended.get(op.process) and op.process in run.living:
        edit, blobs = run.appended[op.process].pop(0)
        store = run.store(op)
        run.turn(store, edit, blobs)


def count(run: Ordeal, op: Op, chance: random.Random) -> None:
    """A client begins a manifest: takes the counter, looks what there is."""
    store = run.store(op)
    if run.make_sure(store):
        counter = store.commit(lambda rows: rows.counter)
        keys = _objects(run.model.state)
        keys = chance.sample(keys, min(len(keys), chance.choice((1, 3, 8))))
        seen = {key: (run.model.state[key], _blob(store, key)) for key in keys}
        run.counters = [*run.counters[-2:], (counter, seen)]


def freeze(run: Ordeal, op: Op, chance: random.Random) -> None:
    """Commits it, perhaps much later; what it names must live, or it is refused."""
    store = run.store(op)
    if run.counters and run.make_sure(store):
        counter, seen = run.counters.pop(chance.randrange(len(run.counters)))
        blob = tuple(extent for _, extents in seen.values() for extent in extents)
        data = b"".join(value.data for value, _ in seen.values())
        value = Value(extents_to_array(blob).tobytes(), data)
        key = MANIFEST + b"%d" % chance.randrange(3)
        run.turn(store, Edit({key: value}, snapshot=counter), [blob])


def melt(run: Ordeal, op: Op, chance: random.Random) -> None:
    """Manifests go."""
    store = run.store(op)
    keys = [key for key in run.model.state if key.startswith(MANIFEST)]
    run.turn(store, Edit(dict.fromkeys(chance.sample(keys, min(1, len(keys))), None)))


def hide(run: Ordeal, op: Op, chance: random.Random) -> None:
    """Objects are deleted, their bytes stay as hidden versions."""
    store = run.store(op)
    if run.make_sure(store):
        for key in [key for key in _KEYS if key in run.model.state][: chance.choice((1, 4))]:
            hidden = b"H%d" % chance.randrange(20)
            edit = Edit({key: None, hidden: run.model.state[key]})
            run.turn(store, edit, [_blob(store, key)])
            if run.model.unknown:
                return


def expire(run: Ordeal, op: Op, chance: random.Random) -> None:
    """The time of all hidden versions is over."""
    store = run.store(op)
    hidden = [key for key in run.model.state if key.startswith(b"H")]
    run.turn(store, Edit(dict.fromkeys(hidden, None)))


WRITING: Final[dict[str, Deed]] = {
    "put": put,
    "remove": remove,
    "copy": copy,
    "remember": remember,
    "name what was remembered": name_remembered,
    "append": append,
    "name what was appended": name_appended,
    "count": count,
    "freeze": freeze,
    "melt": melt,
    "hide": hide,
    "expire": expire,
}
