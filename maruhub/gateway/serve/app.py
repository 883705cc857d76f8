"""The app that Granian calls: one a worker."""

from __future__ import annotations

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

    async def answer(self, scope: Any, protocol: Any) -> None:
        """Answers one request."""
        if scope.proto != "http":
            protocol.close(403)
            return
        metrics = self._desk.metrics
        metrics.in_flight += 1
        try:
            await Exchange(self._desk, scope, protocol).run()
        finally:
            metrics.in_flight -= 1

    def drain(self) -> None:
        """From now on each answer is the last on its connection."""
        self._desk.draining = True

    def close(self) -> None:
        """Waits for what runs in threads; nothing may be asked any more."""
        self._desk.close()
