"""Batches: what a trainer iterates over, and where it is."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from maruhub import argument
from maruhub.errors import InvalidInput
from maruhub.loaders.assembly import Assembly, Ready
from maruhub.loaders.batch import Batch, Skipped
from maruhub.loaders.decoded_cache import DecodedCache
from maruhub.loaders.decoding import Decoding
from maruhub.loaders.following import Course, Join
from maruhub.loaders.handing import handed_over, reopen
from maruhub.loaders.options import LoaderOptions
from maruhub.loaders.order import rows_of
from maruhub.loaders.plan import Place, Plan, Step
from maruhub.loaders.reading import BatchReader, Fetched, Reader
from maruhub.loaders.record import Record
from maruhub.loaders.state import Joining, LoaderState
from maruhub.loaders.stats import LoaderStats, Meter
from maruhub.loaders.stretch import Stretch
from maruhub.loaders.walk import Planned, Walk

if TYPE_CHECKING:
    from maruhub.loaders.source import Door, SampleSource
    from maruhub.store.protocol import Store

SKIPPED_MAX: Final = 10_000
"""Skipped samples listed; all are counted in ``stats().skipped``."""


class Batches:
    """Random batches of a view, epoch after epoch, resumable at any batch.

    Iterating goes from the present place to the end of the epoch and stops there; the
    next iteration is the next epoch::

        for epoch in range(3):
            for batch in batches:
                train(batch.blobs, batch.columns["label"])

    A batch counts as consumed once it has been handed out, whatever was read ahead. Every
    sample comes exactly once an epoch over all ranks, unless an order or a remainder says
    otherwise. Breaking out of a loop and iterating again goes on with the next batch. For
    one thread at a time. In another process, after a fork or handed over by
    multiprocessing, it goes on from the same place with a reader of its own; where Python
    starts the process anew (spawn, forkserver) it opens the hub by its path there.

    Args:
        view: The samples (a ``SampleSource``, such as a catalog's view).
        store: Where their bytes are; None only in batches that read elsewhere.
        batch_size: Samples a batch on this rank; the last one of an epoch may be shorter.
        door: Opens what has joined again; None: nothing joins.
        options: See :class:`maruhub.loaders.options.LoaderOptions`.
    """

    def __init__(
        self,
        view: SampleSource,
        store: Store | None,
        batch_size: int,
        *,
        door: Door | None = None,
        **options: Any,
    ) -> None:
        if not hasattr(view, "digest") or not hasattr(view, "ids"):
            raise argument.wrong("view", view, "a version or view, such as dataset.latest")
        chosen = LoaderOptions.of(options)
        self.skipped: list[Skipped] = []
        self._options = chosen
        self._batch_size = argument.whole("batch_size", batch_size, low=1)
        self._meter = Meter()
        self._store = store
        self._door = door
        self._record = Record(chosen.recorder, view, door)
        self._place = Place(0, 0)
        self._stretch: Stretch | None = None
        self._begun = self._ended = False
        self._until: int | None = None
        self._arrange(Course.of(view, chosen))

    def _arrange(self, course: Course) -> None:
        """From now on batches are of this course."""
        chosen, order = self._options, course.order
        plan = Plan.of(
            order.size, self._batch_size, rank=chosen.rank, world=chosen.world, remainder=chosen.remainder
        )
        cache = DecodedCache(chosen.cache_bytes)  # rows of another source are other samples
        self._course = course
        self._decoding = Decoding(
            meter=self._meter,
            decode=chosen.decode,
            transform=chosen.transform,
            threads=chosen.decode_threads or 1,
            cache=cache,
        )
        self._assembly = Assembly(plan.size, chosen.on_error)
        self._reader = self._open_reader(
            source=course.source,
            plan=plan,
            order=order,
            meter=self._meter,
            verify=chosen.verify,
            window=chosen.window_for(order),
            held=cache.known,
        )

    def _open_reader(self, **parts: Any) -> BatchReader:
        """What reads for these batches; batches of a hub elsewhere have another."""
        assert self._store is not None, "whoever has no store opens another reader"
        return Reader(store=self._store, **parts)

    def __reduce__(self) -> tuple[Any, ...]:
        # The hub and the view are opened anew where this arrives (spawn, forkserver); what
        # was read ahead, skipped and counted stays here.
        return reopen, handed_over(self._course.view, self._batch_size, self._options, self.state_dict())

    def __len__(self) -> int:
        """Batches that this rank gets in a whole epoch."""
        self._settle()
        return self._reader.plan.batches_an_epoch()

    def __iter__(self) -> Iterator[Batch]:
        # One whose last batch is out already is over; one left in the middle goes on.
        if self._begun and self._place.epoch == self._until:
            self.close()
        self._ended = False
        return self

    def __next__(self) -> Batch:
        if self._ended:
            raise StopIteration
        self._meter.start()
        running = self._running()
        try:
            ready = running.next()
        except BaseException:
            self.close()
            raise
        if ready is not None:
            return self._hand_out(ready)
        self._stop()
        if running.last_epoch is not None:
            self._place = Place(running.last_epoch, 0)
        if running.last_epoch != self._until:
            return next(self)  # what had joined has come; the next epoch is another course
        self._begun, self._ended = False, True  # until the next iter(), as every iterator does
        raise StopIteration

    def state_dict(self) -> dict[str, Any]:
        """Where the next batch starts, as JSON values; a new dict each time.

        Equal on all ranks after the same number of steps. After an epoch's last batch
        it says: the next epoch, from its start.
        """
        return self._state().to_dict()

    def join(self, newer: SampleSource, *, new: int, old: int) -> int:
        """From the next batch on, what is new in a later version joins this epoch.

        Of every ``new + old`` samples so many are new and old, evenly, until either is used up:
        ``join(dataset.latest, new=1, old=3)`` puts 16 new ones into each batch of 64. Every old
        and every new sample still comes once in this epoch; old ones as the version that the
        epoch began with has them. The next epoch is one of ``newer`` alone.

        All ranks must join the same version at the same step. The state names it; ``newer`` is
        saved in the hub, so that a resumed training can open it.

        Returns:
            How many samples are new.

        Raises:
            InvalidInput: ``samples_per_epoch`` cuts epochs, or nothing can open it again.
        """
        door = self._door
        if door is None or self._options.samples_per_epoch is not None:
            raise InvalidInput(
                "nothing can join these batches.",
                hint="It takes batches of a version or view of a hub, without samples_per_epoch.",
            )
        door.keep(newer)
        self._settle()
        join = Join(newer, self._place.position, new, old)
        course = self._joined(self._course, join, self._place.epoch)
        fresh = course.order.size - self._course.order.size
        self._stop()
        self._arrange(course)
        return fresh

    def walk(self) -> Walk:
        """What the next iteration would hand out, planned and not read, from this place on.

        For whoever reads elsewhere: see :mod:`maruhub.loaders.walk`. Nothing moves here until
        a planned batch is :meth:`consumed`. A run counts planned batches as read.
        """
        self._settle()
        if self._course.joins:
            raise InvalidInput("what has joined can't be read elsewhere.", hint="Join between two epochs.")
        epochs = self._options.epochs
        return Walk(
            self._reader.plan.walk(self._place, epochs),
            self._course.order,
            self._assembly,
            end=None if epochs is None else Place(self._place.epoch + epochs, 0),
            record=functools.partial(self._record.tell, self._course),
            decoding=self._decoding.alone(),
        )

    def planned(self, epoch: int, start: int, stop: int) -> Planned:
        """Positions ``start … stop`` of an epoch, whatever rank and batch size these batches have.

        For whoever cuts an epoch into pieces of its own. Safe from many threads.
        """
        size = self._course.order.size
        if not 0 <= start < stop <= size:
            raise InvalidInput(f"positions {start} … {stop} are not within an epoch of {size}.")
        (planned,) = self.planned_steps([Plan(size, stop - start).step(Place(epoch, start))])
        return planned

    def planned_steps(self, steps: Sequence[Step]) -> list[Planned]:
        """Steps of any plan of these epochs, planned in one go; at least one. Safe from many threads."""
        ends = np.cumsum([step.stop - step.start for step in steps])
        parts = np.split(rows_of(self._course.order, steps), ends[:-1])
        for step in steps:
            self._record.tell(self._course, step)
        decoding = self._decoding.alone()
        return [
            Planned(step, rows, self._assembly, decoding) for step, rows in zip(steps, parts, strict=True)
        ]

    @property
    def samples_an_epoch(self) -> int:
        """Positions of an epoch, over all ranks."""
        return self._course.order.size

    def consumed(
        self, place: Place, *, samples: int = 0, size_bytes: int = 0, skipped: Sequence[Skipped] = ()
    ) -> None:
        """The trainer has what a walk planned up to ``place``; counted as handed out here."""
        self.close()
        self._place = place
        self.skipped += skipped[: SKIPPED_MAX - len(self.skipped)]
        self._meter.handed_out(samples=samples, size_bytes=size_bytes, skipped=len(skipped))

    def _state(self) -> LoaderState:
        self._settle()
        return self._state_of(self._course)

    def _state_of(self, course: Course) -> LoaderState:
        options = self._options
        joined = tuple(Joining(join.view.digest, join.position, join.new, join.old) for join in course.joins)
        return LoaderState(course.view.digest, options.order_seed, options.order_json(), self._place, joined)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on from ``state``, made under any world, batch size or prefetch.

        Costs the same at every position. Raises StateMismatch for a state of another
        version or view, order or seed; nothing is changed then.
        """
        loaded = LoaderState.from_dict(state)
        loaded.check_source(self._state())
        course = self._rejoined(loaded)
        place = loaded.check(self._state_of(course), course.order.size)
        self.close()
        self._place = place
        if course is not self._course:
            self._arrange(course)
        self._ended = False

    def _rejoined(self, loaded: LoaderState) -> Course:
        """The course that a state was saved in."""
        if loaded.joined == self._state_of(self._course).joined:
            return self._course
        course = Course.of(self._course.view, self._options)
        for each in loaded.joined:
            if self._door is None:
                raise InvalidInput(
                    "the state is one of batches that others joined; nothing opens these here."
                )
            join = Join(self._door.open(each.source), each.position, each.new, each.old)
            course = self._joined(course, join, loaded.place.epoch)
        return course

    def _joined(self, course: Course, join: Join, epoch: int) -> Course:
        """The course with one more view in it; batches of a hub elsewhere ask there."""
        return course.joined(join, epoch, self._options)

    def _settle(self) -> None:
        """In an epoch behind that of the joins only the newest version is left."""
        if self._course.joins and self._place.epoch != self._course.epoch:
            self._stop()
            self._arrange(self._course.latest(self._options))

    def stats(self) -> LoaderStats:
        """Where the time went so far; ``str()`` of it is a line for people."""
        if self._stretch is not None:
            self._stretch.tell_waits(self._meter)
        return self._meter.snapshot()

    def close(self) -> None:
        """Stops reading ahead. The place stays; iterating again starts a new reader."""
        self._stop()
        self._begun = False

    def _stop(self) -> None:
        if self._stretch is not None:
            self._stretch.tell_waits(self._meter)
            self._stretch.close()
            self._stretch = None

    def _running(self) -> Stretch:
        if self._stretch is not None and self._stretch.is_foreign:
            self._stretch = None
        if self._stretch is None:
            self._settle()
            if not self._begun:
                epochs = self._options.epochs
                self._until = None if epochs is None else self._place.epoch + epochs
                self._begun = True
            last = self._course.epoch + 1 if self._course.joins else self._until
            epochs = None if last is None else last - self._place.epoch
            items = self._assembly.batches(self._decoded(epochs))
            self._stretch = Stretch(items, last, prefetch=self._options.prefetch)
        return self._stretch

    def _decoded(self, epochs: int | None) -> Iterator[Fetched]:
        """The steps from here on, read and decoded."""
        count = self._options.decode_processes
        if not count:
            return self._decoding.steps(self._reader.steps(self._place, epochs))
        from maruhub.loaders.processes import Processes

        processes = Processes.over(self._course, self._decoding, count, self._meter)
        return processes.steps(self._reader.plan.walk(self._place, epochs))

    def _hand_out(self, ready: Ready) -> Batch:
        step = ready.step
        try:
            self._record.tell(self._course, step)
        except BaseException:
            self.close()  # The batch is lost to this pass; a new one starts with it.
            raise
        self._place = step.after
        self.skipped += ready.skipped[: SKIPPED_MAX - len(self.skipped)]
        self._meter.handed_out(
            samples=len(ready.batch), size_bytes=ready.read_bytes, skipped=len(ready.skipped)
        )
        return ready.batch
