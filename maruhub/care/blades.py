"""Blades as people know them: by number and folder, in the order in which the hub was given them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from maruhub.store.pool import HUB_FILE, FoundPool


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
        hub: The hub's folder, whose list of blades counts them from 0.
        found: Which answer.
    """
    known = [(blade.blade_id.hex(), str(blade.root), "") for blade in found.local_blades]
    missing = zip(found.blades.missing, found.problems.items(), strict=False)
    for blade_id, (path, problem) in missing:
        known.append((blade_id.hex(), str(path), _alone(path, problem)))
    order = {id: number for number, id in enumerate(_listed(hub))}
    last = len(order)
    named = [NamedBlade(id, order.get(id, last), path, problem) for id, path, problem in known]
    return sorted(named, key=lambda blade: blade.number)


def _listed(hub: Path) -> list[str]:
    """Ids in the order of the hub's own file; opening the hub has found it whole."""
    stored = json.loads((hub / HUB_FILE).read_text())
    return [str(blade["id"]) for blade in stored["blades"]]


def _alone(path: Path, problem: str) -> str:
    """What is wrong, without the path in front: that is told already."""
    return problem.removeprefix(str(path)).lstrip(": ")
