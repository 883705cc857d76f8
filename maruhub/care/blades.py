"""Blades as people know them: by number and folder, in the order in which the hub was given them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from maruhub.store.hub_file import read_hub_file
from maruhub.store.pool import FoundPool

_NEW: Final = "was added a moment ago"


@dataclass(frozen=True, slots=True)
class NamedBlade:
    """A blade of the pool. ``problem`` says why it doesn't answer, and is empty if it does."""

    id: str
    number: int
    path: str
    problem: str

    def __str__(self) -> str:
        return f"blade {self.number} ({self.path})"


def name_blades(hub: Path, found: FoundPool) -> list[NamedBlade]:
    """All blades of the pool, missing ones too, by number.

    Args:
        hub: The hub's folder, whose list of blades gives them their numbers.
        found: Which answer.
    """
    problems = found.blades.problems
    seen = problems.keys() | found.blades.answering
    named = [
        NamedBlade(
            id=place.blade_id.hex(),
            number=place.number,
            path=str(place.path),
            problem=_alone(place.path, problems.get(place.blade_id, "" if place.blade_id in seen else _NEW)),
        )
        for place in read_hub_file(hub).blades
    ]
    return sorted(named, key=lambda blade: blade.number)


def _alone(path: Path, problem: str) -> str:
    """What is wrong, without the path in front: that is told already."""
    return problem.removeprefix(str(path)).lstrip(": ")
