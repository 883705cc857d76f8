"""What batches of a hub go through to a later version, here or elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from maruhub import argument
from maruhub.loaders.mix import Mixture
from maruhub.loaders.options import LoaderOptions
from maruhub.loaders.source import Recorder


@dataclass(frozen=True, slots=True)
class ViewDoor:
    """A ``Door``, made of what a hub does anyway.

    Args:
        open: Gives the view of a digest.
        keep: Saves a view of this hub; InvalidInput for anything else.
        recorder: Makes a run's recorder of a view; asked only where a run is recorded.
    """

    open: Callable[[str], Any]
    keep: Callable[[Any], None]
    recorder: Callable[[Any], Recorder]

    def options(self, view: Any, given: dict[str, Any], *, recorded: bool) -> dict[str, Any]:
        """The options of a hub's batches of a view or a mix, with what the hub adds.

        A mix has its own order, and goes on in no later version. InvalidInput for an option that is none.
        """
        argument.options(LoaderOptions, given)
        if isinstance(view, Mixture):
            made = {"order": view.order, **given}
            return {**made, "recorder": view.recorder(self.recorder)} if recorded else made
        made = {**given, "door": self}
        return {**made, "recorder": self.recorder(view)} if recorded else made
