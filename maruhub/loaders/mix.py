"""A mix: several views as one source of samples, drawn from in exact shares."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from maruhub.errors import InvalidInput
from maruhub.loaders.joined import Joined
from maruhub.loaders.orders.mixed import Mixed

if TYPE_CHECKING:
    from maruhub.loaders.batches import Batches
    from maruhub.loaders.source import Recorder, SampleSource


class Mixture:
    """What a mix is, here or elsewhere.

    Attributes:
        parts: The views.
        order: How often each comes.
    """

    parts: list[Any]
    order: Mixed

    def recorder(self, make: Callable[[Any], Recorder]) -> MixRecorder:
        """A recorder of the mix, over one of each part."""
        return MixRecorder(self, [make(part) for part in self.parts])

    def __repr__(self) -> str:
        parts = ", ".join(
            f"{share} of {part!r}" for share, part in zip(self.order.shares, self.parts, strict=True)
        )
        return f"{type(self).__name__}({parts})"


class Mix(Mixture, Joined):
    """Several views and how often each comes. ``Hub.mix`` makes one.

    Args:
        views: Of one hub.
        shares: Of every ``sum(shares)`` samples, so many are of each view.
        loader: Makes batches: ``(mix, batch_size, **options)``.
    """

    def __init__(
        self, views: Sequence[SampleSource], shares: Sequence[int], *, loader: Callable[..., Batches]
    ) -> None:
        if not views:
            raise InvalidInput("a mix needs at least one view.")
        super().__init__(views)
        self.order = Mixed(shares)  # type: ignore[arg-type]  # it takes a list too
        self.order.order(self, 0)  # so that wrong shares are told now
        self._loader = loader

    def batches(self, batch_size: int, **options: Any) -> Batches:
        """Random batches of it; see :meth:`maruhub.api.Hub.batches`."""
        return self._loader(self, batch_size, **options)

    def __reduce__(self) -> tuple[Any, ...]:
        # The loader is a method of the hub, which is opened by its path where this arrives.
        return _remade, (self.parts, self.order.shares, self._loader)


class MixRecorder:
    """Tells a recorder of each part what is read of the mix: the whole part, never less."""

    def __init__(self, mix: Mixture, recorders: Sequence[Recorder]) -> None:
        self._told = list(zip(mix.parts, mix.order.shares, recorders, strict=True))

    @property
    def run(self) -> object:
        """The run that the parts' recorders are of."""
        return getattr(self._told[0][2], "run", None)

    def reads(self, view_digest: str, epoch: int, seed: int | None, start: int, stop: int) -> None:
        """See ``Recorder``."""
        for part, share, recorder in self._told:
            if share:
                recorder.reads(part.digest, 0, None, 0, len(part))


def _remade(views: list[SampleSource], shares: tuple[int, ...], loader: Callable[..., Batches]) -> Mix:
    """A mix that came from another process."""
    return Mix(views, shares, loader=loader)
