"""A loader's state: which samples, which order, how far. Pure; JSON in and out.

``{"format": 1, "source": digest, "seed": 7, "epoch": 2, "position": 4096}``. It knows no
rank, world, batch size or worker, so it is equal on all ranks and fits any of them later.
``seed`` is null for the unshuffled sequence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from maruhub.errors import InvalidInput, StateMismatch, UnsupportedFormat
from maruhub.loaders.permutation import SEED_MAX
from maruhub.loaders.plan import Place

FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class LoaderState:
    """What ``state_dict`` returns, checked."""

    source: str
    seed: int | None
    place: Place

    def to_dict(self) -> dict[str, Any]:
        """A new small dict of JSON values each time: callers keep it without copying."""
        return {
            "format": FORMAT,
            "source": self.source,
            "seed": self.seed,
            "epoch": self.place.epoch,
            "position": self.place.position,
        }

    @classmethod
    def from_dict(cls, state: object) -> LoaderState:
        """Reads what :meth:`to_dict` wrote; the dict may come from anywhere.

        Raises InvalidInput for what is no loader state, UnsupportedFormat for a newer one.
        """
        if not isinstance(state, Mapping) or _count(state, "format") is None:
            raise InvalidInput("this is not a loader's state.", hint="Load what `state_dict()` returned.")
        if state["format"] != FORMAT:
            raise UnsupportedFormat(
                f"the loader's state has format {state['format']}, this release reads {FORMAT}.",
                hint="Upgrade MaruHub.",
            )
        source, seed = state.get("source"), _count(state, "seed")
        epoch, position = _count(state, "epoch"), _count(state, "position")
        if not isinstance(source, str) or (seed is None and state.get("seed", 0) is not None):
            raise InvalidInput("the loader's state has no proper source or seed.", hint="Load it unaltered.")
        if epoch is None or position is None:
            raise InvalidInput(
                "the loader's state has no proper epoch or position.", hint="Load it unaltered."
            )
        return cls(source, seed, Place(epoch, position))

    def check(self, *, source: str, seed: int | None, size: int) -> Place:
        """The place, if it belongs to this source and order; else StateMismatch."""
        if self.source != source:
            raise StateMismatch(
                f"the state belongs to the version or view {self.source}, this loader reads {source}.",
                hint="Open the view of the state (`hub.view(digest)`), or start without the state.",
            )
        if self.seed != seed and self.place != Place(0, 0):
            raise StateMismatch(
                f"the state of view {self.source} belongs to the order of seed {self.seed}, "
                f"this loader (view {source}) has seed {seed}.",
                hint=f"Make the loader with seed={self.seed}.",
            )
        if self.place.position > size:
            raise StateMismatch(f"the state is at position {self.place.position} of {size} in view {source}.")
        whole = self.place.position == size
        return Place(self.place.epoch + 1, 0) if whole and size else self.place


def _count(state: Mapping[Any, Any], name: str) -> int | None:
    """A field that must be a whole number; None for anything else."""
    value = state.get(name)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= SEED_MAX:
        return value
    return None
