"""The app that Granian calls: one a worker."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from maruhub.gateway.serve.desk import Desk
from maruhub.gateway.serve.exchange import Exchange

if TYPE_CHECKING:
    from maruhub.api import Hub
    from maruhub.gateway.serve.options import ServeOptions


class App:
    """Answers requests; ``answer`` is what Granian calls."""

    def __init__(self, hub: Hub, options: ServeOptions) -> None:
        self._desk = Desk(hub, options)

    def answer(self, scope: Any, protocol: Any) -> Coroutine[Any, Any, None] | None:
        """Answers one request, or gives what is to be run in the event loop until it is answered."""
        if scope.proto != "http":
            protocol.close(403)
            return None
        return Exchange(self._desk, scope, protocol).begin()

    def flush(self) -> None:
        """Hands over what has been counted and logged, gives up bodies that are late; to be called now and then."""
        self._desk.arrivals.give_up_late()
        self._desk.register.flush()

    def drain(self) -> None:
        """From now on each answer is the last on its connection."""
        self._desk.draining = True

    def close(self) -> None:
        """Waits for what runs in threads; nothing may be asked any more."""
        self._desk.close()
