"""A script of operations on a store, made from a seed, beside the model of what it must keep.

The model's law: an acknowledged change is there whole and for ever; a refused one left
nothing; one whose outcome nobody learnt (the process died, a drive failed) is there whole
or not at all, and not at all once anything later was acknowledged.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from maruhub.errors import MaruError
from maruhub.store.format.extent import EXTENT_DTYPE, Blob, Blobs, ExtentArray, array_to_extents
from maruhub.store.format.row import Row
from maruhub.store.format.segment_class import SegmentClass
from maruhub.store.protocol import Proposal, Rows
from maruhub.store.store import PoolStore

SIZES = (0, 1, 100, 4095, 4096, 4097, 9000, 20_000, 70_000)
_KEYS = [b"K%02d" % number for number in range(12)]
_FIRST, _STOP = b"H", b"N"
"""Of all keys that scripts use: hidden ones, objects' and manifests'."""
MANIFEST = b"M"


class Planned(Exception):
    """What a change raises to be refused."""


@dataclass(frozen=True)
class Value:
    """What a key holds: the payload and the blob's bytes."""

    payload: bytes
    data: bytes


State = dict[bytes, Value]


@dataclass(frozen=True)
class Edit:
    """One change: keys to their new values, None for a removal; ``refused`` ones raise.

    ``snapshot``: as of which what a manifest among them names was alive.
    """

    values: dict[bytes, Value | None]
    segment_class: SegmentClass = SegmentClass.RAW
    refused: bool = False
    snapshot: int = 0

    def applied(self, state: State) -> State:
        """The state after it."""
        after = {**state, **{key: value for key, value in self.values.items() if value}}
        return {key: value for key, value in after.items() if self.values.get(key, value) is not None}


@dataclass(frozen=True)
class Step:
    """``edits`` in one turn, by process ``process``; ``kind``: turn, append, close, checkpoint."""

    kind: str
    process: int
    edits: tuple[Edit, ...] = ()


def make_script(seed: int, length: int) -> list[Step]:
    """The steps of a seed."""
    chance = random.Random(seed)
    steps = []
    processes = chance.choice((1, 1, 2, 3))
    for number in range(length):
        kind = chance.choices(("turn", "append", "close", "checkpoint"), (20, 2, 1.5, 1))[0]
        edits = tuple(
            _make_edit(chance, f"{seed}.{number}.{i}") for i in range(chance.choice((1, 1, 1, 2, 4)))
        )
        steps.append(Step(kind, chance.randrange(processes), edits))
    return steps


def _make_edit(chance: random.Random, name: str) -> Edit:
    values: dict[bytes, Value | None] = {}
    for key in chance.sample(_KEYS, chance.choice((1, 1, 1, 2, 5))):
        size = chance.choice(SIZES)
        value = Value(b"%s/%s" % (name.encode(), key), chance.randbytes(size))
        values[key] = None if chance.random() < 0.2 else value
    classes = (SegmentClass.RAW, SegmentClass.DERIVED, SegmentClass.META)
    return Edit(values, chance.choices(classes, (8, 1, 1))[0], refused=chance.random() < 0.1)


class Lost(AssertionError):
    """A store broke its promise."""


class WrongBytes(Lost):
    """It shows what nobody ever put there."""


@dataclass
class Model:
    """What must be there. ``past``: every state that was ever acknowledged, oldest first."""

    state: State = field(default_factory=dict)
    unknown: list[State] = field(default_factory=list)
    past: list[State] = field(default_factory=lambda: [{}])
    acknowledged: int = 0

    def acknowledge(self, edits: Sequence[Edit]) -> None:
        """These changes were acknowledged, in this order."""
        self.state, *self.unknown = (_after(state, edits) for state in (self.state, *self.unknown))
        self.acknowledged += len(edits)
        self.past.append(self.state)

    def doubt(self, edits: Sequence[Edit]) -> None:
        """Nobody learnt what became of this turn."""
        self.unknown += [_after(state, edits) for state in (self.state, *self.unknown)]

    def settle(self, store: PoolStore, *, any_past: bool = False) -> None:
        """Reads everything; raises ``Lost`` unless it is a state that may be."""
        self.observe(store, any_past=any_past)
        self.unknown = []

    def observe(self, store: PoolStore, *, any_past: bool = False) -> int:
        """The same, but outcomes that nobody learnt may still show themselves.

        (Until a later change is acknowledged.) What was seen once has to stay. Returns the
        number of objects read.
        """
        seen = read_state(store)
        allowed = [self.state, *self.unknown, *(self.past if any_past else ())]
        if seen not in allowed:
            invented = [key for key in seen if seen[key] not in [state.get(key) for state in allowed]]
            kind = WrongBytes if invented else Lost
            raise kind(_difference(seen, self.state) + f"; {len(self.unknown)} outcomes unknown")
        self.state = seen
        return len(seen)


def _after(state: State, edits: Sequence[Edit]) -> State:
    for edit in edits:
        state = edit.applied(state)
    return state


def read_state(store: PoolStore) -> State:
    """Everything that the store shows, every byte verified."""
    rows = store.scan(_FIRST, _STOP, 1000)
    blobs = store.read_many(Blobs.of([blob_of(row) for row in rows]))
    state = {}
    for row, data in zip(rows, blobs, strict=True):
        if isinstance(data, MaruError):
            raise Lost(f"{row.key!r}: {data}")
        state[row.key] = Value(row.payload, bytes(data))
    return state


def blob_of(row: Row) -> Blob:
    """The extents behind a row: its own, or those that a manifest's bytes point to."""
    if row.key.startswith(MANIFEST):
        return array_to_extents(pointed_to(row))
    return tuple(row.extents)


def pointed_to(row: Row) -> ExtentArray:
    """What the bytes of a manifest's row point to: in scripts they are its payload."""
    return np.frombuffer(row.payload, EXTENT_DTYPE)


def _difference(seen: State, wanted: State) -> str:
    lost = sorted(wanted.keys() - seen.keys())
    more = sorted(seen.keys() - wanted.keys())
    other = sorted(key for key in seen.keys() & wanted.keys() if seen[key] != wanted[key])
    return f"lost {lost}, not expected {more}, other values {other}"


def run_step(store: PoolStore, step: Step, model: Model) -> None:
    """Does a step and tells the model its outcome, then raises what the store raised."""
    if step.kind == "append":
        append_all(store, step.edits)
    elif step.kind == "checkpoint":
        store.checkpoint()
    elif step.kind == "turn":
        run_turn(store, step.edits, model)
        if model.unknown and not all(edit.refused for edit in step.edits):
            model.settle(store)


def append_all(store: PoolStore, edits: Sequence[Edit]) -> list[list[Blob]]:
    """Appends the bytes of edits; returns each edit's blobs, in its order of keys."""
    return [
        store.append([value.data for value in edit.values.values() if value], edit.segment_class)
        for edit in edits
    ]


def run_turn(store: PoolStore, edits: Sequence[Edit], model: Model) -> None:
    """Commits edits in one turn; refused ones are raised from their change and must be heard."""
    blobs = append_all(store, edits)
    commit_turn(store, edits, blobs, model)


def commit_turn(store: PoolStore, edits: Sequence[Edit], blobs: Sequence[list[Blob]], model: Model) -> None:
    """The second half of ``run_turn``: the bytes have been appended."""
    proposals: list[Proposal[None]] = [
        Proposal(lambda rows, edit=edit, own=own: _stage(rows, edit, own), "script")  # type: ignore[misc]
        for edit, own in zip(edits, blobs, strict=True)
    ]
    wanted = [edit for edit in edits if not edit.refused]
    try:
        outcomes = store.commit_each(proposals)
        errors = [outcome if isinstance(outcome, Exception) else None for outcome in outcomes]
        failed = [error for error in errors if error is not None and not isinstance(error, Planned)]
        if failed:
            raise failed[0]
    except BaseException:
        model.doubt(wanted)
        raise
    if any(edit.refused != isinstance(error, Planned) for edit, error in zip(edits, errors, strict=True)):
        raise Lost("a refused change was acknowledged, or the other way round")
    model.acknowledge(wanted)


def _stage(rows: Rows, edit: Edit, blobs: list[Blob]) -> Any:
    left = iter(blobs)
    for key, value in edit.values.items():
        if value is None:
            rows.remove(key)
        elif key.startswith(MANIFEST):
            segments = sorted({extent.segment for extent in next(left)})
            rows.put(key, value.payload, segments=segments, snapshot=edit.snapshot)
        else:
            rows.put(key, value.payload, extents=next(left))
    if edit.refused:
        raise Planned
