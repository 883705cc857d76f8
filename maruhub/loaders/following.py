"""Following: what is new in a later version joins an epoch that is already running.

Pure, given the views. From the batch at which it joins on, new samples come between what is
left of the epoch by a stated rule; every old and every new sample still comes once. With the
next epoch the newer version is all there is. A state names each join, so that any process makes
the same sequence of it again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from maruhub import argument
from maruhub.errors import InvalidInput
from maruhub.loaders.joined import Joined
from maruhub.loaders.lanes import base_key, permute_each
from maruhub.loaders.order import Order, ReadSpan, whole_source
from maruhub.loaders.permutation import Positions, epoch_bytes

if TYPE_CHECKING:
    import pyarrow as pa

    from maruhub.loaders.options import LoaderOptions
    from maruhub.loaders.source import SampleSource


SHARE_MAX: Final = 1 << 31
JOINS_MAX: Final = 64
"""In one epoch; each is one more source to look rows up in."""


@dataclass(frozen=True, slots=True)
class Join:
    """A newer version or view that joins at a position of an epoch.

    Attributes:
        view: The newer samples.
        position: The first position of the epoch at which one of them may stand.
        new: Of every ``new + old`` samples from there on so many are new …
        old: … and so many are what was left, until either is used up.
    """

    view: SampleSource
    position: int
    new: int
    old: int

    def __post_init__(self) -> None:
        argument.whole("new", self.new, low=1, high=SHARE_MAX)
        argument.whole("old", self.old, low=1, high=SHARE_MAX)


@dataclass(frozen=True, slots=True)
class Course:
    """What one epoch is made of, or, without joins, every epoch from ``epoch`` on.

    Attributes:
        view: What the epoch began with.
        source: What is read: the view, and behind it what has joined.
        order: Over all of ``source``.
        epoch: The epoch that ``joins`` are of.
        joins: In the order in which they came.
    """

    view: SampleSource
    source: SampleSource
    order: Order
    epoch: int = 0
    joins: tuple[Join, ...] = ()

    @classmethod
    def of(cls, view: SampleSource, options: LoaderOptions) -> Course:
        """Nothing but a view."""
        return cls(view, view, options.order_of(view))

    def joined(self, join: Join, epoch: int, options: LoaderOptions) -> Course:
        """The same epoch from ``join.position`` on with what is new in its view; InvalidInput."""
        if join.position > self.order.size or len(self.joins) == JOINS_MAX:
            raise InvalidInput(
                f"nothing can join at position {join.position} of {self.order.size}, "
                f"after {len(self.joins)} others.",
                hint="Join in the next epoch.",
            )
        views = [self.view, *(each.view for each in self.joins)]
        source = Joined([*views, join.view])
        fresh = source.starts[len(views)] + new_rows(views, join.view)
        key = base_key(options.seed, b"joined" + epoch_bytes(epoch) + bytes([len(views)]))
        if options.policy.shuffles:
            sizes = np.full_like(fresh, len(fresh))
            fresh = fresh[
                permute_each(np.arange(len(fresh), dtype=np.uint64), sizes, np.full_like(fresh, key))
            ]
        order = FollowedOrder(self.order, join.position, fresh, join.new, join.old, source_rows=len(source))
        return Course(self.view, source, order, epoch, (*self.joins, join))

    def latest(self, options: LoaderOptions) -> Course:
        """What the epochs after this one are made of."""
        return Course.of(self.joins[-1].view, options) if self.joins else self


@dataclass(frozen=True, slots=True)
class FollowedOrder:
    """One epoch's order, with new rows evenly between those from ``start`` on.

    In any run of r positions from there on ⌊r·new/(new + old)⌋ or one more are new, until one
    of the two is used up; then the other's rest follows. Old ones keep their order.

    Attributes:
        before: The epoch's order without them.
        start: The first position that may be new.
        fresh: The new rows, in the order in which they come.
        new: New ones in every ``new + old``.
        old: Old ones in every ``new + old``.
        source_rows: Rows of the source.
    """

    before: Order
    start: int
    fresh: Positions
    new: int
    old: int
    source_rows: int
    together: int = 1

    @property
    def size(self) -> int:
        """Old and new."""
        return self.before.size + len(self.fresh)

    def rows(self, epoch: int, positions: Positions) -> Positions:
        """See :class:`Order`; for the one epoch in which they join."""
        rows = np.empty(len(positions), dtype=np.uint64)
        is_new, places = self._split(positions)
        rows[is_new] = self.fresh[places[is_new]]
        rows[~is_new] = self.before.rows(epoch, places[~is_new])
        return rows

    def _split(self, positions: Positions) -> tuple[Any, Positions]:
        """Which positions are new, and at which place of the new or of the old each stands."""
        period, share = np.uint64(self.new + self.old), np.uint64(self.new)
        start, count = np.uint64(self.start), np.uint64(len(self.fresh))
        rounds = np.uint64(min(len(self.fresh) // self.new, (self.before.size - self.start) // self.old))
        mixed_end = start + rounds * period
        after = np.maximum(positions, start) - start
        # Evenly: the r-th position is new where r·new/period passes a whole number.
        before_new = after // period * share + after % period * share // period
        evenly = (after % period + np.uint64(1)) * share // period > after % period * share // period
        # Behind the last whole round the new ones that are left come first.
        left_new = count - rounds * share
        behind = np.maximum(positions, mixed_end) - mixed_end
        is_new = np.where(positions < mixed_end, evenly & (positions >= start), behind < left_new)
        new_places = np.where(positions < mixed_end, before_new, rounds * share + behind)
        old_places = np.where(positions < mixed_end, positions - before_new, positions - count)
        return is_new, np.where(is_new, new_places, np.where(positions < start, positions, old_places))

    def spans(self, epoch: int, start: int, stop: int) -> list[ReadSpan]:
        """See :class:`Order`."""
        return whole_source(self.source_rows)


def new_rows(known: list[SampleSource], newer: SampleSource) -> Positions:
    """The rows of ``newer`` that none of ``known`` has: another id, or other bytes under it."""
    import pyarrow as pa
    import pyarrow.compute as pc

    seen = pa.chunked_array(
        [chunk for view in known for chunk in _identities(view).chunks], pa.large_string()
    )
    fresh = pc.invert(pc.is_in(_identities(newer), value_set=seen))
    rows: Positions = np.flatnonzero(fresh.to_numpy()).astype(np.uint64)
    return rows


def _identities(view: SampleSource) -> pa.ChunkedArray:
    """Each row's id and which put of that key it is."""
    import pyarrow as pa
    import pyarrow.compute as pc

    table = getattr(view, "table", None)
    if table is None:
        raise InvalidInput("this source can't be followed: it has no table of its samples.")
    found, text = table(["id", "version_id"]), pa.large_string()  # of 100 million more than 2 GiB
    parts = [found.column(name).cast(text) for name in ("id", "version_id")]
    return pc.binary_join_element_wise(*parts, pa.scalar("\n", text))
