"""What batches of a hub go through to a later version, here or elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

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
