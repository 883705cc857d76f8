"""Opening what a request calls a source: a view of a version, checked, and kept for the next one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Final

from maruhub import argument
from maruhub.catalog import query
from maruhub.catalog.split import SplitRule
from maruhub.catalog.view import View
from maruhub.errors import InvalidInput, StateMismatch
from maruhub.gateway.batch.opened.kept import Kept
from maruhub.gateway.batch.opened.turns import Turns
from maruhub.gateway.batch.request import Source
from maruhub.gateway.batch.rights import Allowed, require
from maruhub.loaders.joined import Joined

if TYPE_CHECKING:
    from maruhub.api.hub import Hub

DATASET: Final = "dataset"
QUERY_S: Final = 30.0
"""Filters that a client sends take so long together: they hold a thread of all, and one of the machine's cores."""
_FILTERS: Final = 4
"""Filters that a worker runs at a time: each has its bounds, all threads' together would have none."""
_WAITING: Final = 8
"""That may wait for their turn."""
_KEPT: Final = 64
_KEPT_BYTES: Final = 256 << 20
_NUMBER_BYTES: Final = 40
"""Of a number in a list of Python's."""
Fixed = tuple[Source, SplitRule | None]
"""What a source is found by again: a version by its number, and the rule that its splits follow."""


class Sources:
    """Views of one hub, by what they were asked for. Safe from many threads.

    A version never changes and every operation is a function of it (a split also of the dataset's
    rule), so a view found once is found again at once: an epoch in a thousand requests costs one search.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._kept: Kept[Fixed, View] = Kept(_KEPT, most_bytes=_KEPT_BYTES, bytes_of=_held_bytes)
        self._turns = Turns("filters", at_a_time=_FILTERS, waiting=_WAITING)

    def together(self) -> AbstractContextManager[None]:
        """Sources opened in such a block have the time for their filters together."""
        return query.for_strangers(QUERY_S)

    def open(self, source: Source, allowed: Allowed) -> View:
        """The view, if the caller may read it.

        Raises:
            Refused: They may not.
            StateMismatch: It is not what the request expects.
            MaruError: As the catalog raises them.
        """
        if source.parts:
            raise InvalidInput("several sources at once are read, and nothing else.")
        if source.dataset:
            # Before anything is looked up: what may not be read can't be probed either.
            require(allowed, "s3:GetObject", DATASET, f"{source.dataset}/{source.version}/")
        base = (
            self._hub.view(source.view) if source.view else self._hub.dataset(source.dataset)[source.version]
        )
        name = f"{base.dataset_name}/{base.version_name}/"
        # And before anything is looked for in it: what is wrong with a filter is told with the value that shows it.
        require(allowed, "s3:GetObject", DATASET, name)
        view = self._found(source, base)
        _check_digest(source, view.digest, name)
        return view

    def open_for_reading(self, source: Source, allowed: Allowed) -> View | Joined:
        """The same; also of several sources, laid end to end."""
        if not source.parts:
            return self.open(source, allowed)
        with self.together():
            joined = Joined([self.open(part, allowed) for part in source.parts])
        _check_digest(source, joined.digest, "the parts together")
        return joined

    def _found(self, source: Source, base: View) -> View:
        if not source.operations:
            return base

        def made() -> View:
            view = base
            for operation in source.operations:
                query.check_time()
                view = apply(view, operation)
            return view

        return self._kept.find(self._fixed(source, base), made, turn=self._turn(source))

    def _fixed(self, source: Source, base: View) -> Fixed:
        # A name may move on, a version's number does not; and how a dataset is split may be changed.
        splits = any(operation[0] == "split" for operation in source.operations)
        rule = self._hub.dataset(base.dataset_name).fixed_split if splits else None
        return Source(base.dataset_name, base.version_name, source.view, source.operations), rule

    @contextmanager
    def _turn(self, source: Source) -> Iterator[None]:
        """Its time begins, as soon as few enough filters run if it has one; Busy after some time, or where many wait."""
        filters = any(operation[0] == "where" for operation in source.operations)
        with self._turns.one(patience_s=QUERY_S) if filters else nullcontext(), self.together():
            yield


def _held_bytes(fixed: Fixed, view: View) -> int:
    """What a view keeps in memory, and what it is found by: select() names millions of rows.

    Positions that were saved are mapped.
    """
    arguments = (each for operation in fixed[0].operations for each in operation)
    asked = sum(_NUMBER_BYTES * len(each) for each in arguments if isinstance(each, tuple))
    positions = None if view.mapped is not None else view.positions
    return asked if positions is None else asked + positions.nbytes


def _check_digest(source: Source, digest: str, what: str) -> None:
    if source.digest and digest != source.digest:
        raise StateMismatch(
            f"the request expects the view {source.digest}, {what} gives {digest}.",
            hint="Open the version anew, or the view that was saved.",
        )


def apply(view: View, operation: tuple[Any, ...]) -> View:
    """One operation on a view; InvalidInput for one that is not known, or wrong arguments."""
    name, *rest = operation
    takes = {"split": (1, 3), "where": (1, 1), "sample": (1, 2), "sort": (1, 2), "select": (1, 1)}
    if name not in takes:
        raise InvalidInput(f"there is no operation {name[:80]!r}.", hint=f"Use {', '.join(takes)}.")
    low, high = takes[name]
    if not low <= len(rest) <= high:
        raise InvalidInput(f"the operation {name!r} takes {low} to {high} arguments, not {len(rest)}.")
    if name == "split":
        return view.split(argument.text("a split", rest[0]), *rest[1:])
    if name == "where":
        return view.where(argument.text("an expression", rest[0]))
    if name == "sample":
        return view.sample(
            argument.whole("n", rest[0], low=0), *(argument.whole("seed", seed) for seed in rest[1:])
        )
    if name == "sort":
        descending = argument.flag("descending", rest[1]) if len(rest) > 1 else False
        return view.sort(argument.text("a column", rest[0]), descending=descending)
    return view.select(rest[0] if isinstance(rest[0], tuple) else None)
