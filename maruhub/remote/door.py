"""What batches of a hub elsewhere go through to a later version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from maruhub import argument
from maruhub.errors import InvalidInput
from maruhub.remote.view import RemoteView

if TYPE_CHECKING:
    from maruhub.lab import Run
    from maruhub.loaders import Recorder
    from maruhub.remote.hub import RemoteHub


class RemoteDoor:
    """As :class:`maruhub.api.view_door.ViewDoor`, of a hub elsewhere.

    Args:
        hub: The hub.
        run: The run that reads, if one is recorded.
    """

    def __init__(self, hub: RemoteHub, run: Run | str | None) -> None:
        self._hub = hub
        self._run = run

    def open(self, digest: str) -> Any:
        """A view that was kept."""
        return self._hub.view(digest)

    def keep(self, view: Any) -> None:
        """Saves a view of this hub; raises InvalidInput for anything else, Refused without ``maru:Train``."""
        if not isinstance(view, RemoteView):
            raise argument.wrong("newer", view, "a version or view of this hub")
        if view.hub.url != self._hub.url:
            raise InvalidInput(f"{view} belongs to another hub.", hint="Join a version of this one.")
        view.save()

    def recorder(self, view: Any) -> Recorder:
        """The run's recorder of a view."""
        assert self._run is not None, "asked only where a run is recorded"
        return self._hub.runs.recorder(self._run, view)
