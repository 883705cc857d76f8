"""Batches: what a trainer iterates over, and where it is."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from maruhub import argument
from maruhub.errors import InvalidInput
from maruhub.loaders.assembly import Assembly, Ready
from maruhub.loaders.batch import Batch, Skipped
from maruhub.loaders.decoded_cache import DecodedCache
from maruhub.loaders.decoding import Decoding
from maruhub.loaders.options import LoaderOptions
from maruhub.loaders.order import rows_of
from maruhub.loaders.plan import Place, Plan, Step
from maruhub.loaders.prefetch import Prefetcher
from maruhub.loaders.reading import BatchReader, Reader
from maruhub.loaders.state import LoaderState
from maruhub.loaders.stats import LoaderStats, Meter
from maruhub.loaders.walk import Planned, Walk

if TYPE_CHECKING:
    from maruhub.loaders.source import SampleSource
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
        options: See :class:`maruhub.loaders.options.LoaderOptions`.
    """

    def __init__(self, view: SampleSource, store: Store | None, batch_size: int, **options: Any) -> None:
        if not hasattr(view, "digest") or not hasattr(view, "ids"):
            raise argument.wrong("view", view, "a version or view, such as dataset.latest")
        chosen = LoaderOptions.of(options)
        order = chosen.order_of(view)
        plan = Plan.of(
            order.size, batch_size, rank=chosen.rank, world=chosen.world, remainder=chosen.remainder
        )
        self.skipped: list[Skipped] = []
        self._view = view
        self._batch_size = plan.batch_size
        self._options = chosen
        self._order = order
        self._meter = Meter()
        self._store = store
        self._cache = DecodedCache(chosen.cache_bytes)
        self._decoding = Decoding(
            meter=self._meter,
            decode=chosen.decode,
            transform=chosen.transform,
            threads=chosen.decode_threads or 1,
            cache=self._cache,
        )
        self._assembly = Assembly(plan.size, chosen.on_error)
        self._reader = self._open_reader(
            source=view,
            plan=plan,
            order=order,
            meter=self._meter,
            verify=chosen.verify,
            window=chosen.window_for(order),
            held=self._cache.known,
        )
        self._place = Place(0, 0)
        self._pass: _Pass | None = None
        self._ended = False

    def _open_reader(self, **parts: Any) -> BatchReader:
        """What reads for these batches; batches of a hub elsewhere have another."""
        assert self._store is not None, "whoever has no store opens another reader"
        return Reader(store=self._store, **parts)

    def __reduce__(self) -> tuple[Any, ...]:
        # The hub and the view are opened anew where this arrives (spawn, forkserver); what
        # was read ahead, skipped and counted stays here.
        if not hasattr(self._view, "batches"):
            raise _stays_here("a source that no hub opens")
        options = {
            each.name: getattr(self._options, each.name)
            for each in dataclasses.fields(self._options)
            if each.name != "recorder"
        }
        recorder = self._options.recorder
        if recorder is not None:
            options["run"] = getattr(recorder, "run", None)
            if not isinstance(options["run"], str):
                raise _stays_here("a recorder that no run made")
        return _reopen, (self._view, self._batch_size, options, self.state_dict())

    def __len__(self) -> int:
        """Batches that this rank gets in a whole epoch."""
        return self._reader.plan.batches_an_epoch()

    def __iter__(self) -> Iterator[Batch]:
        # A pass whose last batch is out already is over; one left in the middle goes on.
        if self._pass is not None and self._place.epoch == self._pass.last_epoch:
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
        if ready is None:
            self.close()
            if running.last_epoch is not None:
                self._place = Place(running.last_epoch, 0)
            self._ended = True  # until the next iter(), as every iterator does
            raise StopIteration
        return self._hand_out(ready)

    def state_dict(self) -> dict[str, Any]:
        """Where the next batch starts, as JSON values; a new dict each time.

        Equal on all ranks after the same number of steps. After an epoch's last batch
        it says: the next epoch, from its start.
        """
        return self._state().to_dict()

    def walk(self) -> Walk:
        """What the next iteration would hand out, planned and not read, from this place on.

        For whoever reads elsewhere: see :mod:`maruhub.loaders.walk`. Nothing moves here until
        a planned batch is :meth:`consumed`. A run counts planned batches as read.
        """
        epochs = self._options.epochs
        steps = self._reader.plan.walk(self._place, epochs)
        end = None if epochs is None else Place(self._place.epoch + epochs, 0)
        return Walk(
            steps, self._order, self._assembly, end=end, record=self._record, decoding=self._decoding.alone()
        )

    def planned(self, epoch: int, start: int, stop: int) -> Planned:
        """Positions ``start … stop`` of an epoch, whatever rank and batch size these batches have.

        For whoever cuts an epoch into pieces of its own. Safe from many threads.
        """
        plan = Plan(self._order.size, max(stop - start, 1))
        if not 0 <= start < stop <= plan.size:
            raise InvalidInput(f"positions {start} … {stop} are not within an epoch of {plan.size}.")
        step = plan.step(Place(epoch, start))
        self._record(step)
        return Planned(step, rows_of(self._order, [step]), self._assembly, self._decoding.alone())

    @property
    def samples_an_epoch(self) -> int:
        """Positions of an epoch, over all ranks."""
        return self._order.size

    def consumed(
        self, place: Place, *, samples: int = 0, size_bytes: int = 0, skipped: Sequence[Skipped] = ()
    ) -> None:
        """The trainer has what a walk planned up to ``place``; counted as handed out here."""
        self.close()
        self._place = place
        self.skipped += skipped[: SKIPPED_MAX - len(self.skipped)]
        self._meter.handed_out(samples=samples, size_bytes=size_bytes, skipped=len(skipped))

    def _state(self) -> LoaderState:
        options = self._options
        return LoaderState(self._view.digest, options.order_seed, options.order_json(), self._place)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on from ``state``, made under any world, batch size or prefetch.

        Costs the same at every position. Raises StateMismatch for a state of another
        version or view, order or seed; nothing is changed then.
        """
        place = LoaderState.from_dict(state).check(self._state(), self._reader.plan.size)
        self.close()
        self._place = place
        self._ended = False

    def stats(self) -> LoaderStats:
        """Where the time went so far; ``str()`` of it is a line for people."""
        self._take_waits()
        return self._meter.snapshot()

    def close(self) -> None:
        """Stops reading ahead. The place stays; iterating again starts a new reader."""
        if self._pass is not None:
            self._take_waits()
            self._pass.close()
            self._pass = None

    def _running(self) -> _Pass:
        if self._pass is not None and self._pass.pid != os.getpid():
            self._pass = None  # The parent's thread does not exist in this process.
        if self._pass is None:
            epochs = self._options.epochs
            steps = self._decoding.steps(self._reader.steps(self._place, epochs))
            items = self._assembly.batches(steps)
            last = None if epochs is None else self._place.epoch + epochs
            self._pass = _Pass(items, last, prefetch=self._options.prefetch)
        return self._pass

    def _hand_out(self, ready: Ready) -> Batch:
        step = ready.step
        try:
            self._record(step)
        except BaseException:
            self.close()  # The batch is lost to this pass; a new one starts with it.
            raise
        self._place = step.after
        self.skipped += ready.skipped[: SKIPPED_MAX - len(self.skipped)]
        self._meter.handed_out(
            samples=len(ready.batch), size_bytes=ready.read_bytes, skipped=len(ready.skipped)
        )
        return ready.batch

    def _record(self, step: Step) -> None:
        recorder = self._options.recorder
        if recorder is None:
            return
        size = self._order.size
        spans = self._order.spans(step.epoch, step.position, min(step.end, size))
        if step.end > size:  # padded from the epoch's beginning
            spans += self._order.spans(step.epoch, 0, min(step.end - size, size))
        for span in spans:
            recorder.reads(self._view.digest, span.epoch, span.seed, span.start, span.stop)

    def _take_waits(self) -> None:
        if self._pass is not None:
            trainer, reader = self._pass.take_waits()
            self._meter.trainer_waited += trainer
            self._meter.reader_waited += reader


class _Pass:
    """One run of batches from a place to the end of its epochs, threaded or not."""

    def __init__(self, items: Iterator[Ready], last_epoch: int | None, *, prefetch: int) -> None:
        self.pid = os.getpid()
        self.last_epoch = last_epoch
        self._inline = items if not prefetch else None
        self._thread = Prefetcher(items, limit_bytes=prefetch) if prefetch else None
        self._taken = (0.0, 0.0)

    def next(self) -> Ready | None:
        if self._inline is not None:
            return next(self._inline, None)
        assert self._thread is not None
        return self._thread.get()

    def take_waits(self) -> tuple[float, float]:
        """Seconds that the trainer and the reader waited since the last call."""
        if self._thread is None:
            return 0.0, 0.0
        now = (self._thread.channel.consumer_waited_s, self._thread.channel.producer_waited_s)
        waits = (now[0] - self._taken[0], now[1] - self._taken[1])
        self._taken = now
        return waits

    def close(self) -> None:
        if self._thread is not None and self.pid == os.getpid():
            self._thread.close()


def _stays_here(why: str) -> InvalidInput:
    return InvalidInput(
        f"these batches read {why}: they can't be handed to another process.",
        hint="Make them there: maruhub.connect(path).version(…).batches(…).",
    )


def _reopen(view: Any, batch_size: int, options: dict[str, Any], state: dict[str, Any]) -> Batches:
    """Batches that came from another process: the same place in the same order."""
    made: Batches = view.batches(batch_size, **options)
    made.load_state_dict(state)
    return made
