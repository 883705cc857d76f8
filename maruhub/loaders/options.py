"""How batches are made: what a user may choose, checked by name."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from maruhub import argument
from maruhub.errors import InvalidInput
from maruhub.loaders.ahead import Window
from maruhub.loaders.assembly import OnError, check_on_error
from maruhub.loaders.orders import Sequential, Shuffled
from maruhub.loaders.orders.resized import ResizedOrder
from maruhub.loaders.permutation import SEED_MAX
from maruhub.loaders.plan import Remainder

if TYPE_CHECKING:
    from maruhub.loaders.order import Order, Policy
    from maruhub.loaders.source import Recorder, SampleSource

PREFETCH_BYTES: Final = 64 << 20
_SAMPLES_MAX: Final = 1 << 63
_TOGETHER_MIN: Final = 128
"""Extents read in one call at least, however narrow a window is."""
_TOGETHER_MAX: Final = 1 << 15
"""Samples planned at once at most, however wide a window is: each costs some 500 bytes."""
_THREADS: Final = 8
_THREADS_MAX: Final = 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class LoaderOptions:
    """What a user may choose for :class:`maruhub.loaders.Batches`, beside view and batch size.

    Attributes:
        seed: The order, with the epoch's number: 0 … 2**64 - 1.
        rank: This process's number among ``world`` training processes.
        world: How many processes share the epoch.
        epochs: Epochs that one iteration covers; the rest of a begun one counts as one.
            None goes on for ever.
        shuffle: False hands out the view's own sequence; the same as ``order=Sequential()``.
        order: What comes when (:mod:`maruhub.loaders.orders`); None: true random order.
        samples_per_epoch: A fixed length of epochs; None: as the order has it. Nothing is
            lost or repeated: an epoch goes on where the last one ended.
        remainder: Samples that fill no whole step of all ranks: "exact" hands them out (ranks
            may differ by one batch), "drop" leaves them out, "pad" fills the step up with
            samples from the epoch's beginning, counted in ``Batch.padding``.
        verify: Whether each returned byte is checked against its sum in that very read.
        on_error: At a sample that can't be had: "raise" its error in place of its batch,
            "skip" it, or "substitute" the batch's next good one; what was passed over is
            listed in ``skipped``. A batch without any good sample is handed out empty, so
            that ranks keep step.
        decode: Makes a value of a sample's bytes (:mod:`maruhub.loaders.decoders`, or any
            function of a memoryview that many threads may call); ``Batch.values`` holds them.
            What it raises is the sample's error.
        transform: Makes what the trainer gets of a decoded value (of the bytes where there is
            no ``decode``), anew each time: for augmentation.
        decode_threads: Threads for both; None: one a core, at most 8; 1: the reading thread.
        decode_processes: Processes that read and decode instead, for functions of slow Python;
            0: threads. Of them only values come back: blobs are empty, and nothing is cached.
        cache_bytes: Decoded values, before ``transform``, that may be held for later epochs;
            what is held is not read again.
        prefetch: Bytes of batches that may wait ready, read by a thread (at least one
            batch); 0 reads in the caller's thread.
        recorder: Told what is handed out, before it is (see ``Recorder``).
        window: How far reading looks ahead; None: as the order needs.
    """

    seed: int = 0
    rank: int = 0
    world: int = 1
    epochs: int | None = 1
    shuffle: bool = True
    order: Policy | None = None
    samples_per_epoch: int | None = None
    remainder: Remainder = "exact"
    verify: bool = True
    on_error: OnError = "raise"
    decode: Callable[[memoryview], Any] | None = None
    transform: Callable[[Any], Any] | None = None
    decode_threads: int | None = None
    decode_processes: int = 0
    cache_bytes: int = 0
    prefetch: int = PREFETCH_BYTES
    recorder: Recorder | None = None
    window: Window | None = None

    @classmethod
    def of(cls, given: dict[str, Any]) -> LoaderOptions:
        """From keyword arguments; InvalidInput names the one that can't be."""
        argument.options(cls, given)
        return cls(**given).checked()

    def checked(self) -> LoaderOptions:
        """The same with plain numbers in it; InvalidInput."""
        samples = self.samples_per_epoch
        _check_object("recorder", self.recorder, "reads", "a run's recorder (run.recorder(view))")
        _check_object("order", self.order, "to_json", "an order, such as maruhub.loaders.orders.Blocks()")
        if self.window is not None and not isinstance(self.window, Window):
            raise argument.wrong("window", self.window, "a Window")
        if not argument.flag("shuffle", self.shuffle) and self.order is not None and self.order.shuffles:
            raise InvalidInput(f"shuffle=False does not go with order={self.order}.", hint="Leave one out.")
        argument.flag("verify", self.verify)
        check_on_error(self.on_error)
        argument.function("decode", self.decode)
        argument.function("transform", self.transform)
        threads = self.decode_threads
        processes = argument.whole("decode_processes", self.decode_processes, low=0, high=_THREADS_MAX)
        if processes and ((self.decode is None and self.transform is None) or self.cache_bytes):
            raise InvalidInput(
                "decode_processes needs a decode= or transform=, and goes with no cache_bytes.",
                hint="Leave it out to decode in threads of this process.",
            )
        return replace(
            self,
            seed=argument.whole("seed", self.seed, low=0, high=SEED_MAX),
            epochs=None if self.epochs is None else argument.whole("epochs", self.epochs, low=1),
            prefetch=argument.whole("prefetch", self.prefetch, low=0),
            decode_processes=processes,
            cache_bytes=argument.whole("cache_bytes", self.cache_bytes, low=0),
            decode_threads=default_threads()
            if threads is None
            else argument.whole("decode_threads", threads, low=1, high=_THREADS_MAX),
            samples_per_epoch=None
            if samples is None
            else argument.whole("samples_per_epoch", samples, low=1, high=_SAMPLES_MAX),
        )

    @property
    def policy(self) -> Policy:
        """What makes the order."""
        if self.order is not None:
            return self.order
        return Shuffled() if self.shuffle else Sequential()

    @property
    def order_seed(self) -> int | None:
        """The seed, where the order depends on one."""
        return self.seed if self.policy.shuffles else None

    def order_of(self, source: SampleSource) -> Order:
        """The order of epochs over a source."""
        order = self.policy.order(source, self.seed)
        return order if self.samples_per_epoch is None else ResizedOrder(order, self.samples_per_epoch)

    def order_json(self) -> dict[str, Any]:
        """What a state says of the order."""
        told = self.policy.to_json()
        return told if self.samples_per_epoch is None else {**told, "samples": self.samples_per_epoch}

    def window_for(self, order: Order) -> Window:
        """How far to look ahead: an order that keeps neighbours together is read a window at once."""
        if self.window is not None:
            return self.window
        plain = Window()
        if order.together == 1:
            return plain
        together = min(max(order.together, _TOGETHER_MIN), _TOGETHER_MAX)
        return replace(
            plain,
            chunk_samples=max(plain.chunk_samples, together),
            piece_extents=together,
            piece_bytes=plain.piece_bytes * 4,
            pieces_ahead=1,
        )


def default_threads() -> int:
    """A thread for each core that this process may use, at most 8."""
    return max(1, min(_THREADS, len(os.sched_getaffinity(0))))


def _check_object(name: str, value: object, attribute: str, wanted: str) -> None:
    """Raises InvalidInput for an object that is not what it is called."""
    if value is not None and not hasattr(value, attribute):
        raise argument.wrong(name, value, wanted)
