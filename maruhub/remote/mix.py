"""A mix of views of a hub elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from maruhub.errors import InvalidInput
from maruhub.loaders.joined import PARTS_ELSEWHERE_MAX, EndToEnd
from maruhub.loaders.mix import Mixture
from maruhub.loaders.orders.mixed import Mixed

if TYPE_CHECKING:
    from maruhub.remote.batches import RemoteBatches
    from maruhub.remote.hub import RemoteHub
    from maruhub.remote.view import RemoteView


class RemoteMix(Mixture, EndToEnd["RemoteView"]):
    """As :class:`maruhub.loaders.mix.Mix`: several views, and how often each comes.

    Args:
        hub: Where they all are.
        views: What is drawn from.
        shares: Of every ``sum(shares)`` samples, so many are of each view.
    """

    def __init__(self, hub: RemoteHub, views: Sequence[RemoteView], shares: Sequence[int]) -> None:
        if not views:
            raise InvalidInput("a mix needs at least one view.")
        if len(views) > PARTS_ELSEWHERE_MAX:
            raise InvalidInput(
                f"a mix of a hub elsewhere has at most {PARTS_ELSEWHERE_MAX} views, not {len(views)}.",
                hint="Commit what comes in one share as one dataset.",
            )
        super().__init__(views)
        self._hub = hub
        self.order = Mixed(shares)  # type: ignore[arg-type]  # it takes a list too
        self.order.order(self, 0)  # type: ignore[arg-type]  # so that wrong shares are told now
        # What else is wrong, such as columns that can't be brought together, the hub knows.
        hub.transport.call("view.open", source=self.expected_source())

    def __reduce__(self) -> tuple[Any, ...]:
        return RemoteMix, (self._hub, self.parts, self.order.shares)

    def expected_source(self) -> dict[str, Any]:
        """What the batch door calls it, with the digest that must come out."""
        return {"parts": [view.expected_source() for view in self.parts], "digest": self.digest}

    def batches(self, batch_size: int, **options: Any) -> RemoteBatches:
        """Random batches of it."""
        return self._hub.batches(self, batch_size, **options)
