"""What an epoch is made of, and in which order it comes; found once, and kept for the next request."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from maruhub.errors import InvalidInput
from maruhub.gateway.batch.opened.kept import Kept
from maruhub.gateway.batch.opened.sources import Sources
from maruhub.gateway.batch.opened.turns import Turns
from maruhub.gateway.batch.request import ReadEpoch
from maruhub.gateway.batch.rights import Allowed
from maruhub.loaders.following import Course, Join
from maruhub.loaders.options import LoaderOptions

if TYPE_CHECKING:
    from maruhub.loaders.source import SampleSource

_KEPT: Final = 8
_WAITING: Final = 8
"""That may wait while another is built; a hub elsewhere that is told Busy asks again."""
_AT_ONCE: Final = ("shuffled", "sequential")
"""Orders that cost nothing to make."""


class Courses:
    """Courses of a hub's views, by what was asked for. Safe from many threads.

    What is new in a later version is found by comparing the names of both, and an order by a column
    by sorting it, which takes seconds where there are millions; a training asks for the same again
    and again. One is built at a time: a few requests that come together for the same wait for it.
    """

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._kept: Kept[str, Course] = Kept(_KEPT)
        self._turns = Turns("epochs", at_a_time=1, waiting=_WAITING)

    def open(self, request: ReadEpoch, allowed: Allowed) -> Course:
        """The course that a request is about; raises what opening its sources raises, InvalidInput, Busy."""
        with self._sources.together():
            view = self._sources.open_for_reading(request.source, allowed)
            joins = [
                Join(self._sources.open(each.source, allowed), each.position, each.new, each.old)
                for each in request.joined
            ]
        options: dict[str, Any] = {"order": request.order, "samples_per_epoch": request.samples_per_epoch}
        chosen = LoaderOptions.of({**options, "seed": request.seed or 0, "shuffle": request.seed is not None})
        if not joins and chosen.policy.kind in _AT_ONCE:
            return Course.of(view, chosen)
        if joins and (request.epochs != 1 or request.samples_per_epoch is not None):
            raise InvalidInput("what has joined is part of one epoch of the order's own length.")

        def built() -> Course:
            course = Course.of(view, chosen)
            for join in joins:
                course = course.joined(join, request.epoch, chosen)
            return course

        return self._kept.find(_key(view, request, joins, chosen), built, turn=self._turns.one())


def _key(view: SampleSource, request: ReadEpoch, joins: Sequence[Join], chosen: LoaderOptions) -> str:
    joined = [[join.view.digest, join.position, join.new, join.old] for join in joins]
    epoch = request.epoch if joins else None  # without joins one course is for all epochs
    return json.dumps([view.digest, request.seed, epoch, chosen.order_json(), joined])
