"""Long scripts for a whole pool, made from a seed: writers, acts on segments, and misfortunes.

An operation carries a seed of its own, so that leaving out the others changes nothing in
what it draws: a red script can be cut down to what it takes.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

WRITING: Final = {
    "put": 16,
    "remove": 4,
    "copy": 3,
    "remember": 3,
    "name what was remembered": 3,
    "append": 3,
    "name what was appended": 3,
    "count": 2,
    "freeze": 3,
    "melt": 2,
    "hide": 3,
    "expire": 2,
}
CARE: Final = {
    "close logs": 5,
    "recut": 9,
    "recut all": 2,
    "rebuild": 5,
    "sweep": 2,
    "checkpoint": 2,
    "checkpoint and recut": 2,
    "heal": 1.5,
}
MISFORTUNE: Final = {
    "close": 2,
    "kill": 2,
    "cut power": 2,
    "lose index": 1,
    "put back index": 1,
    "unplug": 1.5,
    "plug": 1.5,
    "rot": 2,
    "swap blocks": 1,
    "fault": 5,
    "fill": 1,
    "make room": 1.5,
    "add blade": 0.4,
    "look": 1,
}
ALL: Final = WRITING | CARE | MISFORTUNE
MEANWHILE: Final = WRITING | {"unplug": 1.5, "rot": 1, "fault": 1, "recut": 2, "sweep": 1, "cut power": 0.3}
"""What others do in the middle of an act."""

THEMES: Final = (
    ("remember", "remove", "remove", "close logs", "recut all/name what was remembered"),
    ("remember", "remove", "close logs", "recut all", "name what was remembered"),
    ("count", "remove", "close logs", "recut all/freeze", "freeze"),
    ("append", "put", "close logs", "recut all", "name what was appended"),
    ("close logs", "recut all", "put", "recut all!", "lose index"),
    ("close logs", "recut all", "rot", "rebuild", "rebuild", "rebuild", "heal"),
    ("unplug", "remove", "checkpoint and recut", "checkpoint and recut", "plug", "lose index"),
)
"""What seldom comes together by chance: kinds in their order, with what happens meanwhile (/) or
a death in it (!)."""


@dataclass(frozen=True)
class Op:
    """One operation.

    Args:
        kind: What is done, of ``ALL``.
        process: Who does it.
        draw: The seed of all it draws.
        dies_at: The call, counted within it, in which its process dies (0: none).
        meanwhile: What another process does during it.
        meanwhile_at: From which call on that may happen.
    """

    kind: str
    process: int
    draw: int
    dies_at: int = 0
    meanwhile: Op | None = None
    meanwhile_at: int = 0

    def __str__(self) -> str:
        said = f"{self.process}: {self.kind}"
        said += f", dies in call {self.dies_at}" if self.dies_at else ""
        return said + (f", meanwhile from {self.meanwhile_at} on {self.meanwhile}" if self.meanwhile else "")


def make_ops(seed: int, length: int) -> tuple[Op, ...]:
    """The script of a seed."""
    chance = random.Random(f"ops {seed}")
    processes = chance.choice((1, 1, 2, 3))
    # Some begin with so much that acts have something to work on.
    ops = [Op("put", 0, chance.getrandbits(32)) for _ in range(chance.choice((0, 3, 8)))]
    while len(ops) < length:
        if chance.random() < 0.06:
            process = chance.randrange(processes)
            ops += [_of_theme(chance, word, process, processes) for word in chance.choice(THEMES)]
        else:
            ops.append(_make_op(chance, processes))
    return tuple(ops)


def _of_theme(chance: random.Random, word: str, process: int, processes: int) -> Op:
    kind, _, other = word.rstrip("!").partition("/")
    meanwhile = Op(other, _other(process, processes), chance.getrandbits(32)) if other else None
    dies_at = int(2 ** chance.uniform(3, 8)) if word.endswith("!") else 0
    return Op(kind, process, chance.getrandbits(32), dies_at, meanwhile, int(2 ** chance.uniform(3, 6)))


def _make_op(chance: random.Random, processes: int) -> Op:
    kind = _drawn(chance, ALL)
    process = chance.randrange(processes)
    dies_at = int(2 ** chance.uniform(0, 8)) if chance.random() < 0.12 else 0
    meanwhile = None
    if kind in CARE and chance.random() < 0.4:
        other = _other(process, processes)
        meanwhile = Op(_drawn(chance, MEANWHILE), other, chance.getrandbits(32))
    return Op(kind, process, chance.getrandbits(32), dies_at, meanwhile, int(2 ** chance.uniform(0, 7)))


def _other(process: int, processes: int) -> int:
    return processes if processes == 1 else (process + 1) % processes


def _drawn(chance: random.Random, weights: dict[str, float]) -> str:
    return chance.choices(list(weights), list(weights.values()))[0]
