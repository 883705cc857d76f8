"""What a benchmark is: sides measured in turns in one run, compared round by round.

A benchmark module has ``TITLE`` and ``measure(bench: Bench) -> None``. It lays its data in
``bench.scratch``, and adds groups of sides, comparisons with the figure to reach, and curves.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

T = TypeVar("T")
Better = Literal["higher", "lower"]


@dataclass(frozen=True)
class Group:
    """Sides measured in the same rounds: ``sides[name][round]``, in ``unit``."""

    title: str
    unit: str
    sides: dict[str, list[float]]
    better: Better = "higher"


@dataclass(frozen=True)
class Comparison:
    """The ratio of two sides in every round; ``at_least`` is what to reach, None: reported."""

    title: str
    ours: str
    peer: str
    ratios: list[float]
    at_least: float | None

    @property
    def median(self) -> float:
        return statistics.median(self.ratios)

    @property
    def reached(self) -> bool | None:
        return None if self.at_least is None else self.median >= self.at_least


@dataclass(frozen=True)
class Limit:
    """A figure that must stay at or below ``at_most``."""

    title: str
    unit: str
    value: float
    at_most: float

    @property
    def reached(self) -> bool:
        return self.value <= self.at_most


@dataclass(frozen=True)
class Curve:
    """Lines over a common axis; a line is a list of (x, y).

    ``phases`` are stretches of the axis with a name each: (begin, end, name).
    """

    title: str
    x_label: str
    y_label: str
    lines: dict[str, list[tuple[float, float]]]
    log_x: bool = False
    log_y: bool = False
    phases: list[tuple[float, float, str]] = field(default_factory=list)


@dataclass
class Bench:
    """One benchmark on its way: its scale, its folder, what it found."""

    scratch: Path
    quick: bool
    groups: list[Group] = field(default_factory=list)
    comparisons: list[Comparison] = field(default_factory=list)
    limits: list[Limit] = field(default_factory=list)
    curves: list[Curve] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def pick(self, full: T, quick: T) -> T:
        """The value for this scale."""
        return quick if self.quick else full

    def group(
        self, title: str, unit: str, sides: Mapping[str, list[float]], better: Better = "higher"
    ) -> Group:
        """Adds a group of sides."""
        self.groups.append(Group(title, unit, dict(sides), better))
        return self.groups[-1]

    def compare(self, group: Group, ours: str, peer: str, *, at_least: float | None = None) -> None:
        """Adds the ratio of two sides of a group (more than 1: ours is better)."""
        pairs = zip(group.sides[ours], group.sides[peer], strict=True)
        ratios = [a / b if group.better == "higher" else b / a for a, b in pairs]
        self.comparisons.append(Comparison(group.title, ours, peer, ratios, at_least))

    def limit(self, title: str, unit: str, value: float, *, at_most: float) -> None:
        """Adds a figure with its bound."""
        self.limits.append(Limit(title, unit, value, at_most))

    def curve(
        self,
        title: str,
        x_label: str,
        y_label: str,
        lines: Mapping[str, list[tuple[float, float]]],
        *,
        log_x: bool = False,
        log_y: bool = False,
        phases: Sequence[tuple[float, float, str]] = (),
    ) -> None:
        """Adds lines over a common axis."""
        self.curves.append(Curve(title, x_label, y_label, dict(lines), log_x, log_y, list(phases)))

    def note(self, text: str) -> None:
        """Says what a reader must know to read the figures."""
        self.notes.append(text)

    def to_json(self) -> dict[str, Any]:
        """Everything as plain values."""
        return {
            "groups": [asdict(group) for group in self.groups],
            "comparisons": [
                asdict(one) | {"median": one.median, "reached": one.reached} for one in self.comparisons
            ],
            "limits": [asdict(one) | {"reached": one.reached} for one in self.limits],
            "curves": [asdict(curve) for curve in self.curves],
            "notes": self.notes,
        }


def in_turns(
    sides: Mapping[str, Callable[[], float]],
    rounds: int,
    *,
    before: Callable[[], None] | None = None,
    warm_up: bool = False,
) -> dict[str, list[float]]:
    """Each round calls every side once, beginning with another each time.

    A side returns its figure. ``before`` runs before each call, unmeasured.
    """
    names = list(sides)
    found: dict[str, list[float]] = {name: [] for name in names}
    for number in range(-1 if warm_up else 0, rounds):
        shift = number % len(names)
        for name in names[shift:] + names[:shift]:
            if before is not None:
                before()
            value = sides[name]()
            if number >= 0:
                found[name].append(value)
    return found


def rate(count: float, act: Callable[[], object]) -> float:
    """``count`` a second of one call."""
    begun = time.perf_counter()
    act()
    return count / (time.perf_counter() - begun)


def seconds(act: Callable[[], object]) -> float:
    """Seconds of one call."""
    return 1 / rate(1, act)


def spread(values: Sequence[float]) -> tuple[float, float, float]:
    """Lowest, median and highest."""
    return min(values), statistics.median(values), max(values)
