"""What batches of a hub go through to a later version: opened, kept and recorded there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from maruhub import argument
from maruhub.errors import InvalidInput

if TYPE_CHECKING:
    from maruhub.api.hub import Hub
    from maruhub.catalog import View
    from maruhub.lab import Run
    from maruhub.loaders import Recorder


class ViewDoor:
    """Opens, keeps and records views of one hub.

    Args:
        hub: The hub.
        run: The run that reads, if one is recorded.
    """

    def __init__(self, hub: Hub, run: Run | str | None) -> None:
        self._hub = hub
        self._run = run

    def open(self, digest: str) -> View:
        """A view that was kept."""
        return self._hub.view(digest)

    def keep(self, view: Any) -> None:
        """Saves a view of this hub; raises InvalidInput for anything else."""
        home = getattr(view, "home", None)
        if home is None or not hasattr(view, "save"):
            raise argument.wrong("newer", view, "a version or view", hint="Such as hub.version('cats').")
        if home.split_key != self._hub.store.split_key:
            raise InvalidInput(f"{view} belongs to another hub.", hint="Join a version of this one.")
        view.save()

    def recorder(self, view: Any) -> Recorder:
        """The run's recorder of a view."""
        assert self._run is not None, "asked only where a run is recorded"
        return self._hub.runs.recorder(self._run, view)
