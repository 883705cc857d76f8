"""Batches: what a trainer iterates over, and where it is."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from maruhub import argument
from maruhub.errors import InvalidInput
from maruhub.loaders.ahead import Window
from maruhub.loaders.batch import Batch, Skipped
from maruhub.loaders.order import GlobalOrder
from maruhub.loaders.permutation import SEED_MAX
from maruhub.loaders.plan import Place, Plan
from maruhub.loaders.prefetch import Prefetcher
from maruhub.loaders.reading import BatchReader, OnError, Reader, Ready, check_on_error
from maruhub.loaders.state import LoaderState
from maruhub.loaders.stats import LoaderStats, Meter

if TYPE_CHECKING:
    from maruhub.loaders.source import Recorder, SampleSource
    from maruhub.store.protocol import Store

PREFETCH_BYTES: Final = 64 << 20
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
    sample comes exactly once an epoch over all ranks; nothing is dropped or padded, so at
    an epoch's end ranks may differ by one batch. Breaking out of a loop and iterating
    again goes on with the next batch. For one thread at a time. In another process, after
    a fork or handed over by multiprocessing, it goes on from the same place with a reader
    of its own; where Python starts the process anew (spawn, forkserver) it opens the hub by
    its path there.

    Args:
        view: The samples (a ``SampleSource``, such as a catalog's view).
        store: Where their bytes are; None only in batches that read elsewhere.
        batch_size: Samples a batch on this rank; the last one of an epoch may be shorter.
        seed: The order, with the epoch's number: 0 … 2**64 - 1.
        rank: This process's number among ``world`` training processes.
        world: How many processes share the epoch.
        epochs: Epochs that one iteration covers; the rest of a begun one counts as one.
            None goes on for ever.
        shuffle: False hands out the view's own sequence.
        verify: Whether each returned byte is checked against its sum in that very read.
        on_error: At an unreadable sample: "raise" its error in place of its batch, or
            "skip" it; skipped samples are listed in ``skipped``. A batch of which all
            were skipped is handed out empty, so that ranks keep step.
        prefetch: Bytes of batches that may wait ready, read by a thread (at least one
            batch); 0 reads in the caller's thread.
        recorder: Told what is handed out, before it is (see :class:`Recorder`).
        window: How far reading looks ahead.
    """

    def __init__(
        self,
        view: SampleSource,
        store: Store | None,
        batch_size: int,
        *,
        seed: int = 0,
        rank: int = 0,
        world: int = 1,
        epochs: int | None = 1,
        shuffle: bool = True,
        verify: bool = True,
        on_error: OnError = "raise",
        prefetch: int = PREFETCH_BYTES,
        recorder: Recorder | None = None,
        window: Window | None = None,
    ) -> None:
        _check_kinds(view, recorder, window)
        seed = argument.whole("seed", seed, low=0, high=SEED_MAX)
        epochs = None if epochs is None else argument.whole("epochs", epochs, low=1)
        prefetch = argument.whole("prefetch", prefetch, low=0)
        plan = Plan.of(len(view), batch_size, rank, world)
        self.skipped: list[Skipped] = []
        self._view = view
        self._options: dict[str, Any] = {
            "batch_size": plan.batch_size,
            "seed": seed,
            "rank": plan.rank,
            "world": plan.world,
            "epochs": epochs,
            "shuffle": shuffle,
            "verify": verify,
            "on_error": on_error,
            "prefetch": prefetch,
            "window": window,
        }
        self._source = view.digest
        self._seed = seed if argument.flag("shuffle", shuffle) else None
        self._epochs = epochs
        self._prefetch = prefetch
        self._recorder = recorder
        self._meter = Meter()
        self._store = store
        self._reader = self._open_reader(
            source=view,
            plan=plan,
            order=GlobalOrder(len(view), self._seed),
            meter=self._meter,
            verify=argument.flag("verify", verify),
            on_error=check_on_error(on_error),
            window=window or Window(),
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
        options = dict(self._options)
        if self._recorder is not None:
            options["run"] = getattr(self._recorder, "run", None)
            if not isinstance(options["run"], str):
                raise _stays_here("a recorder that no run made")
        return _reopen, (self._view, options, self.state_dict())

    def __len__(self) -> int:
        """Batches that this rank gets in a whole epoch."""
        plan = self._reader.plan
        whole, rest = divmod(plan.size, plan.stride)
        return whole + (rest > plan.rank * plan.batch_size)

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
        return LoaderState(self._source, self._seed, self._place).to_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on from ``state``, made under any world, batch size or prefetch.

        Costs the same at every position. Raises StateMismatch for a state of another
        version, view or seed; nothing is changed then.
        """
        loaded = LoaderState.from_dict(state)
        place = loaded.check(source=self._source, seed=self._seed, size=self._reader.plan.size)
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
            self._pass = _Pass(self._reader, self._place, epochs=self._epochs, prefetch=self._prefetch)
        return self._pass

    def _hand_out(self, ready: Ready) -> Batch:
        step = ready.step
        if self._recorder is not None:
            stop = step.after.position or self._reader.plan.size
            try:
                self._recorder.reads(self._source, step.epoch, self._seed, step.position, stop)
            except BaseException:
                self.close()  # The batch is lost to this pass; a new one starts with it.
                raise
        self._place = step.after
        self.skipped += ready.skipped[: SKIPPED_MAX - len(self.skipped)]
        self._meter.handed_out(
            samples=len(ready.batch), size_bytes=ready.size_bytes, skipped=len(ready.skipped)
        )
        return ready.batch

    def _take_waits(self) -> None:
        if self._pass is not None:
            trainer, reader = self._pass.take_waits()
            self._meter.trainer_waited += trainer
            self._meter.reader_waited += reader


class _Pass:
    """One run of a reader from a place to the end of its epochs, threaded or not."""

    def __init__(self, reader: BatchReader, place: Place, *, epochs: int | None, prefetch: int) -> None:
        self.pid = os.getpid()
        self.last_epoch = None if epochs is None else place.epoch + epochs
        items = reader.batches(place, epochs)
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


def _check_kinds(view: object, recorder: object, window: object) -> None:
    """Raises InvalidInput for objects that are not what they are called."""
    if not hasattr(view, "digest") or not hasattr(view, "ids"):
        raise argument.wrong("view", view, "a version or view, such as dataset.latest")
    if recorder is not None and not hasattr(recorder, "reads"):
        raise argument.wrong("recorder", recorder, "a run's recorder (run.recorder(view))")
    if window is not None and not isinstance(window, Window):
        raise argument.wrong("window", window, "a Window")


def _stays_here(why: str) -> InvalidInput:
    return InvalidInput(
        f"these batches read {why}: they can't be handed to another process.",
        hint="Make them there: maruhub.connect(path).version(…).batches(…).",
    )


def _reopen(view: Any, options: dict[str, Any], state: dict[str, Any]) -> Batches:
    """Batches that came from another process: the same place in the same order."""
    made: Batches = view.batches(**options)
    made.load_state_dict(state)
    return made
