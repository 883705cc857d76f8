"""A loader's state: which samples, which order, how far. Pure; JSON in and out.

``{"format": 1, "source": digest, "seed": 7, "epoch": 2, "position": 4096}``. It knows no
rank, world, batch size or worker, so it is equal on all ranks and fits any of them later.
``seed`` is null for the unshuffled sequence. A state of an order that is neither of these two
says so, as format 2: ``{…, "order": {"kind": "blocks", "rows": 64, "window": 64}}``. Releases
that know format 1 alone refuse it, instead of going on in an order of their own. So does one of
an epoch that newer versions have joined: ``{…, "joined": [[digest, position, new, old]]}``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from maruhub import argument
from maruhub.errors import InvalidInput, StateMismatch, UnsupportedFormat
from maruhub.loaders.permutation import SEED_MAX
from maruhub.loaders.plan import Place

FORMAT: Final = 2
_PLAIN: Final = 1
PLAIN_ORDERS: Final[tuple[dict[str, Any], ...]] = ({"kind": "shuffled"}, {"kind": "sequential"})
"""Those that the seed alone tells apart, without and with one being null."""


class Joining(NamedTuple):
    """A version or view that joined the epoch: its digest, where, and by which rule."""

    source: str
    position: int
    new: int
    old: int


@dataclass(frozen=True, slots=True)
class LoaderState:
    """What ``state_dict`` returns, checked.

    Attributes:
        source: The digest of the samples.
        seed: The seed; None: the order has none.
        order: What the order is, as its policy tells it.
        place: How far.
        joined: What has joined the epoch since it began.
    """

    source: str
    seed: int | None
    order: dict[str, Any]
    place: Place
    joined: tuple[Joining, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """A new small dict of JSON values each time: callers keep it without copying."""
        plain = self.order in PLAIN_ORDERS and not self.joined
        state: dict[str, Any] = {
            "format": _PLAIN if plain else FORMAT,
            "source": self.source,
            "seed": self.seed,
            "epoch": self.place.epoch,
            "position": self.place.position,
        }
        if not plain:
            state["order"] = dict(self.order)
        if self.joined:
            state["joined"] = [list(each) for each in self.joined]
        return state

    @classmethod
    def from_dict(cls, state: object) -> LoaderState:
        """Reads what :meth:`to_dict` wrote; the dict may come from anywhere.

        Raises InvalidInput for what is no loader state, UnsupportedFormat for a newer one.
        """
        if not isinstance(state, Mapping) or _count(state, "format") is None:
            raise InvalidInput("this is not a loader's state.", hint="Load what `state_dict()` returned.")
        if state["format"] not in (_PLAIN, FORMAT):
            raise UnsupportedFormat(
                f"the loader's state has format {state['format']}, this release reads up to {FORMAT}.",
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
        return cls(source, seed, _order(state, seed), Place(epoch, position), _joined(state))

    def check_source(self, now: LoaderState) -> None:
        """StateMismatch unless it is of the samples of the loader whose state is ``now``."""
        if self.source != now.source:
            raise StateMismatch(
                f"the state belongs to the version or view {self.source}, this loader reads {now.source}.",
                hint="Open the view of the state (`hub.view(digest)`), or start without the state.",
            )

    def check(self, now: LoaderState, size: int) -> Place:
        """The place, if it belongs to the order of the loader whose state is ``now``; else StateMismatch."""
        if self.place != Place(0, 0):
            self._check_order(now)
        if self.place.position > size:
            raise StateMismatch(
                f"the state is at position {self.place.position} of {size} in view {self.source}."
            )
        whole = self.place.position == size
        return Place(self.place.epoch + 1, 0) if whole and size else self.place

    def _check_order(self, now: LoaderState) -> None:
        # Before the seeds: an order without one has another seed than any that has.
        if self.order != now.order:
            raise StateMismatch(
                f"the state of view {self.source} was made in the order {_shown(self.order)}, "
                f"this loader has {_shown(now.order)}.",
                hint="Make the loader with the same order and samples_per_epoch, or start without the state.",
            )
        if self.seed != now.seed:
            raise StateMismatch(
                f"the state of view {self.source} belongs to the order of seed {self.seed}, "
                f"this loader (view {now.source}) has seed {now.seed}.",
                hint=f"Make the loader with seed={self.seed}.",
            )


def _order(state: Mapping[Any, Any], seed: int | None) -> dict[str, Any]:
    if state["format"] == _PLAIN:
        return dict(PLAIN_ORDERS[seed is None])
    order = state.get("order")
    if not isinstance(order, Mapping) or not isinstance(order.get("kind"), str):
        raise InvalidInput("the loader's state has no proper order.", hint="Load it unaltered.")
    return dict(order)


def _joined(state: Mapping[Any, Any]) -> tuple[Joining, ...]:
    """Each a digest and three numbers: where it joined and by which rule."""
    told = state.get("joined", [])
    if not isinstance(told, list):
        raise InvalidInput("what joined the loader's state is no list.", hint="Load it unaltered.")
    found = []
    for each in told:
        if not isinstance(each, list | tuple) or len(each) != 4 or not isinstance(each[0], str):
            raise InvalidInput("what joined the loader's state can't be read.", hint="Load it unaltered.")
        numbers = [
            argument.whole("a number of what joined", n, low=int(i > 0)) for i, n in enumerate(each[1:])
        ]
        found.append(Joining(each[0], *numbers))
    return tuple(found)


def _shown(order: Mapping[str, Any]) -> str:
    """``blocks (rows=64, window=64)``."""
    fields = ", ".join(f"{name}={value!r}" for name, value in order.items() if name != "kind")
    text = f"{order['kind']} ({fields})" if fields else str(order["kind"])
    return text if len(text) <= 200 else f"{text[:199]}…"


def _count(state: Mapping[Any, Any], name: str) -> int | None:
    """A field that must be a whole number; None for anything else."""
    value = state.get(name)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= SEED_MAX:
        return value
    return None
