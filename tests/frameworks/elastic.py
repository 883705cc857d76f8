"""An epoch shared by any number of ranks, stopped anywhere, and gone on with by any other number.

The suite for what adapters promise of states. And a chain: one epoch that each framework reads a leg
of, from the state that the one before left behind. Frameworks stand in environments of their own, so
the states of the chain are frozen here; ``tests/unit/adapters/test_chain.py`` checks that its legs meet.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from tests.frameworks.samples import SAMPLES, number_of

WORLDS = (1, 2, 3, 5, 8)
SEED = 7
_BATCH = 4
_SOURCE = "9fe821858291209d0420911b0df101a8d04d92fe1cbd119d2db73fb7ea6daa0b"


class Share(NamedTuple):
    """What one rank is to read: up to ``steps`` batches from ``state`` on."""

    state: dict[str, Any]
    rank: int
    world: int
    batch_size: int
    steps: int | None


Read = Callable[[Any, Share], tuple[list[list[int]], dict[str, Any]]]
"""From a view and a share to the numbers of the samples, batch by batch, and the hub's state after them."""


class Leg(NamedTuple):
    """What one framework reads of the chain."""

    framework: str
    world: int
    batch_size: int
    steps: int | None
    before: int
    after: int


CHAIN = (
    Leg("torch", 2, 8, 3, before=0, after=48),
    Leg("tensorflow", 3, 5, 2, before=48, after=78),
    Leg("keras", 1, 16, 1, before=78, after=94),
    Leg("grain", 2, 4, 2, before=94, after=110),
    Leg("jax", 1, 10, 1, before=110, after=120),
    Leg("ray", 1, 1, 20, before=120, after=140),
    Leg("huggingface", 1, 1, 23, before=140, after=163),
    Leg("sklearn", 2, 4, 2, before=163, after=179),
    Leg("dask", 1, 1, None, before=179, after=SAMPLES),
)


def state_at(position: int) -> dict[str, Any]:
    """The frozen state of the chain at a position of its only epoch."""
    epoch, position = divmod(position, SAMPLES)
    return {"format": 1, "source": _SOURCE, "seed": SEED, "epoch": epoch, "position": position}


def in_order(view: Any) -> list[int]:
    """The whole epoch, by the hub's own loader."""
    return [number_of(blob) for batch in view.batches(SAMPLES, seed=SEED) for blob in batch.blobs]


def check_leg(view: Any, framework: str, read: Read) -> None:
    """A framework goes on where the one before it stopped, and leaves the state for the next one."""
    leg = next(leg for leg in CHAIN if leg.framework == framework)
    share = Share(state_at(leg.before), 0, leg.world, leg.batch_size, leg.steps)
    assert _together(view, read, share, state_at(leg.after)) == in_order(view)[leg.before : leg.after]


def check_worlds(view: Any, read: Read, *, stops: int | None = None) -> None:
    """Exactly once, in the same order, whatever the worlds before and after a stop; tail included.

    Args:
        view: The samples of :mod:`tests.frameworks.samples`.
        read: The adapter.
        stops: How many places to stop at in each world, evenly; None: after every step.
    """
    whole = in_order(view)
    for world, other in zip(WORLDS, (*WORLDS[1:], WORLDS[0]), strict=True):
        stride = world * _BATCH
        for step in _stops(-(-SAMPLES // stride), stops):
            position = min(step * stride, SAMPLES)
            first = Share(state_at(0), 0, world, _BATCH, step)
            begun = _together(view, read, first, state_at(position))
            if position == SAMPLES:
                assert begun == whole, (world, step)
                continue
            rest = _together(view, read, Share(state_at(position), 0, other, _BATCH, None), state_at(SAMPLES))
            assert begun + rest == whole, (world, other, step)


def _together(view: Any, read: Read, share: Share, after: dict[str, Any]) -> list[int]:
    """What all ranks read, in the order of steps and ranks; each must end in ``after``."""
    ranks: list[Sequence[list[int]]] = []
    for rank in range(share.world):
        got, state = read(view, share._replace(rank=rank))
        assert json.loads(json.dumps(state)) == after, (share, rank)
        ranks.append(got)
    return [n for step in itertools.zip_longest(*ranks, fillvalue=[]) for batch in step for n in batch]


def _stops(steps: int, wanted: int | None) -> list[int]:
    if wanted is None:
        return list(range(1, steps + 1))
    return sorted({1, *(steps * i // wanted for i in range(1, wanted + 1))} - {0})
