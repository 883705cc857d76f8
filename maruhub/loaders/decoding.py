"""The stage that decodes: in threads, in order, one step ahead of who takes it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final, NamedTuple

from maruhub.errors import InvalidData, MaruError
from maruhub.loaders.decoded_cache import DecodedCache
from maruhub.loaders.reading import Fetched
from maruhub.loaders.stats import Meter

Function = Callable[[Any], Any]

_SLICES_A_THREAD: Final = 4
"""So that a few slow samples don't leave the other threads idle."""
_AHEAD: Final = 2
"""Steps in the threads' hands: one that is waited for, one that keeps them busy meanwhile."""


class _Slice(NamedTuple):
    """What a thread made of some samples of a step."""

    values: list[Any]
    seconds: float
    cached: int


@dataclass(frozen=True, slots=True)
class Decoding:
    """Makes values of blobs, or passes them on where there is nothing to do.

    Attributes:
        meter: Told how long the threads worked.
        decode: From a memoryview to a value; None: the bytes are the value.
        transform: From a value to what the trainer gets, anew in every epoch.
        threads: How many work; 1: the thread that asks.
        cache: Values before the transform, for the next epochs.
    """

    meter: Meter
    decode: Function | None = None
    transform: Function | None = None
    threads: int = 1
    cache: DecodedCache = field(default_factory=lambda: DecodedCache(0))

    def __reduce__(self) -> tuple[Any, ...]:
        # What is held and counted stays in its process.
        return Decoding, (Meter(), self.decode, self.transform)

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do."""
        return self.decode is None and self.transform is None

    def alone(self) -> Decoding | None:
        """The same in one thread, with nothing held, for a reader elsewhere; None: nothing to do."""
        return None if self.idle else Decoding(Meter(), self.decode, self.transform)

    def of(self, fetched: Fetched) -> Fetched:
        """One step with its values, made in this thread."""
        return self._finish(fetched, [self._slice(fetched, 0, len(fetched.results))])

    def steps(self, steps: Iterator[Fetched]) -> Iterator[Fetched]:
        """The steps with their values, in order; an error in place of the value that failed."""
        if self.idle:
            return steps
        self.meter.decode_threads = self.threads
        return self._inline(steps) if self.threads == 1 else self._threaded(steps)

    def _inline(self, steps: Iterator[Fetched]) -> Iterator[Fetched]:
        for fetched in steps:
            done = [self.of(fetched)]
            del fetched
            yield done.pop()

    def _threaded(self, steps: Iterator[Fetched]) -> Iterator[Fetched]:
        waiting: deque[tuple[Fetched, list[Future[_Slice]]]] = deque()
        pool = ThreadPoolExecutor(self.threads, thread_name_prefix="maruhub-decode")
        ahead = 1  # The first need not wait for the second to be read.
        try:
            for fetched in steps:
                waiting.append((fetched, self._submit(pool, fetched)))
                del fetched
                if len(waiting) >= ahead:
                    yield self._await(*waiting.popleft())
                    ahead = _AHEAD
            while waiting:
                yield self._await(*waiting.popleft())
        finally:
            # A sample in a thread's hands is finished, not waited for.
            pool.shutdown(wait=False, cancel_futures=True)

    def _submit(self, pool: ThreadPoolExecutor, fetched: Fetched) -> list[Future[_Slice]]:
        count = len(fetched.results)
        slices = max(1, min(count, self.threads * _SLICES_A_THREAD))
        bounds = [count * i // slices for i in range(slices + 1)]
        return [pool.submit(self._slice, fetched, lo, hi) for lo, hi in pairwise(bounds)]

    def _await(self, fetched: Fetched, futures: list[Future[_Slice]]) -> Fetched:
        return self._finish(fetched, [future.result() for future in futures])

    def _finish(self, fetched: Fetched, slices: list[_Slice]) -> Fetched:
        self.meter.seconds["decode"] += sum(each.seconds for each in slices)
        self.meter.cached += sum(each.cached for each in slices)
        return fetched._replace(values=[value for each in slices for value in each.values])

    def _slice(self, fetched: Fetched, lo: int, hi: int) -> _Slice:
        start, before, values = time.perf_counter(), 0, []
        rows = fetched.samples.rows[lo:hi].tolist()
        for row, blob in zip(rows, fetched.results[lo:hi], strict=True):
            kept = self.cache.get(row)
            before += kept is not None
            values.append(self._value(row, blob, kept))
        return _Slice(values, time.perf_counter() - start, before)

    def _value(self, row: int, blob: memoryview | MaruError, kept: Any | None) -> Any:
        if isinstance(blob, MaruError):
            return blob
        try:
            value = kept
            if value is None:
                value = blob if self.decode is None else self.decode(blob)
                if self.decode is not None:
                    self.cache.put(row, value)
            return value if self.transform is None else self.transform(value)
        except MaruError as error:
            return error
        except Exception as error:  # noqa: BLE001 - whatever one sample does to a user's function
            failed = InvalidData(f"decoding failed: {type(error).__name__}: {error}".rstrip(": "))
            failed.__cause__ = error
            return failed
