"""A score: what a run reached on a view, and whether it may be called held-out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from maruhub.lab.row import decode, run_of_key
from maruhub.store.format.row import Row

Verdict = Literal["held-out", "leaked", "unverified"]
"""held-out: the run and its ancestry have read none of the samples, and that is known.
leaked: they have read some. unverified: nobody can tell what they have read."""

VERDICTS: tuple[Verdict, ...] = get_args(Verdict)


@dataclass(frozen=True, slots=True)
class Score:
    """One evaluation, as it is kept.

    Attributes:
        run: The run's id.
        view: The digest of what it was evaluated on.
        address: The same for people: ``cats@v3``.
        split: The split it belongs to, if one.
        samples: How many samples.
        metrics: The figures.
        verdict: See :data:`Verdict`.
        why: What stands against "held-out", in sentences; they name no samples.
        leaked: How many of the samples the run has read.
    """

    run: str
    view: str
    address: str
    split: str | None
    samples: int
    metrics: Mapping[str, float]
    verdict: Verdict
    why: tuple[str, ...] = ()
    leaked: int = 0
    actor: str = ""
    time_us: int = 0

    @property
    def held_out(self) -> bool:
        """Whether it may be called so."""
        return self.verdict == "held-out"

    def to_json(self) -> dict[str, Any]:
        """For faces: plain values."""
        return asdict(self) | {"metrics": dict(self.metrics), "why": list(self.why)}

    @classmethod
    def of_json(cls, told: Mapping[str, Any]) -> Score:
        """From what :meth:`to_json` gives; fields that a later release added are left out."""
        known = {name: told[name] for name in cls.__dataclass_fields__ if name in told}
        return cls(**{**known, "why": tuple(told["why"])})

    def __str__(self) -> str:
        figures = ", ".join(f"{name} {value:.4g}" for name, value in self.metrics.items())
        part = f" {self.split}" if self.split else ""
        why = f" ({' '.join(self.why)})" if self.why else ""
        return f"{self.verdict}: {figures} on {self.samples} samples of {self.address}{part}{why}"

    @classmethod
    def of_row(cls, row: Row) -> Score:
        """From a row ``Rs``."""
        payload = decode(row)
        metrics = {name: float(value) for name, value in payload.pop("metrics").items()}
        why = tuple(payload.pop("why"))
        return cls(
            run=run_of_key(row.key), metrics=metrics, why=why, actor=row.actor, time_us=row.time_us, **payload
        )
