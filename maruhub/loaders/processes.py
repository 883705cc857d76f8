"""The stage that reads and decodes in processes: for decoders that hold Python's lock.

A process is told the rows of a step and reads them by itself, from the drives; no bytes of samples cross,
only what was made of them comes back. Steps go round the processes in turn, one in each one's hands, and
come back in order, so where a training is stays one place in the plan, whatever processes are ahead of it.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import multiprocessing
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pickle import PicklingError  # noqa: TID251 - an error's name; nothing is unpickled
from typing import Any, Final, NamedTuple

from maruhub.errors import InvalidData, InvalidInput, MaruError, Unavailable
from maruhub.loaders.decoding import Decoding
from maruhub.loaders.following import Course
from maruhub.loaders.order import Order, rows_of
from maruhub.loaders.permutation import Positions
from maruhub.loaders.plan import Step
from maruhub.loaders.reading import Fetched, Samples
from maruhub.loaders.stats import Meter
from maruhub.loaders.walk import Rows

_END_S: Final = 2.0
"""How long a process may take to end by itself before it is told to."""
_ELSEWHERE: Final = memoryview(b"")
"""In place of bytes that were read in another process."""


class _Made(NamedTuple):
    """What a process makes of a step."""

    samples: Samples
    values: list[Any]
    read_s: float
    decode_s: float


@dataclass(frozen=True, slots=True)
class Processes:
    """Reads and decodes steps in processes of its own, which live as long as one pass.

    Started anew (spawn or forkserver, whichever Python is set to), never forked: a trainer has threads.

    Attributes:
        source: What steps are read from; it is handed over, and opened again there.
        order: Which rows they are.
        decoding: What is made of them.
        count: How many processes.
        meter: Told how long they worked.
    """

    source: Rows
    order: Order
    decoding: Decoding
    count: int
    meter: Meter

    @classmethod
    def over(cls, course: Course, decoding: Decoding, count: int, meter: Meter) -> Processes:
        """What reads a course; raises InvalidInput for one that nobody can open elsewhere."""
        source: Any = course.source
        if not hasattr(source, "read_many"):
            raise InvalidInput(
                "decode_processes can't read this source elsewhere.", hint="Decode in threads."
            )
        return cls(source, course.order, decoding, count, meter)

    def steps(self, steps: Iterator[Step]) -> Iterator[Fetched]:
        """The steps with their values, in order; an error in place of the value that failed.

        Raises Unavailable, with how it ended, when a process dies.
        """
        self.meter.decode_threads = self.count
        waiting: deque[tuple[Step, _Hand]] = deque()
        with contextlib.ExitStack() as ending:
            crew = [ending.enter_context(_Hand(self.source, self.decoding)) for _ in range(self.count)]
            ending.callback(_let_go, crew)  # all at once, then each is waited for
            for step, hand in zip(steps, itertools.cycle(crew), strict=False):
                # Its last step first: a process with one in its hands doesn't listen for another.
                done = [self._fetched(*waiting.popleft())] if len(waiting) == self.count else []
                hand.give(step, rows_of(self.order, [step]))
                waiting.append((step, hand))
                if done:
                    yield done.pop()
            while waiting:
                yield self._fetched(*waiting.popleft())

    def _fetched(self, step: Step, hand: _Hand) -> Fetched:
        made = hand.take()
        self.meter.seconds["read"] += made.read_s
        self.meter.seconds["decode"] += made.decode_s
        bytes_of = [value if isinstance(value, MaruError) else _ELSEWHERE for value in made.values]
        return Fetched(step, made.samples, bytes_of, made.values)


class _Hand:
    """One process. A context: it ends with it, and, its pipe closed, also when this process is killed."""

    def __init__(self, source: Rows, decoding: Decoding) -> None:
        method = multiprocessing.get_start_method(allow_none=True)
        forkserver = method == "forkserver"
        context = (
            multiprocessing.get_context("forkserver") if forkserver else multiprocessing.get_context("spawn")
        )
        self._pipe, there = context.Pipe()
        with there:
            self._process = context.Process(
                target=_work, args=(there, source, decoding), name="maruhub-decode", daemon=True
            )
            try:
                self._process.start()
            except (AttributeError, TypeError, PicklingError) as error:
                raise InvalidInput(
                    f"decode= and transform= can't be handed to another process: {error}",
                    hint="Define them at the top of a module, not in a function or as a lambda.",
                ) from error

    def __enter__(self) -> _Hand:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.join(_END_S)
        if self._process.is_alive():
            self._process.terminate()
            self._process.join()

    def let_go(self) -> None:
        """Tells it to end, once it has done what is in its hands."""
        self._pipe.close()

    def give(self, step: Step, rows: Positions) -> None:
        """Asks for the values of rows."""
        with self._death():
            self._pipe.send((step, rows))

    def take(self) -> _Made:
        """What it made of what it was given; raises what it raised."""
        with self._death():
            # A process that a decoder started may hold the pipe open when its parent is gone.
            if self._pipe not in wait([self._pipe, self._process.sentinel]):
                raise EOFError
            made = self._pipe.recv()
        if isinstance(made, BaseException):
            raise made
        found: _Made = made
        return found

    @contextlib.contextmanager
    def _death(self) -> Iterator[None]:
        try:
            yield
        except (EOFError, OSError) as error:
            self._process.join(_END_S)
            raise Unavailable(
                f"a decoding process died{_how(self._process.exitcode)}.",
                hint="It may have run out of memory, or a library crashed in it. "
                "Load the last state into a new loader, with decode_processes=0 to see it happen here.",
            ) from error


def _let_go(crew: list[_Hand]) -> None:
    for hand in crew:
        hand.let_go()


def _how(code: int | None) -> str:
    if code is None:
        return ""
    return f" of signal {-code}" if code < 0 else f" with exit status {code}"


def _work(pipe: Connection, source: Rows, decoding: Decoding) -> None:
    """A process's whole life: until the pipe is closed at its other end, whoever closed it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the trainer's, which then lets go.
    with contextlib.suppress(EOFError, OSError):
        while True:
            step, rows = pipe.recv()
            _answer(pipe, functools.partial(_made, source, decoding, step, rows))


def _answer(pipe: Connection, make: Callable[[], _Made]) -> None:
    try:
        pipe.send(make())
    except ConnectionError:
        raise
    except MaruError as error:
        pipe.send(error)
    except Exception as error:  # noqa: BLE001 - what can't cross is told as what it is
        pipe.send(
            InvalidData(
                f"a decoded batch could not be handed over: {type(error).__name__}: {error}",
                hint="Return arrays, tensors or bytes, no views of a sample's bytes; or leave out decode_processes.",
            )
        )


def _made(source: Rows, decoding: Decoding, step: Step, rows: Positions) -> _Made:
    begun = time.perf_counter()
    samples = Samples(source.ids(rows), rows, source.columns(rows))
    fetched = Fetched(step, samples, source.read_many(rows))
    read_s = time.perf_counter() - begun
    decoded = decoding.of(fetched).values
    assert decoded is not None
    return _Made(samples, decoded, read_s, time.perf_counter() - begun - read_s)
