"""What all requests of one worker share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from maruhub.gateway.batch.door import BatchDoor
from maruhub.gateway.serve.bodies.arrivals import Arrivals
from maruhub.gateway.serve.bodies.putting import Putting
from maruhub.gateway.serve.bodies.room import SIGNED_BYTES, STRANGERS_BYTES, Room
from maruhub.gateway.serve.connections.allowance import Allowance
from maruhub.gateway.serve.connections.search import Search
from maruhub.gateway.serve.crossing import Crossing
from maruhub.gateway.serve.gate import Gate
from maruhub.gateway.serve.telemetry.access_log import AccessLog
from maruhub.gateway.serve.telemetry.metrics import Metrics
from maruhub.gateway.serve.telemetry.register import Register
from maruhub.gateway.service.service import Service

if TYPE_CHECKING:
    from maruhub.api import Hub
    from maruhub.gateway.serve.options import ServeOptions

_FORMS: Final = 16
_SILENT_S: Final = 10.0
"""So long nothing need come of a body that is poured: who sends it may read it from somewhere slow."""


class Desk:
    """The worker's one of each.

    Attributes:
        allowance: What the runtime may hold of answers; of the event loop.
        room: For bodies of those who have signed that are held whole; of the event loop.
        search: For clients' connections; of the event loop.
        strangers_room: The same for all others.
        uploads: How many large bodies may be taken in at a time; of the event loop.
        forms: The same for forms: who sends one is known only from its fields.
        draining: Whether each answer shall be the last on its connection.
    """

    def __init__(self, hub: Hub, options: ServeOptions) -> None:
        self.hub = hub
        self.options = options
        self.gate = Gate(hub)
        self.service = Service(hub)
        self.batch = BatchDoor(hub)
        self.crossing = Crossing(options.threads, options.waiting)
        self.putting = Putting(self.service, hub.store, options.threads + options.waiting)
        self.arrivals = Arrivals(options.idle_s)
        self.search = Search(self.crossing)
        self.allowance = Allowance(self.crossing, options.idle_s)
        self.room = Room(SIGNED_BYTES)
        self.strangers_room = Room(STRANGERS_BYTES)
        self.uploads = Room(options.uploads, silent_s=_SILENT_S)
        self.forms = Room(_FORMS, silent_s=_SILENT_S)
        self.metrics = Metrics()
        self._access = AccessLog(options.access_log)
        self.register = Register(self.metrics, self._access)
        self.draining = False

    def close(self) -> None:
        """Waits for what runs in threads."""
        self.putting.close()
        self.crossing.close()
        self.register.flush()
        self._access.close()
