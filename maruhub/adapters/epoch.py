"""One epoch of a view as pieces that any thread, process or machine may read.

For frameworks that plan reading themselves and ask for pieces by number: tf.data, Grain, Dask, Ray,
Spark, Hugging Face. The order is that of the loader, a pure function of position, so a piece is a
pair of numbers, and what was consumed is one number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from maruhub import argument
from maruhub.errors import InvalidInput
from maruhub.loaders import Batch, Batches
from maruhub.loaders.plan import Place, Step
from maruhub.loaders.walk import read_each, read_planned


class Epoch:
    """The positions ``position … len`` of an epoch. Goes to other processes; safe from many threads.

    Args:
        view: The samples.
        number: Which epoch, from 0.
        state: Where to go on, as any of the hub's loaders says it; instead of ``number``.
        options: Those of :class:`maruhub.loaders.Batches` that say what comes when and what
            becomes of bad samples: ``seed``, ``shuffle``, ``order``, ``on_error``, ``run``, ….

    Raises:
        StateMismatch: The state belongs to other samples or another order.
        InvalidInput: An option that is none here, or a state of an epoch that others joined.
    """

    def __init__(
        self, view: Any, number: int | None = None, *, state: Mapping[str, Any] | None = None, **options: Any
    ) -> None:
        if state is not None and number is not None:
            raise InvalidInput(
                "both a state and an epoch's number are given.", hint="The state says the number."
            )
        for name in options.keys() & {"rank", "world", "epochs", "prefetch", "remainder"}:
            raise InvalidInput(f"{name} is no option here: the framework decides who reads what, and when.")
        self.view = view
        self._batches: Batches = view.batches(1, prefetch=0, **options)
        if state is not None:
            self._batches.load_state_dict(state)
        elif number is not None:
            self._batches.consumed(Place(argument.whole("an epoch's number", number, low=0), 0))
        now = self._batches.state_dict()
        if now.get("joined"):
            raise InvalidInput(
                "newer samples have joined the epoch of this state: it can't be cut into pieces.",
                hint="Finish it with view.batches(…); the next epoch can be.",
            )
        self.number: int = now["epoch"]
        self.position: int = now["position"]

    def __len__(self) -> int:
        """Positions of the whole epoch."""
        return self._batches.samples_an_epoch

    def __repr__(self) -> str:
        state = self._batches.state_dict()
        # Frameworks keep it in their own states: it may change only when what it reads does.
        return f"Epoch({', '.join(f'{name}={value!r}' for name, value in state.items())})"

    def pieces(self, samples: int) -> list[tuple[int, int]]:
        """What is left, cut into ``(start, stop)`` of so many samples; the last may be shorter."""
        samples = argument.whole("samples of a piece", samples, low=1)
        size = len(self)
        return [(start, min(start + samples, size)) for start in range(self.position, size, samples)]

    def read(self, start: int, stop: int, *, number: int | None = None) -> Batch:
        """The samples at positions ``start … stop``, read now and in this thread.

        ``number`` is another epoch's, of the same order.
        """
        number = self.number if number is None else number
        return read_planned(self.view, self._batches.planned(number, start, stop)).batch

    def read_steps(self, steps: Sequence[Step]) -> list[Batch]:
        """Steps of any plan over this order, at least one, all read in one call."""
        return [ready.batch for ready in read_each(self.view, self._batches.planned_steps(steps))]

    def state_at(self, position: int, *, number: int | None = None) -> dict[str, Any]:
        """The loader's state once everything before ``position`` is consumed; a new dict."""
        number = self.number if number is None else number
        number, position = (number, position) if position < len(self) else (number + 1, 0)
        return {**self._batches.state_dict(), "epoch": number, "position": position}
