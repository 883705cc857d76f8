"""Small uploads of a worker: those that wait at the same time are put together.

A put mostly waits: for its worker's turn, for another process's, for the drive. In a thread of its
own each one woke three others on its way, and all of them took the interpreter from the thread that
led the turn for which the whole pool waited. So a few threads do it by turns: one takes all that has
come, checks and sums it, and then waits for a commit turn; meanwhile the next takes what has come
since. There are some more than two, for a turn takes along whoever waits when it begins, and who is
not yet checked by then waits for another process's turn too.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Final, NamedTuple

from maruhub.gateway.answer import Answer
from maruhub.gateway.s3.failure import S3Failure
from maruhub.gateway.service.service import Service
from maruhub.gateway.service.small_puts import SMALL_BYTES, SmallPut, SmallPuts
from maruhub.store.protocol import Store

_log = logging.getLogger(__name__)

THREADS: Final = 10

Answered = Callable[[Answer | Exception], None]
"""Hears what to answer to a put that is durable, or what is wrong with it, in one of the threads; raises nothing."""


class _Waiting(NamedTuple):
    put: SmallPut
    answered: Answered


class Putting:
    """Puts small bodies. Safe from many threads.

    Args:
        service: Whose rules they go by.
        store: Where to.
        most: How many may be under way; more are told to slow down.
    """

    def __init__(self, service: Service, store: Store, most: int) -> None:
        self._service = service
        self._store = store
        self._most = most
        self._pending = 0
        self._lock = threading.Lock()
        self._queue: SimpleQueue[_Waiting | None] = SimpleQueue()
        self._left: _Waiting | None = None
        self._taking = threading.Lock()
        self._threads = [
            threading.Thread(target=self._work, name="maru-put", daemon=True) for _ in range(THREADS)
        ]
        for thread in self._threads:
            thread.start()

    def put(self, put: SmallPut, answered: Answered) -> None:
        """Begins one. Raises ``SlowDown`` if too many are under way."""
        with self._lock:
            if self._pending >= self._most:
                raise S3Failure("SlowDown")
            self._pending += 1
        self._queue.put(_Waiting(put, answered))

    async def answer(self, put: SmallPut) -> Answer:
        """The same for who waits in an event loop: what to answer. Raises what is wrong."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Answer] = loop.create_future()
        self.put(put, functools.partial(_tell_loop, loop, answer))
        try:
            return await answer
        finally:
            # What is wrong holds this frame, and with it the body; it must not be held by it too.
            del answer

    def close(self) -> None:
        """Waits for what is under way; nothing may be begun any more."""
        self._queue.put(None)
        for thread in self._threads:
            thread.join()

    # ------------------------------------------------------------ in the threads

    def _work(self) -> None:
        while self._answer_some():
            pass

    def _answer_some(self) -> bool:
        """Puts what waited; whether there was anything. What it held is let go of before more is waited for."""
        waiting = self._put_some()
        with self._lock:
            self._pending -= len(waiting)
        for one, outcome in waiting:
            _tell(one, outcome)
        return bool(waiting)

    def _put_some(self) -> list[tuple[_Waiting, Answer | Exception]]:
        """What waited, with what to answer. Nothing: it is over.

        A thread that ended here would leave whoever waits, and half of all that come, without an answer.
        """
        waiting: list[_Waiting] = []
        outcomes: Sequence[Answer | Exception]
        try:
            with self._taking:
                self._take(waiting)
                checked = SmallPuts(self._service, [one.put for one in waiting])
            outcomes = checked.finish(self._store)
        except BaseException as error:  # noqa: BLE001 - see above; nobody interrupts this thread
            outcomes = [_as_exception(error)] * len(waiting)
        return list(zip(waiting, outcomes, strict=True))

    def _take(self, taken: list[_Waiting]) -> None:
        """Takes what waits, up to a bound; waits for the first. Nothing: it is over."""
        room_bytes = SMALL_BYTES
        one, self._left = self._left or self._queue.get(), None
        while one is not None:
            room_bytes -= len(one.put.body)
            if taken and room_bytes < 0:
                self._left = one
                return
            taken.append(one)
            if self._queue.empty():
                return
            one = self._queue.get()
        # For the other thread too, and for this one once it has put what it took.
        self._queue.put(None)


def _as_exception(error: BaseException) -> Exception:
    if isinstance(error, Exception):
        return error
    broken = RuntimeError("puts broke off")
    broken.__cause__ = error
    return broken


def _tell_loop(
    loop: asyncio.AbstractEventLoop, answer: asyncio.Future[Answer], outcome: Answer | Exception
) -> None:
    def settle() -> None:
        if answer.done():
            return  # nobody waits any more
        if isinstance(outcome, Exception):
            answer.set_exception(outcome)
        else:
            answer.set_result(outcome)

    loop.call_soon_threadsafe(settle)


def _tell(one: _Waiting, outcome: Answer | Exception) -> None:
    try:
        one.answered(outcome)
    except BaseException as error:  # noqa: BLE001 - others wait for this thread
        _log.error("nobody could be told of a put", exc_info=error)
