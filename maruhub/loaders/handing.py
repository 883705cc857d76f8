"""Batches on their way to another process: what they were made of, and where they are."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Protocol

from maruhub.errors import InvalidInput

if TYPE_CHECKING:
    from maruhub.loaders.options import LoaderOptions
    from maruhub.loaders.source import SampleSource


class Resumed(Protocol):
    """Batches, here or of a hub elsewhere."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from a state."""


def handed_over(
    view: SampleSource, batch_size: int, options: LoaderOptions, state: dict[str, Any]
) -> tuple[Any, ...]:
    """Arguments of :func:`reopen`; InvalidInput for what nobody could open there.

    The hub and the view are opened anew where they arrive (spawn, forkserver); what was read
    ahead, skipped and counted stays behind.
    """
    if not hasattr(view, "batches"):
        raise _stays_here("a source that no hub opens")
    chosen = {
        each.name: getattr(options, each.name)
        for each in dataclasses.fields(options)
        if each.name != "recorder"
    }
    if options.recorder is not None:
        chosen["run"] = getattr(options.recorder, "run", None)
        if not isinstance(chosen["run"], str):
            raise _stays_here("a recorder that no run made")
    return view, batch_size, chosen, state


def reopen(view: Any, batch_size: int, options: dict[str, Any], state: dict[str, Any]) -> Resumed:
    """Batches that came from another process: the same place in the same order."""
    made: Resumed = view.batches(batch_size, **options)
    made.load_state_dict(state)
    return made


def _stays_here(why: str) -> InvalidInput:
    return InvalidInput(
        f"these batches read {why}: they can't be handed to another process.",
        hint="Make them there: maruhub.connect(path).version(…).batches(…).",
    )
