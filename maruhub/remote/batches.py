"""Batches of a view elsewhere: the loader's own plan, order and state over a stream.

The server walks the same plan; it is told where to begin, and sends this rank's samples in
order. The batches are cut here, by the same plan, so a batch is the same as on a local hub.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from maruhub.errors import InvalidData, InvalidInput
from maruhub.loaders import Batches
from maruhub.loaders.following import Course, Join
from maruhub.loaders.joined import EndToEnd
from maruhub.loaders.options import LoaderOptions
from maruhub.loaders.order import ReadSpan, whole_source
from maruhub.loaders.plan import Place, Plan, Step, StepWalk
from maruhub.loaders.reading import BatchReader, Fetched, Samples
from maruhub.loaders.state import PLAIN_ORDERS
from maruhub.loaders.stats import Meter
from maruhub.remote.items import Items, Parts, read_items
from maruhub.remote.transport import Transport

if TYPE_CHECKING:
    import pyarrow as pa

    from maruhub.loaders.permutation import Positions
    from maruhub.loaders.source import Door
    from maruhub.remote.mix import RemoteMix
    from maruhub.remote.view import RemoteView


class RemoteBatches(Batches):
    """As :class:`maruhub.loaders.Batches`, in everything; bytes are always verified.

    ``window`` has no effect: the server knows how far to look ahead.
    """

    def __init__(
        self,
        view: RemoteView | RemoteMix,
        transport: Transport,
        batch_size: int,
        *,
        door: Door | None = None,
        **options: Any,
    ) -> None:
        self._transport = transport
        super().__init__(view, None, batch_size, door=door, **options)  # type: ignore[arg-type]  # it names no addresses

    def _open_reader(self, **parts: Any) -> BatchReader:
        return RemoteReader(
            self._transport,
            _asked(self._course, self._options, parts["plan"]),
            parts["plan"],
            meter=parts["meter"],
        )

    def _joined(self, course: Course, join: Join, epoch: int) -> Course:
        """The hub knows what is new; here only the length of the epoch matters."""
        joins = (*course.joins, join)
        sources = EndToEnd([course.view, *(each.view for each in joins)])
        joined = Course(course.view, sources, course.order, epoch, joins)  # type: ignore[arg-type]
        request = {
            **_asked(joined, self._options, Plan(1, 1)),
            "format": 1,
            "batch_size": 1,
            "from": [epoch, 0],
            "epochs": 1,
        }
        told = self._transport.call("epoch.size", request=request)
        return replace(joined, order=OrderElsewhere(told["positions"], told["rows"]))


class RemoteReader:
    """Reads one rank's batches from a stream; begins a new one behind what it has after a cut."""

    def __init__(
        self,
        transport: Transport,
        asked: dict[str, Any],
        plan: Plan,
        *,
        meter: Meter,
    ) -> None:
        self.plan = plan
        self._transport = transport
        self._asked = asked
        self._meter = meter

    def steps(self, place: Place, epochs: int | None) -> Iterator[Fetched]:
        """See :class:`BatchReader`."""
        if not self.plan.size:
            return
        items = read_items(self._transport, _Asking(self, place, epochs).request)
        held = _Held(items, self._meter)
        for step in self.plan.walk(place, epochs):
            yield Fetched(step, *held.take(step.stop - step.start))

    def request(self, place: Place, epochs: int | None, skip: int) -> dict[str, Any]:
        """What the server is asked."""
        plan = self.plan
        return {
            "format": 1,
            **self._asked,
            "rank": plan.rank,
            "world": plan.world,
            "batch_size": plan.batch_size,
            "from": [place.epoch, place.position],
            "epochs": epochs,
            "skip": skip,
        }


@dataclass(frozen=True, slots=True)
class OrderElsewhere:
    """An order that only the hub knows; here it is a number of positions, of so many rows."""

    size: int
    source_rows: int
    together: int = 1

    def rows(self, epoch: int, positions: Positions) -> Positions:
        """See :class:`maruhub.loaders.order.Order`."""
        raise InvalidInput("which rows these are is known where the hub is.")

    def spans(self, epoch: int, start: int, stop: int) -> list[ReadSpan]:
        """See :class:`maruhub.loaders.order.Order`."""
        return whole_source(self.source_rows)


def _asked(course: Course, options: LoaderOptions, plan: Plan) -> dict[str, Any]:
    """What a request says of source, order and remainder; nothing that an older hub needs not know."""
    view: Any = course.view
    fields: dict[str, Any] = {"epoch": view.expected_source(), "seed": options.order_seed}
    if course.joins:
        fields["joined"] = [_told(join) for join in course.joins]
    if options.order is not None and options.order.to_json() not in PLAIN_ORDERS:
        fields["order"] = options.order.to_json()
    if options.samples_per_epoch is not None:
        fields["samples_per_epoch"] = options.samples_per_epoch
    if plan.remainder != "exact":
        fields["remainder"] = plan.remainder
    return fields


def _told(join: Join) -> list[Any]:
    view: Any = join.view
    return [view.expected_source(), join.position, join.new, join.old]


class _Asking:
    """Where in the plan a number of items ends. Only ever asked for more than before."""

    def __init__(self, reader: RemoteReader, place: Place, epochs: int | None) -> None:
        self._reader = reader
        self._last = None if epochs is None else place.epoch + epochs
        self._walk: StepWalk = reader.plan.walk(place, epochs)
        self._step: Step | None = next(self._walk, None)
        self._before = 0

    def request(self, done: int) -> dict[str, Any]:
        """What to ask once ``done`` items have come."""
        while self._step is not None and self._before + self._step.stop - self._step.start <= done:
            self._before += self._step.stop - self._step.start
            self._step = next(self._walk, None)
        # Behind the last step nothing is left to ask for but the stream's end.
        place = self._walk.place if self._step is None else Place(self._step.epoch, self._step.position)
        epochs = None if self._last is None else max(self._last - place.epoch, 1)
        asked = self._reader.request(place, epochs, done - self._before)
        return asked if self._step is not None else {**asked, "skip": 0, "count": 0}


class _Held:
    """Items that have come and are not in a batch yet."""

    def __init__(self, items: Iterator[Items], meter: Meter) -> None:
        self._items = items
        self._meter = meter
        self._parts: Parts = []
        self._tables: list[pa.Table] = []
        self._at = 0

    def take(self, count: int) -> tuple[Samples, Parts]:
        """The next ``count`` items."""
        while len(self._parts) - self._at < count:
            with self._meter.stage("read"):
                more = next(self._items, None)
            if more is None or more.samples is None:
                raise InvalidData(
                    "the hub sent fewer samples than its plan holds.", hint="Do both ends have one release?"
                )
            self._forget()
            self._parts += more.parts
            self._tables.append(more.samples)
        with self._meter.stage("plan"):
            results = self._parts[self._at : self._at + count]
            self._at += count
            return _samples(self._taken_rows(count)), results

    def _forget(self) -> None:
        """What is in batches belongs to the trainer."""
        del self._parts[: self._at]
        self._at = 0

    def _taken_rows(self, count: int) -> pa.Table:
        """The rows that describe the next ``count`` items, taken off the front."""
        import pyarrow as pa

        taken = []
        while count:
            first = self._tables[0]
            taken.append(first.slice(0, count))
            if len(first) > count:
                self._tables[0] = first.slice(count)
                break
            count -= len(first)
            del self._tables[0]
        return taken[0] if len(taken) == 1 else pa.concat_tables(taken)


def _samples(table: pa.Table) -> Samples:
    columns = list(range(2, table.num_columns))
    return Samples(
        table.column(0).to_pylist(),
        table.column(1).to_numpy().astype(np.uint64, copy=False),
        table.select(columns),
    )
